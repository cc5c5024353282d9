import std.stdio;
import std.string;

void main() {
    string name = readln().strip();
    writefln("Hello, %s!", name);
}
