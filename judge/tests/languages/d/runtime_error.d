void main(string[] args) {
    throw new Exception(args[0]);
}
