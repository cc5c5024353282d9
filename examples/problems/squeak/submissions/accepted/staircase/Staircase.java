/** A submission of two files: this one knows the stairs, Main reads and prints. */
class Staircase {
    private static final long PRIME = 1_000_000_007L;
    private final boolean[] squeaky;

    Staircase(int n) {
        squeaky = new boolean[n + 1];
    }

    void squeak(int step) {
        squeaky[step] = true;
    }

    long ways() {
        long[] ways = new long[squeaky.length];
        ways[0] = 1;
        for (int i = 1; i < ways.length; i++) {
            for (int j = Math.max(0, i - 3); j < i && !squeaky[i]; j++) {
                ways[i] = (ways[i] + ways[j]) % PRIME;
            }
        }
        return ways[ways.length - 1];
    }
}
