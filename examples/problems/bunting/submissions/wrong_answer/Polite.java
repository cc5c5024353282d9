import java.util.Scanner;

/** Speaks in sentences, and thinks that two colours are always enough. */
public class Polite {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        in.nextInt();
        int a = in.nextInt();
        int b = in.hasNextInt() ? in.nextInt() : 0;
        System.out.println(a == b ? "The order is " + "ab".repeat(a) : "Sadly this is impossible.");
    }
}
