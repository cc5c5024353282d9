import java.util.Scanner;

/** Has a formula for one and for two farms, and throws an exception for more. */
public class Unfinished {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int n = in.nextInt();
        if (n > 2) {
            throw new UnsupportedOperationException(n + " farms");
        }
        long x = in.nextInt();
        long y = in.nextInt();
        if (n == 1) {
            System.out.println(y);
            return;
        }
        // The second farm mirrored in the canal: the pipes are one straight line.
        long dx = in.nextInt() - x;
        long dy = in.nextInt() + y;
        System.out.println(Math.sqrt(dx * dx + dy * dy));
    }
}
