import greet;
import std.stdio;
import std.string;

void main() {
    writeln(greet.greet(readln().strip()));
}
