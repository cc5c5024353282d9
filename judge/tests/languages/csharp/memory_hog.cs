class Program {
    static void Main(string[] args) {
        var kept = new System.Collections.Generic.List<int[]>();
        for (;;) {
            var block = new int[1 << 18];
            for (int i = 0; i < block.Length; i++) block[i] = i;
            kept.Add(block);
        }
    }
}
