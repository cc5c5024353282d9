import java.util.Scanner;
import org.example.Greeting;

public class Main {
    public static void main(String[] args) {
        System.out.println(new Greeting(new Scanner(System.in).next()));
    }
}
