import core.volatile;

void main() {
    uint n;
    for (;;) volatileStore(&n, volatileLoad(&n) + 1);
}
