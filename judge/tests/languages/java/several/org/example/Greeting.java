package org.example;

public record Greeting(String name) {
    @Override
    public String toString() {
        return "Hello, " + name + "!";
    }
}
