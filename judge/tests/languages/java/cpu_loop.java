public class Main {
    public static void main(String[] args) {
        for (int n = 0; ; n++) {
            if (n == 1) System.out.flush();
        }
    }
}
