import java.util.Arrays;
import java.util.Scanner;

/** Sorts the flags by frequency and deals the two halves like cards. */
public class Halves {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int k = in.nextInt();
        int[] flags = new int[k];
        Integer[] order = new Integer[k];
        for (int i = 0; i < k; i++) {
            flags[i] = in.nextInt();
            order[i] = i;
        }
        Arrays.sort(order, (a, b) -> flags[b] - flags[a]);
        StringBuilder sorted = new StringBuilder();
        for (int colour : order) {
            sorted.append(String.valueOf((char) ('a' + colour)).repeat(flags[colour]));
        }
        int half = (sorted.length() + 1) / 2;
        if (flags[order[0]] > half) {
            System.out.println("impossible");
            return;
        }
        StringBuilder cord = new StringBuilder();
        for (int i = 0; i < sorted.length(); i++) {
            cord.append(sorted.charAt(i % 2 == 0 ? i / 2 : half + i / 2));
        }
        System.out.println(cord);
    }
}
