import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

public class Main {
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));

    public static void main(String[] args) throws IOException {
        int low = 1;
        int high = Integer.parseInt(IN.readLine());
        while (low < high) {
            int middle = (low + high) / 2;
            if (ask(middle) < ask(middle + 1)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        System.out.println("! " + low);
    }

    private static int ask(int i) throws IOException {
        System.out.println("? " + i);
        return Integer.parseInt(IN.readLine());
    }
}
