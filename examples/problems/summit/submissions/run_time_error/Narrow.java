import java.util.Scanner;

/** Takes the height for a byte: an uncaught exception. */
public class Narrow {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int n = in.nextInt();
        System.out.println("? " + n);
        byte height = in.nextByte();
        System.out.println("! " + height);
    }
}
