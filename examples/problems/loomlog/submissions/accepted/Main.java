import java.io.IOException;

public class Main {
    public static void main(String[] args) throws IOException {
        byte[] buffer = new byte[1 << 16];
        int[] count = new int[128];
        int got;
        while ((got = System.in.read(buffer)) > 0) {
            for (int i = 0; i < got; i++) {
                count[buffer[i]]++;
            }
        }
        char best = 0;
        for (char letter = 'a'; letter <= 'z'; letter++) {
            if (count[letter] > 0 && (best == 0 || count[letter] < count[best])) {
                best = letter;
            }
        }
        System.out.println(best + " " + count[best]);
    }
}
