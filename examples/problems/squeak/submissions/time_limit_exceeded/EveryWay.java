import java.util.HashSet;
import java.util.Scanner;
import java.util.Set;

/** Walks every way one by one. */
public class EveryWay {
    private static final Set<Integer> SQUEAKY = new HashSet<>();

    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int n = in.nextInt();
        int m = in.nextInt();
        for (int i = 0; i < m; i++) {
            SQUEAKY.add(in.nextInt());
        }
        System.out.println(ways(n));
    }

    private static long ways(int step) {
        if (step == 0) {
            return 1;
        }
        if (step < 0 || SQUEAKY.contains(step)) {
            return 0;
        }
        return (ways(step - 1) + ways(step - 2) + ways(step - 3)) % 1_000_000_007L;
    }
}
