"""The official Python SDK of Judge0, as it is, against the server that its environment names: what
its README shows, and what else it can do. Exits with 0 when all is as it should be."""

from base64 import b64decode

import judge0
from judge0 import Filesystem, File, Status

HELLO_C = r"""
#include <stdio.h>
int main() { printf("hello, world\n"); return 0; }
"""
GREET_C = r"""
#include <stdio.h>
int main() { char name[10]; scanf("%s", name); printf("Hello, %s!\n", name); return 0; }
"""
GREET_PYTHON = "print(f'Hello, {input()}!')"
PEOPLE = ["Bob", "Alice", "Charlie"]


def hello_world():
    # Without a language the SDK takes Python for ML, which only Extra CE has.
    result = judge0.run(source_code="print('hello, world')")
    assert result.stdout == "hello, world\n", result
    assert result.time > 0 and result.memory > 0, result
    assert list(result) == []
    result = judge0.run(source_code="print('hello, world')", language=judge0.PYTHON)
    assert result.stdout == "hello, world\n" and result.language == judge0.PYTHON, result


def other_languages():
    assert judge0.run(source_code=HELLO_C, language=judge0.C).stdout == "hello, world\n"
    java = 'public class Main { public static void main(String[] a) { System.out.println("hi"); } }'
    assert judge0.run(source_code=java, language=judge0.JAVA).stdout == "hi\n"


def standard_input():
    source = r"""
#include <stdio.h>
int main() {
    int a, b; char name[10];
    scanf("%d %d", &a, &b); printf("%d\n", a + b);
    scanf("%s", name); printf("Hello, %s!\n", name);
}
"""
    result = judge0.run(source_code=source, stdin="\n3 5\nBob\n", language=judge0.C)
    assert result.stdout == "8\nHello, Bob!\n", result


def test_cases():
    results = judge0.run(
        source_code=GREET_PYTHON,
        test_cases=[
            ("Bob", "Hello, Bob!"),
            {"input": "Alice", "expected_output": "Hello, Alice!"},
            ["Charlie", "Hello, Nobody!"],
        ],
    )
    seen = [(result.stdout, result.status) for result in results]
    assert seen == [
        ("Hello, Bob!\n", Status.ACCEPTED),
        ("Hello, Alice!\n", Status.ACCEPTED),
        ("Hello, Charlie!\n", Status.WRONG_ANSWER),
    ], seen


def test_cases_and_languages():
    submissions = [
        judge0.Submission(source_code=GREET_PYTHON, language=judge0.PYTHON),
        judge0.Submission(source_code=GREET_C, language=judge0.C),
    ]
    cases = [(name, f"Hello, {name}!") for name in PEOPLE]
    results = judge0.run(submissions=submissions, test_cases=cases)
    assert [result.stdout for result in results] == [f"Hello, {n}!\n" for n in PEOPLE] * 2
    assert all(result.status == Status.ACCEPTED for result in results)
    # More than one chunk of the batch route.
    results = judge0.run(
        source_code=GREET_C, language=judge0.C, test_cases=[("x", "Hello, x!")] * 45
    )
    assert [result.status for result in results] == [Status.ACCEPTED] * 45


def asynchronously():
    submission = judge0.async_run(source_code="print('hello, world')")
    assert submission.stdout is None
    judge0.wait(submissions=submission)
    assert submission.stdout == "hello, world\n"
    assert submission.finished_at >= submission.created_at


def languages():
    client = judge0.get_client()
    names = [language.name for language in client.get_languages()]
    assert any(name.startswith("Python (3.8.1") for name in names), names
    assert client.get_language(71).source_file == "script.py"
    assert [status["id"] for status in client.get_statuses()] == list(range(1, 15))


def failures():
    broken = judge0.run(source_code="int main( {", language=judge0.C)
    assert broken.status == Status.COMPILATION_ERROR and "error" in broken.compile_output, broken
    slow = judge0.run(source_code="while True: pass", language=judge0.PYTHON, cpu_time_limit=0.3)
    assert slow.status == Status.TIME_LIMIT_EXCEEDED, slow
    crash = judge0.run(source_code="int main() { *(volatile int *)0 = 1; }", language=judge0.C)
    assert crash.status == Status.RUNTIME_ERROR_NZEC and crash.exit_code == 139, crash
    # The SDK leaves this field as it comes.
    assert b64decode(crash.message) == b"Exited with error status 139", crash


def files():
    fs = Filesystem(content=[File(name="data.txt", content="from a file\n")])
    result = judge0.run(
        source_code="print(open('data.txt').read(), end='')",
        language=judge0.PYTHON,
        additional_files=fs,
        redirect_stderr_to_stdout=True,
    )
    assert result.stdout == "from a file\n", result
    fs = Filesystem(
        content=[
            File(name="greet.h", content="#define TEXT \"many files\"\n"),
            File(name="main.c", content='#include "greet.h"\nint puts(const char *);\n'
                                        "int main() { puts(TEXT); }\n"),
            File(name="compile", content="gcc -o a.out main.c\n"),
            File(name="run", content="./a.out\n"),
        ]
    )
    result = judge0.run(source_code="", language=judge0.MULTI_FILE, additional_files=fs)
    assert result.stdout == "many files\n", result


if __name__ == "__main__":
    for part in [
        hello_world,
        other_languages,
        standard_input,
        test_cases,
        test_cases_and_languages,
        asynchronously,
        languages,
        failures,
        files,
    ]:
        part()
        print(f"{part.__name__}: ok", flush=True)
