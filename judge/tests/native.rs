//! The judge over the native engine, with the compilers of this machine: what the fake cannot
//! show. Needs root; counted as ignored otherwise.
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]

use std::sync::Arc;
use std::time::Duration;

use judge::language::{Host, Table};
use judge::model::{
    Abi, Blob, Checker, Extras, LimitsSpec, Program, Report, SourceFile, StopRule, Submission,
    Test, Verdict,
};
use judge::{Config, Error, Event, Judge, Observer};
use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::{Cancel, NativeSandbox, native};

use Verdict::{
    Accepted as AC, CompileError as CE, IdlenessLimit as ILE, InternalError as IE,
    MemoryLimit as MLE, OutputLimit as OLE, RuntimeError as RE, Skipped as SKIPPED,
    TimeLimit as TLE, WrongAnswer as WA,
};

type Case = fn(&Judge);

const CASES: [(&str, Case); 13] = [
    ("twenty_tests_of_a_cpp_program_and_then_from_the_cache", twenty_tests),
    ("a_compile_error_has_the_compilers_words", compile_error),
    ("every_way_to_fail_has_its_verdict", every_way_to_fail),
    ("a_program_that_the_kernel_does_not_execute_is_a_runtime_error", unfit_program),
    ("a_flood_of_compiler_output_and_a_hungry_compilation_are_compile_errors", hostile_compile),
    ("python_runs_from_its_sources", python),
    ("the_first_failure_stops_the_rest", first_failure),
    ("a_custom_checker_scores_and_speaks", custom_checker),
    ("a_custom_checker_that_crashes_is_the_judges_failure", crashing_checker),
    ("a_conversation_is_judged_by_its_interactor", interactive),
    ("an_interactor_that_fails_is_the_judges_failure", broken_interactor),
    ("a_checker_that_does_not_compile_is_refused", refused_checker),
    ("a_withdrawn_batch_ends_at_once", withdrawn),
];

fn main() {
    sandbox::agent::enter_if_asked();
    let args = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    let dir = tempfile::tempdir().expect("a folder for the cache");
    let judge = (root && !args.list).then(|| Arc::new(open(dir.path())));
    let trials = CASES.into_iter().map(|(name, case)| {
        let judge = judge.clone();
        Trial::test(name, move || {
            let judge = judge.ok_or_else(|| Failed::from("needs root"))?;
            case(&judge);
            Ok(())
        })
        .with_ignored_flag(!root)
    });
    let conclusion = libtest_mimic::run(&args, trials.collect());
    // The engine removes its groups when it goes, which `exit` would not wait for.
    drop(judge);
    drop(dir);
    conclusion.exit();
}

fn open(cache: &std::path::Path) -> Judge {
    let (table, host) = (Table::builtin(), Host::new(None));
    let config = native::Config { mounts: table.mounts(&host), ..native::Config::default() };
    let engine = NativeSandbox::new(config).expect("the native engine works here");
    let config = Config { slots: 2, ..Config::new(cache.to_owned(), host) };
    Judge::new(Arc::new(engine), Arc::new(table), config).expect("a fresh cache folder")
}

/// Less than everything, which takes a second to read.
const HEAD: &str = "#include <cassert>\n#include <cstdio>\n#include <cstdlib>\n#include <cstring>\n\
                    #include <fstream>\n#include <iostream>\n#include <unistd.h>\n\
                    using namespace std;\n";

fn source(name: &str, text: &str) -> Vec<SourceFile> {
    vec![SourceFile { name: name.into(), contents: text.into() }]
}

fn test(input: &str, answer: &str) -> Test {
    Test {
        name: input.into(),
        input: input.into(),
        answer: Some(answer.into()),
        weight: 1.0,
        group: None,
        args: Vec::new(),
        checker_args: Vec::new(),
    }
}

fn cpp(text: &str, tests: Vec<Test>) -> Submission {
    Submission {
        language: "cpp17".into(),
        files: source("main.cpp", &format!("{HEAD}{text}")),
        entry: None,
        args: Vec::new(),
        tests,
        limits: LimitsSpec {
            cpu_ms: Some(500),
            wall_ms: Some(1500),
            memory_bytes: Some(64 << 20),
            output_bytes: Some(1 << 20),
            ..LimitsSpec::default()
        },
        checker: Checker::default(),
        stop: StopRule::RunAll,
        extras: Extras::default(),
    }
}

fn program(text: &str) -> Program {
    Program {
        language: "cpp17".into(),
        files: source("jury.cpp", &format!("{HEAD}{text}")),
        entry: None,
        args: Vec::new(),
        limits: LimitsSpec { cpu_ms: Some(1000), wall_ms: Some(1000), ..LimitsSpec::default() },
    }
}

fn run(judge: &Judge, submission: &Submission) -> Report {
    judge.execute_batch(submission, &(), &Cancel::new().unwrap()).unwrap()
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report.tests.iter().map(|t| t.verdict).collect()
}

fn twenty_tests(judge: &Judge) {
    let tests = (0..20).map(|i| test(&i.to_string(), &(i * 2).to_string())).collect();
    let submission = cpp("int main(){int n;cin>>n;cout<<n*2<<endl;}", tests);
    let first = run(judge, &submission);
    assert_eq!(verdicts(&first), [AC; 20], "{first:#?}");
    assert_eq!((first.verdict, first.score), (AC, Some(1.0)));
    assert!(first.toolchain.starts_with("g++"), "{}", first.toolchain);
    let measured = first.tests.iter().all(|t| t.cpu_ms > 0.0 && t.wall_ms > 0.0);
    assert!(measured, "{:#?}", first.tests);
    let second = run(judge, &submission);
    assert_eq!(verdicts(&second), [AC; 20]);
    assert!(!first.compile.unwrap().cached && second.compile.unwrap().cached);
}

fn compile_error(judge: &Judge) {
    let report = run(judge, &cpp("int main(){ return nothing; }", vec![test("", "")]));
    assert_eq!((report.verdict, verdicts(&report)), (CE, vec![SKIPPED]));
    let output = report.compile.unwrap().output.read().unwrap();
    let output = String::from_utf8_lossy(&output);
    assert!(output.contains("‘nothing’ was not declared"), "{output}");
}

fn unfit_program(judge: &Judge) {
    let text = "extern \"C\" __attribute__((section(\".interp\"), used))\n\
                const char interpreter[] = \"/nope\";\nint main() {}";
    let report = run(judge, &cpp(text, vec![test("", ""), test("1", "")]));
    assert_eq!(verdicts(&report), [RE, RE], "{report:#?}");
    assert_eq!(report.tests[0].exit_code, Some(127));
}

fn every_way_to_fail(judge: &Judge) {
    let text = r#"
int main() {
    string how; cin >> how;
    if (how == "right") cout << "right" << endl;
    if (how == "wrong") cout << "left" << endl;
    if (how == "loop") for (volatile int i = 0;; i++);
    if (how == "sleep") for (;;) sleep(3600);
    if (how == "eat") for (;;) { char *p = (char *)malloc(1 << 20); memset(p, 1, 1 << 20); }
    if (how == "talk") for (;;) puts("and on");
    if (how == "exit") return 3;
    if (how == "abort") abort();
    if (how == "null") *(volatile int *)0 = 0;
    if (how == "right-exit") { cout << "right-exit" << endl; return 1; }
}"#;
    let rows = [
        ("right", AC),
        ("wrong", WA),
        ("loop", TLE),
        ("sleep", ILE),
        ("eat", MLE),
        ("talk", OLE),
        ("exit", RE),
        ("abort", RE),
        ("null", RE),
        ("right-exit", RE),
    ];
    let report = run(judge, &cpp(text, rows.iter().map(|(how, _)| test(how, how)).collect()));
    for (test, (how, expected)) in report.tests.iter().zip(rows) {
        assert_eq!(test.verdict, expected, "{how}: {test:#?}");
        assert_eq!(test.status.is_none(), matches!(expected, AC | WA), "{how}: {test:#?}");
    }
    assert_eq!((report.verdict, report.first_failure), (WA, Some(1)));
    assert_eq!(report.tests[6].exit_code, Some(3));
    assert_eq!(report.tests[7].signal, Some(6));
}

fn hostile_compile(judge: &Judge) {
    let flood = "#define A(x) x x x x x x x x x x\n\
                 #define B(x) A(A(A(x)))\nB(int f(){return undefined_name;})";
    let report = run(judge, &cpp(flood, vec![test("", "")]));
    assert_eq!(report.verdict, CE);
    let compile = report.compile.unwrap();
    assert!(compile.output.read().unwrap().len() <= 64 << 10 && compile.output_truncated);
    let endless = "#include \"/dev/zero\"\nint main(){}";
    assert_eq!(run(judge, &cpp(endless, vec![test("", "")])).verdict, CE);
}

fn python(judge: &Judge) {
    let mut submission = cpp("", vec![test("3", "9"), test("x", "")]);
    submission.language = "71".into();
    submission.files =
        source("sub.py", "from lib.square import square\nprint(square(int(input())))");
    submission.files.extend(source("lib/square.py", "def square(n): return n * n"));
    submission.limits.cpu_ms = Some(2000);
    let report = run(judge, &submission);
    assert_eq!(verdicts(&report), [AC, RE], "{report:#?}");
    let stderr = report.tests[1].stderr.read().unwrap();
    assert!(String::from_utf8_lossy(&stderr).contains("ValueError"));
}

fn first_failure(judge: &Judge) {
    let tests = (0..12).map(|i| test(&i.to_string(), "")).collect();
    let mut submission = cpp("int main(){int n;cin>>n;if(n>=5)for(;;);}", tests);
    submission.stop = StopRule::FirstFailure;
    let report = run(judge, &submission);
    assert_eq!((report.verdict, report.first_failure), (TLE, Some(5)));
    assert_eq!(verdicts(&report)[4..8], [AC, TLE, SKIPPED, SKIPPED]);
}

fn custom_checker(judge: &Judge) {
    let checker = program(
        r#"int main(int argc, char **argv) {
            assert(argc == 5 && string(argv[4]) == "-flag");
            ifstream in(argv[1]), answer(argv[2]);
            int n, a, b; in >> n; answer >> a;
            ofstream(string(argv[3]) + "judgemessage.txt") << "n is " << n;
            if (!(cin >> b)) return 43;
            if (n == 7) ofstream(string(argv[3]) + "score.txt") << 0.5;
            return abs(a - b) <= 1 ? 42 : 43;
        }"#,
    );
    let mut tests = vec![test("1", "1"), test("5", "9"), test("7", "7")];
    tests.iter_mut().for_each(|t| t.checker_args = vec!["-flag".into()]);
    let mut submission = cpp("int main(){int n;cin>>n;cout<<n+1;}", tests);
    submission.checker = Checker::Custom { abi: Abi::Icpc, program: checker };
    let report = run(judge, &submission);
    assert_eq!(verdicts(&report), [AC, WA, AC], "{report:#?}");
    assert_eq!(report.tests[2].score, Some(0.5));
    assert_eq!(report.tests[0].message.as_deref(), Some("n is 1"));
}

fn crashing_checker(judge: &Judge) {
    let mut submission = cpp("int main(){}", vec![test("", "")]);
    submission.checker =
        Checker::Custom { abi: Abi::Icpc, program: program("int main(){abort();}") };
    let report = run(judge, &submission);
    assert_eq!((report.verdict, verdicts(&report)), (IE, vec![IE]));
    assert!(report.error.unwrap().contains("the checker was ended by signal 6"));
}

const GUESS: &str = r#"int main(int, char **argv) {
    ifstream in(argv[1]); int secret, guess; in >> secret;
    for (int turn = 0; turn < 20; turn++) {
        if (!(cin >> guess)) return 43;
        if (guess == secret) { cout << "found" << endl; return 42; }
        cout << (guess < secret ? "higher" : "lower") << endl;
    }
    return 43;
}"#;

fn interactive(judge: &Judge) {
    let text = r#"
int main(int, char **argv) {
    string how = argv[1], word;
    if (how == "halves") {
        for (int a = 1, b = 1000;;) {
            int m = (a + b) / 2;
            cout << m << endl; cin >> word;
            if (word == "found") return 0;
            if (word == "higher") a = m + 1; else b = m - 1;
        }
    }
    if (how == "asks-too-often") do cout << 1 << endl; while (cin >> word);
    if (how == "asks-too-often-and-dies-of-it") { do cout << 1 << endl; while (cin >> word); abort(); }
    if (how == "leaves-early") cout << 1 << endl;
    if (how == "crashes") { cout << 1 << endl; abort(); }
    if (how == "waits-while-the-other-waits") cin >> word;
    if (how == "thinks-for-ever") for (volatile int i = 0;; i++);
    if (how == "eats") for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    if (how == "floods") for (;;) puts("1");
    if (how == "finds-and-goes-on") { cout << 37 << endl; for (volatile int i = 0;; i++); }
    if (how == "finds-and-fails") { cout << 37 << endl; cin >> word; return 1; }
}"#;
    let rows = [
        ("halves", AC),
        ("asks-too-often", WA),
        ("asks-too-often-and-dies-of-it", WA),
        ("leaves-early", WA),
        ("crashes", RE),
        ("waits-while-the-other-waits", ILE),
        ("thinks-for-ever", TLE),
        ("eats", MLE),
        ("floods", WA),
        ("finds-and-goes-on", TLE),
        ("finds-and-fails", RE),
    ];
    for (how, expected) in rows {
        let mut submission = cpp(text, vec![test("37", "")]);
        submission.args = vec![how.into()];
        submission.checker = Checker::Interactive { abi: Abi::Icpc, program: program(GUESS) };
        let report = run(judge, &submission);
        assert_eq!(report.verdict, expected, "{how}: {report:#?}");
    }
}

fn broken_interactor(judge: &Judge) {
    let text = r#"int main(int, char **argv) {
        string how = argv[1];
        if (how == "crashes") abort();
        if (how == "loops") for (volatile int i = 0;; i++);
        if (how == "floods") for (;;) puts("x");
    }"#;
    for how in ["crashes", "loops", "floods"] {
        let patient = "int main(){string s;while(cin>>s);}";
        let mut submission = cpp(patient, vec![test("", "")]);
        submission.limits.wall_ms = Some(5000);
        let mut jury = program(text);
        jury.args = vec![how.into()];
        jury.limits.output_bytes = Some(1 << 20);
        submission.checker = Checker::Interactive { abi: Abi::Icpc, program: jury };
        let report = run(judge, &submission);
        assert_eq!(report.verdict, IE, "{how}: {report:#?}");
    }
}

fn refused_checker(judge: &Judge) {
    let mut submission = cpp("int main(){}", vec![test("", "")]);
    submission.checker = Checker::Custom { abi: Abi::Icpc, program: program("int main(){ oops }") };
    let refused = judge.execute_batch(&submission, &(), &Cancel::new().unwrap()).unwrap_err();
    assert!(matches!(&refused, Error::Checker { output, .. } if output.contains("oops")));
}

fn withdrawn(judge: &Judge) {
    struct AtStart(Cancel);
    impl Observer for AtStart {
        fn on(&self, event: Event<'_>) {
            if let Event::Started { .. } = event {
                self.0.cancel();
            }
        }
    }
    let mut submission = cpp("int main(){for(;;);}", vec![test("", ""), test("", "")]);
    submission.limits.cpu_ms = Some(60_000);
    submission.limits.wall_ms = Some(60_000);
    submission.files[0].contents = Blob::from("int main(){for(;;);}");
    let cancel = Cancel::new().unwrap();
    let report = judge.execute_batch(&submission, &AtStart(cancel.clone()), &cancel).unwrap();
    assert_eq!((report.verdict, verdicts(&report)), (SKIPPED, vec![SKIPPED; 2]));
    assert!(report.times.run_ms < Duration::from_secs(5).as_secs_f64() * 1e3);
}
