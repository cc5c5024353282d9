void main() {
    int n = "one";
}
