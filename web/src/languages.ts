// What the page knows of languages beyond their ids: file names, samples, which highlighting.

/** Names a loader of src/editor.ts. */
export type Syntax = "cpp" | "python" | "java" | "javascript" | "typescript" | "go" | "rust" | "shell";

interface Known {
  file: string;
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
    file: "main.c",
    syntax: "cpp",
    sample: `#include <stdio.h>

int main(void) {
    long long a, b;
    if (scanf("%lld %lld", &a, &b) != 2) return 1;
    printf("%lld\\n", a + b);
}
`,
  },
  cpp17: { file: "main.cpp", syntax: "cpp", sample: CPP },
  cpp20: { file: "main.cpp", syntax: "cpp", sample: CPP },
  python3: { file: "main.py", syntax: "python", sample: "a, b = map(int, input().split())\nprint(a + b)\n" },
  java: {
    file: "Main.java",
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
    file: "main.js",
    syntax: "javascript",
    sample: `const [a, b] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
console.log(a + b);
`,
  },
  typescript: {
    file: "main.ts",
    syntax: "typescript",
    sample: `const [a, b]: number[] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
console.log(a + b);
`,
  },
  go: {
    file: "main.go",
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
    file: "main.rs",
    syntax: "rust",
    sample: `use std::io::{read_to_string, stdin};

fn main() {
    let text = read_to_string(stdin()).unwrap();
    let sum: i64 = text.split_whitespace().map(|n| n.parse::<i64>().unwrap()).sum();
    println!("{sum}");
}
`,
  },
  bash: { file: "main.sh", syntax: "shell", sample: 'read -r a b\necho $((a + b))\n' },
  perl: { file: "main.pl", sample: 'my ($a, $b) = split " ", <STDIN>;\nprint $a + $b, "\\n";\n' },
  ruby: { file: "main.rb", sample: "a, b = gets.split.map(&:to_i)\nputs a + b\n" },
  php: { file: "main.php", sample: '<?php\nfscanf(STDIN, "%d %d", $a, $b);\necho $a + $b, "\\n";\n' },
  sql: { file: "main.sql", sample: "SELECT 1 + 2;\n" },
};

/** Of languages without a sample, as judge/src/language/languages.yaml names their source. */
const ENDINGS: Record<string, string> = {
  csharp: "cs", pascal: "pas", fortran: "f90", d: "d", haskell: "hs", ocaml: "ml", assembler: "asm", lua: "lua",
  r: "r", lisp: "lisp", erlang: "erl", elixir: "exs", prolog: "pl",
};

export function fileName(id: string): string {
  return KNOWN[id]?.file ?? `main.${ENDINGS[id] ?? "txt"}`;
}

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
