// What the page knows of languages beyond their ids: samples, which highlighting.

/** Names a loader of src/editor.ts. */
export type Syntax = "cpp" | "python" | "java" | "javascript" | "typescript" | "go" | "rust" | "shell";

interface Known {
  syntax?: Syntax;
  sample: string;
}

const CPP = `#include <iostream>

int main() {
    long long a, b;
    std::cin >> a >> b;
    std::cout << a + b << "\\n";
}
`;

const KNOWN: Record<string, Known> = {
  c: {
    syntax: "cpp",
    sample: `#include <stdio.h>

int main(void) {
    long long a, b;
    if (scanf("%lld %lld", &a, &b) != 2) return 1;
    printf("%lld\\n", a + b);
}
`,
  },
  cpp17: { syntax: "cpp", sample: CPP },
  cpp20: { syntax: "cpp", sample: CPP },
  python3: { syntax: "python", sample: "a, b = map(int, input().split())\nprint(a + b)\n" },
  java: {
    syntax: "java",
    sample: `import java.util.Scanner;

public class Main {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        System.out.println(in.nextLong() + in.nextLong());
    }
}
`,
  },
  javascript: {
    syntax: "javascript",
    sample: `const [a, b] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
console.log(a + b);
`,
  },
  typescript: {
    syntax: "typescript",
    sample: `const [a, b]: number[] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
console.log(a + b);
`,
  },
  go: {
    syntax: "go",
    sample: `package main

import "fmt"

func main() {
	var a, b int64
	fmt.Scan(&a, &b)
	fmt.Println(a + b)
}
`,
  },
  rust: {
    syntax: "rust",
    sample: `use std::io::{read_to_string, stdin};

fn main() {
    let text = read_to_string(stdin()).unwrap();
    let sum: i64 = text.split_whitespace().map(|n| n.parse::<i64>().unwrap()).sum();
    println!("{sum}");
}
`,
  },
  bash: { syntax: "shell", sample: 'read -r a b\necho "$((a + b))"\n' },
  perl: { sample: 'my ($a, $b) = split " ", <STDIN>;\nprint $a + $b, "\\n";\n' },
  ruby: { sample: "a, b = gets.split.map(&:to_i)\nputs a + b\n" },
  php: { sample: '<?php\nfscanf(STDIN, "%d %d", $a, $b);\necho $a + $b, "\\n";\n' },
  sql: { sample: "SELECT 1 + 2;\n" },
};

export function syntax(id: string): Syntax | null {
  return KNOWN[id]?.syntax ?? null;
}

/** A program that adds two numbers; empty when none is known. */
export function sample(id: string): string {
  return KNOWN[id]?.sample ?? "";
}

/** Whether that is a sample that nobody has touched. */
export function untouched(code: string): boolean {
  return code.trim() === "" || Object.values(KNOWN).some((known) => known.sample === code);
}

/** The one to begin with. */
export function favourite(ids: readonly string[]): string {
  return ["cpp17", "cpp20", "python3"].find((id) => ids.includes(id)) ?? ids[0] ?? "";
}
