import java.util.Scanner;

public class Main {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int n = in.nextInt();
        int m = in.nextInt();
        Staircase stairs = new Staircase(n);
        for (int i = 0; i < m; i++) {
            stairs.squeak(in.nextInt());
        }
        System.out.println(stairs.ways());
    }
}
