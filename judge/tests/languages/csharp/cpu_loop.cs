class Program {
    static void Main(string[] args) {
        for (uint n = 0; ; n++) {
            if (n == 1) System.Console.Out.Flush();
        }
    }
}
