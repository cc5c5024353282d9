import java.util.Scanner;

public class Main {
    record Greeting(String name) {
        @Override
        public String toString() {
            return "Hello, " + name + "!";
        }
    }

    public static void main(String[] args) {
        System.out.println(new Greeting(new Scanner(System.in).next()));
    }
}
