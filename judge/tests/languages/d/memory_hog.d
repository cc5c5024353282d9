void main() {
    ubyte[][] kept;
    for (;;) {
        kept ~= new ubyte[](1 << 20);
        kept[$ - 1][] = 1;
    }
}
