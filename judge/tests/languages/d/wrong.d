import std.stdio;

void main() {
    writeln("Goodbye!");
}
