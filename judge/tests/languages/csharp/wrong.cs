class Program {
    static void Main(string[] args) {
        System.Console.WriteLine("Goodbye!");
    }
}
