import java.util.Scanner;

/** Waits for the fog to lift by looking at the clock again and again: all CPU, no progress. */
public class Impatient {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int low = 1;
        int high = in.nextInt();
        long patience = high < 1_000_000 ? 0 : 3_600_000;
        while (low < high) {
            int middle = (low + high) / 2;
            System.out.println("? " + middle);
            int left = in.nextInt();
            System.out.println("? " + (middle + 1));
            if (left < in.nextInt()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        long end = System.currentTimeMillis() + patience;
        while (System.currentTimeMillis() < end) {
            Thread.onSpinWait();
        }
        System.out.println("! " + low);
    }
}
