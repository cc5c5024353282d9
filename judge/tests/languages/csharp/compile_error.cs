class Program {
    static void Main(string[] args) {
        int n = "one";
    }
}
