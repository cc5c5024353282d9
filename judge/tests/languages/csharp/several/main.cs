using System;

class Program {
    static void Main() => Console.WriteLine(Greeting.Of(Console.ReadLine()));
}
