import java.io.IOException;
import java.io.StreamTokenizer;

public class Main {
    private static double[] x;
    private static double[] y;

    public static void main(String[] args) throws IOException {
        StreamTokenizer in = new StreamTokenizer(new java.io.InputStreamReader(System.in));
        int n = next(in);
        x = new double[n];
        y = new double[n];
        double low = 1e6;
        double high = -1e6;
        for (int i = 0; i < n; i++) {
            x[i] = next(in);
            y[i] = next(in);
            low = Math.min(low, x[i]);
            high = Math.max(high, x[i]);
        }
        for (int round = 0; round < 100; round++) {
            double left = (2 * low + high) / 3;
            double right = (low + 2 * high) / 3;
            if (total(left) < total(right)) {
                high = right;
            } else {
                low = left;
            }
        }
        System.out.println(total((low + high) / 2));
    }

    private static int next(StreamTokenizer in) throws IOException {
        in.nextToken();
        return (int) in.nval;
    }

    private static double total(double pump) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += Math.sqrt((x[i] - pump) * (x[i] - pump) + y[i] * y[i]);
        }
        return sum;
    }
}
