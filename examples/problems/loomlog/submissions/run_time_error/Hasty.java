import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

/** Believes that all of the log is there at once, and throws when it is not. */
public class Hasty {
    public static void main(String[] args) throws IOException {
        byte[] buffer = new byte[1 << 16];
        int got = System.in.read(buffer);
        if (got == buffer.length) {
            throw new IllegalStateException("the log does not fit");
        }
        Map<Character, Integer> count = new TreeMap<>();
        for (char letter : new String(buffer, 0, got).replaceAll("[^a-z]", "").toCharArray()) {
            count.merge(letter, 1, Integer::sum);
        }
        char best = count.keySet().iterator().next();
        for (char letter : count.keySet()) {
            if (count.get(letter) < count.get(best)) {
                best = letter;
            }
        }
        System.out.println(best + " " + count.get(best));
    }
}
