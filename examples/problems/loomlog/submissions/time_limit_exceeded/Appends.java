import java.io.IOException;

/** Builds the log thread by thread; each one copies all that came before. */
public class Appends {
    public static void main(String[] args) throws IOException {
        String log = "";
        for (int thread = System.in.read(); thread > ' '; thread = System.in.read()) {
            log += (char) thread;
        }
        String best = "";
        int least = Integer.MAX_VALUE;
        for (char letter = 'a'; letter <= 'z'; letter++) {
            int count = log.length() - log.replace(String.valueOf(letter), "").length();
            if (count > 0 && count < least) {
                best = String.valueOf(letter);
                least = count;
            }
        }
        System.out.println(best + " " + least);
    }
}
