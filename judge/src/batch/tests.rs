//! Batches over a sandbox that plays a script: order, exact first failure, retries, the cache.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::Duration;

use sandbox::{Cancel, Captured, Collected, Outcome, Termination};

use super::*;
use crate::fake::{self, Call, Fake, broken, ended, said};
use crate::model::{
    Abi, Blob, Checker, ExtraFile, Extras, LimitsSpec, Program, SourceFile, StopRule, Test,
    TestReport, Verdict,
};

/// Tests whose input is their number and whose right output is `ok`.
fn submission(language: &str, tests: usize, stop: StopRule) -> Submission {
    let contents = Blob::from("source");
    Submission {
        language: language.into(),
        files: vec![SourceFile { name: "main.x".into(), contents }],
        entry: None,
        args: vec!["arg".into()],
        tests: (0..tests).map(test).collect(),
        limits: LimitsSpec { cpu_ms: Some(1000), ..LimitsSpec::default() },
        checker: Checker::default(),
        stop,
        extras: Extras::default(),
    }
}

fn test(i: usize) -> Test {
    Test {
        name: format!("t{i}"),
        input: Blob::from(i.to_string().as_str()),
        answer: Some("ok".into()),
        weight: 1.0,
        group: None,
        args: Vec::new(),
        checker_args: Vec::new(),
    }
}

fn number(call: &Call<'_>) -> usize {
    call.stdin().parse().unwrap()
}

fn run(fake: &Arc<Fake>, slots: usize, submission: &Submission) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let judge = fake::judge(fake, slots, dir.path());
    judge.execute_batch(submission, &(), &Cancel::new().unwrap()).unwrap()
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report.tests.iter().map(|t| t.verdict).collect()
}

use Verdict::{
    Accepted as AC, CompileError as CE, InternalError as IE, RuntimeError as RE,
    Skipped as SKIPPED, TimeLimit as TLE, WrongAnswer as WA,
};

#[test]
fn a_report_tells_the_limits_that_the_boxes_had() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let boxes = Arc::clone(&seen);
    let fake = Arc::new(Fake::new(move |call| {
        boxes.lock().unwrap().push(call.job.limits.clone());
        Ok(said("ok"))
    }));
    let report = run(&fake, 1, &submission("python3", 2, StopRule::RunAll));
    let granted = report.limits.unwrap();
    assert_eq!(granted.cpu_ms, 1500, "with the language's factor");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    for limits in seen.iter() {
        assert_eq!(limits.cpu, Duration::from_millis(granted.cpu_ms));
        assert_eq!(limits.wall, Duration::from_millis(granted.wall_ms));
        assert_eq!(limits.memory.0, granted.memory_bytes);
    }
}

#[test]
fn a_submission_is_compiled_run_compared_and_reported_in_order() {
    let fake = Arc::new(Fake::new(|call| {
        if call.compile {
            assert_eq!(
                call.job.argv,
                ["/usr/bin/g++", "-std=gnu++17", "-O2", "-pipe", "-o", "main", "main.cpp"]
            );
            return Ok(said("a warning"));
        }
        assert_eq!(call.job.argv, ["/box/main", "arg"]);
        assert!(call.job.artefact.is_some() && call.job.files.is_empty());
        Ok(match number(&call) {
            0 => said("ok\n"),
            1 => said("no"),
            2 => Outcome { stdout: said("ok").stdout, ..ended(Termination::CpuLimit) },
            _ => ended(Termination::Signalled(11)),
        })
    }));
    let report = run(&fake, 4, &submission("54", 4, StopRule::RunAll));
    assert_eq!(verdicts(&report), [AC, WA, TLE, RE]);
    assert_eq!((report.verdict, report.first_failure), (WA, Some(1)));
    assert_eq!(report.score, Some(0.25));
    assert_eq!((report.language.as_str(), report.toolchain.as_str()), ("cpp17", "version 1.0"));
    let compile = report.compile.unwrap();
    assert_eq!(
        (compile.ok, compile.cached, compile.output),
        (true, false, Blob::from("a warning"))
    );
    assert_eq!(report.tests[3].signal, Some(11));
    assert_eq!(report.tests[3].status.as_deref(), Some("was ended by signal 11 (SIGSEGV)"));
    assert!(report.tests[1].message.is_some() && report.tests[2].message.is_none());
}

#[test]
fn sources_of_an_interpreted_language_are_the_artefact() {
    let fake = Arc::new(Fake::new(|call| {
        assert_eq!(call.job.argv, ["/usr/bin/python3", "/box/main.py", "arg"]);
        let dir = call.job.artefact.as_ref().unwrap().dir();
        Ok(said(&format!("ok{}", std::fs::read_to_string(dir.join("main.py")).unwrap().len() - 6)))
    }));
    let mut submission = submission("python3", 1, StopRule::RunAll);
    submission.tests[0].answer = Some("ok0".into());
    let report = run(&fake, 1, &submission);
    assert_eq!((report.verdict, report.compile), (AC, None));
}

#[test]
fn a_plain_run_accepts_any_output_and_no_tests_at_all_is_accepted() {
    let fake = Arc::new(Fake::new(|_| Ok(said("anything"))));
    let mut submission = submission("c", 2, StopRule::RunAll);
    submission.tests.iter_mut().for_each(|t| t.answer = None);
    let report = run(&fake, 2, &submission);
    assert_eq!(verdicts(&report), [AC, AC]);
    assert_eq!(report.tests[1].stdout, Blob::from("anything"));
    submission.tests.clear();
    let report = run(&fake, 2, &submission);
    assert_eq!((report.verdict, report.score), (AC, None));
}

#[test]
fn a_refused_compilation_runs_nothing() {
    let fake = Arc::new(Fake::new(|call| {
        assert!(call.compile);
        let text = |n: usize, c: u8| Captured { bytes: vec![c; n], truncated: false };
        let (stdout, stderr) = (text(60 << 10, b'o'), text(60 << 10, b'e'));
        Ok(Outcome { stdout, stderr, ..ended(Termination::Exited(1)) })
    }));
    let report = run(&fake, 2, &submission("c", 2, StopRule::RunAll));
    assert_eq!((report.verdict, report.score), (CE, None));
    assert_eq!(verdicts(&report), [SKIPPED, SKIPPED]);
    let compile = report.compile.unwrap();
    assert!(!compile.ok && compile.output_truncated);
    assert_eq!(compile.status, "exited with 1");
    let output = compile.output.read().unwrap();
    assert_eq!(output.len(), 64 << 10);
    assert_eq!(output.iter().filter(|b| **b == b'e').count(), 32 << 10);
}

#[test]
fn a_compiler_that_leaves_no_program_has_refused() {
    let fake = Arc::new(Fake::new(|call| {
        assert!(call.compile);
        Ok(said("a library"))
    }));
    let report = run(&fake, 1, &submission("c", 1, StopRule::RunAll));
    assert_eq!(report.verdict, CE);
    let compile = report.compile.unwrap();
    assert_eq!(
        (compile.ok, &compile.status[..]),
        (false, "left no program to run; is there a main?")
    );
}

/// Runs that end in an order given from outside.
#[derive(Default)]
struct Gate {
    open: Mutex<BTreeSet<usize>>,
    changed: Condvar,
}

impl Gate {
    fn let_go(&self, i: usize) {
        self.open.lock().unwrap().insert(i);
        self.changed.notify_all();
    }

    /// Waits for its turn or for being withdrawn.
    fn wait(&self, i: usize, cancel: &Cancel) -> bool {
        let mut open = self.open.lock().unwrap();
        loop {
            if cancel.is_cancelled() {
                return false;
            }
            if open.contains(&i) {
                return true;
            }
            open = self.changed.wait_timeout(open, Duration::from_millis(1)).unwrap().0;
        }
    }
}

/// Lets the runs end in `order`, each when the one before is finished.
struct Conductor {
    gate: Arc<Gate>,
    order: Mutex<Vec<usize>>,
    finished: Mutex<BTreeSet<usize>>,
}

impl Conductor {
    fn next(&self) {
        let finished = self.finished.lock().unwrap();
        let mut order = self.order.lock().unwrap();
        while let Some(next) = order.first().copied() {
            if !finished.contains(&next) {
                self.gate.let_go(next);
                return;
            }
            order.remove(0);
        }
    }
}

impl Observer for Conductor {
    fn on(&self, event: Event<'_>) {
        if let Event::Finished { index, .. } = event {
            self.finished.lock().unwrap().insert(index);
            self.next();
        }
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    (0..n)
        .flat_map(|at| {
            shorter.iter().map(move |p| {
                let mut p = p.clone();
                p.insert(at, n - 1);
                p
            })
        })
        .collect()
}

#[test]
fn the_first_failure_is_the_lowest_whatever_order_the_tests_end_in() {
    const N: usize = 4;
    let dir = tempfile::tempdir().unwrap();
    for order in permutations(N) {
        for failing in 0u32..1 << N {
            let gate = Arc::new(Gate::default());
            let all_in = Arc::new(Barrier::new(N));
            let script = {
                let (gate, all_in) = (Arc::clone(&gate), Arc::clone(&all_in));
                move |call: Call<'_>| {
                    if call.compile {
                        return Ok(said(""));
                    }
                    let i = number(&call);
                    // Every test is running before any ends.
                    all_in.wait();
                    if !gate.wait(i, call.cancel) {
                        return Ok(ended(Termination::Cancelled));
                    }
                    Ok(said(if failing >> i & 1 == 1 { "no" } else { "ok" }))
                }
            };
            let fake = Arc::new(Fake::new(script));
            let conductor =
                Conductor { gate, order: Mutex::new(order.clone()), finished: Mutex::default() };
            conductor.next();
            let judge = fake::judge(&fake, N, dir.path());
            let submission = submission("c", N, StopRule::FirstFailure);
            let never = Cancel::new().unwrap();
            let report = judge.execute_batch(&submission, &conductor, &never).unwrap();
            let first = (0..N).find(|i| failing >> i & 1 == 1);
            assert_eq!(report.first_failure, first, "{order:?} {failing:04b}");
            let expected: Vec<_> = (0..N)
                .map(|i| match first {
                    Some(first) if i == first => WA,
                    Some(first) if i > first => SKIPPED,
                    _ => AC,
                })
                .collect();
            assert_eq!(verdicts(&report), expected, "{order:?} {failing:04b}");
        }
    }
}

#[test]
fn after_a_failure_no_test_starts_and_those_behind_it_are_withdrawn() {
    let started = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&started);
    let both = Barrier::new(2);
    let fake = Arc::new(Fake::new(move |call| {
        if call.compile {
            return Ok(said(""));
        }
        let i = number(&call);
        seen.lock().unwrap().push(i);
        match i {
            0 => {
                both.wait();
                Ok(said("no"))
            }
            // Ends only because it is withdrawn.
            1 => {
                both.wait();
                call.until_cancelled()
            }
            _ => Ok(said("ok")),
        }
    }));
    let report = run(&fake, 2, &submission("c", 50, StopRule::FirstFailure));
    assert_eq!((report.verdict, report.first_failure), (WA, Some(0)));
    assert!(report.tests[1..].iter().all(|t| t.verdict == SKIPPED));
    assert_eq!(*started.lock().unwrap().iter().max().unwrap(), 1);
}

#[test]
fn a_withdrawn_batch_skips_what_has_not_finished() {
    let cancel = Cancel::new().unwrap();
    let flag = cancel.clone();
    let fake = Arc::new(Fake::new(move |call| {
        if call.compile {
            return Ok(said(""));
        }
        if number(&call) == 0 {
            return Ok(said("ok"));
        }
        flag.cancel();
        call.until_cancelled()
    }));
    let dir = tempfile::tempdir().unwrap();
    let judge = fake::judge(&fake, 1, dir.path());
    let report = judge.execute_batch(&submission("c", 3, StopRule::RunAll), &(), &cancel).unwrap();
    assert_eq!((report.verdict, verdicts(&report)), (SKIPPED, vec![AC, SKIPPED, SKIPPED]));
    let report = judge.execute_batch(&submission("c", 3, StopRule::RunAll), &(), &cancel).unwrap();
    assert_eq!(report.verdict, SKIPPED, "withdrawn before it began");
    assert_eq!(judge.slots().busy(), 0);
}

#[test]
fn a_sandbox_that_fails_once_is_tried_again_and_twice_is_the_judges_failure() {
    let tries = Arc::new(Mutex::new([0; 3]));
    let counted = Arc::clone(&tries);
    let fake = Arc::new(Fake::new(move |call| {
        if call.compile {
            return Ok(said(""));
        }
        let i = number(&call);
        let mut tries = counted.lock().unwrap();
        tries[i] += 1;
        match i {
            0 if tries[i] == 1 => Err(broken()),
            1 => Ok(said("no")),
            2 => Err(broken()),
            _ => Ok(said("ok")),
        }
    }));
    let report = run(&fake, 2, &submission("c", 3, StopRule::RunAll));
    assert_eq!(verdicts(&report), [AC, WA, IE]);
    assert_eq!((report.verdict, report.score), (IE, None), "never mixed with a wrong answer");
    assert_eq!(
        report.error.unwrap(),
        "test \"t2\": cannot run the program: the native engine failed: the slot is gone"
    );
    assert_eq!(*tries.lock().unwrap(), [2, 1, 2]);
    let report = run(&fake, 2, &submission("c", 3, StopRule::FirstFailure));
    assert_eq!(
        (report.verdict, report.error),
        (WA, None),
        "what comes after is as if it never ran"
    );
}

#[test]
fn a_compiler_box_that_fails_is_the_judges_failure() {
    let compiles = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&compiles);
    let fake = Arc::new(Fake::new(move |call| {
        assert!(call.compile);
        counted.fetch_add(1, Ordering::SeqCst);
        Err(broken())
    }));
    let report = run(&fake, 1, &submission("c", 1, StopRule::RunAll));
    assert_eq!((report.verdict, verdicts(&report)), (IE, vec![SKIPPED]));
    assert_eq!(report.error.unwrap(), "cannot compile: the native engine failed: the slot is gone");
    assert_eq!(compiles.load(Ordering::SeqCst), 2);
}

#[test]
fn simultaneous_equal_submissions_compile_once_and_the_next_process_not_at_all() {
    const N: usize = 6;
    let dir = tempfile::tempdir().unwrap();
    let compiles = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&compiles);
    let fake = Arc::new(Fake::new(move |call| {
        if call.compile {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Ok(said("ok"))
    }));
    let judge = fake::judge(&fake, 2, dir.path());
    let never = Cancel::new().unwrap();
    let same = submission("c", 1, StopRule::RunAll);
    std::thread::scope(|s| {
        for _ in 0..N {
            s.spawn(|| {
                let report = judge.execute_batch(&same, &(), &never).unwrap();
                assert_eq!(report.verdict, AC);
            });
        }
    });
    assert_eq!(compiles.load(Ordering::SeqCst), 1);
    drop(judge);
    let judge = fake::judge(&fake, 2, dir.path());
    let report = judge.execute_batch(&same, &(), &never).unwrap();
    assert!(report.compile.unwrap().cached);
    assert_eq!((compiles.load(Ordering::SeqCst), fake.probes()), (1, 1));
    let mut other = same.clone();
    other.files[0].contents = "another".into();
    assert!(!judge.execute_batch(&other, &(), &never).unwrap().compile.unwrap().cached);
    let cpp = submission("cpp17", 1, StopRule::RunAll);
    assert!(!judge.execute_batch(&cpp, &(), &never).unwrap().compile.unwrap().cached);
}

#[test]
fn extras_reach_compiler_and_program_and_tell_artefacts_apart() {
    let dir = tempfile::tempdir().unwrap();
    let names = |job: &sandbox::Job| -> Vec<String> {
        job.files.iter().map(|f| f.path.display().to_string()).collect()
    };
    let fake = Arc::new(Fake::new(move |call| {
        if call.compile {
            let options = ["-O3", "-DX=a b"].map(str::to_owned);
            let given: Vec<_> = call.job.argv.iter().filter(|a| options.contains(a)).collect();
            assert!(given.is_empty() || call.job.argv[6..8] == options, "{:?}", call.job.argv);
            assert_eq!(
                names(&call.job),
                ["main.x", "data/a.txt", "tool"].map(|n| match n {
                    "main.x" => "main.c".to_owned(),
                    n => n.to_owned(),
                })
            );
            return Ok(said("ok"));
        }
        assert_eq!(names(&call.job), ["data/a.txt", "tool"]);
        assert!(!call.job.files[0].executable && call.job.files[1].executable);
        let shell = ["/bin/sh", "-c", "exec \"$@\" 2>&1", "sh", "/box/main", "arg"];
        assert_eq!(call.job.argv, shell);
        Ok(said("ok"))
    }));
    let judge = fake::judge(&fake, 2, dir.path());
    let never = Cancel::new().unwrap();
    let cached = |submission: &Submission| {
        let report = judge.execute_batch(submission, &(), &never).unwrap();
        assert_eq!(report.verdict, AC);
        report.compile.unwrap().cached
    };
    let file = |name: &str, executable| ExtraFile {
        name: name.to_owned(),
        contents: "x".into(),
        executable,
    };
    let mut plain = submission("c", 1, StopRule::RunAll);
    plain.extras.files = vec![file("data/a.txt", false), file("tool", true)];
    plain.extras.merge_stderr = true;
    assert!(!cached(&plain));
    let mut options = plain.clone();
    options.extras.compiler_options = vec!["-O3".into(), "-DX=a b".into()];
    assert!(!cached(&options), "other options make another program");
    let mut merged = options.clone();
    merged.extras.files[0].contents = "y".into();
    assert!(!cached(&merged), "a file beside it may be part of it");
    assert!(cached(&options) && cached(&plain));
}

#[test]
fn a_refusal_is_shared_by_those_who_wait_and_forgotten_then() {
    let dir = tempfile::tempdir().unwrap();
    let compiles = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&compiles);
    let fake = Arc::new(Fake::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(ended(Termination::Exited(1)))
    }));
    let judge = fake::judge(&fake, 2, dir.path());
    let never = Cancel::new().unwrap();
    for round in 1..=2 {
        let report =
            judge.execute_batch(&submission("c", 1, StopRule::RunAll), &(), &never).unwrap();
        assert_eq!((report.verdict, compiles.load(Ordering::SeqCst)), (CE, round));
    }
}

#[test]
fn weights_and_scores_make_the_score() {
    let fake = Arc::new(Fake::new(|call| {
        Ok(if call.compile || number(&call) != 1 { said("ok") } else { said("no") })
    }));
    let mut submission = submission("c", 3, StopRule::RunAll);
    for (test, weight) in submission.tests.iter_mut().zip([1.0, 2.0, 5.0]) {
        test.weight = weight;
    }
    assert_eq!(run(&fake, 1, &submission).score, Some(0.75));
}

#[test]
fn a_test_may_have_its_own_arguments_and_checker_flags() {
    let fake = Arc::new(Fake::new(|call| {
        if !call.compile {
            let own = if number(&call) == 1 { &["arg", "own"][..] } else { &["arg"] };
            assert!(
                call.job.argv.ends_with(&own.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
            );
        }
        Ok(said("OK"))
    }));
    let mut submission = submission("c", 2, StopRule::RunAll);
    submission.checker = Checker::Tokens(crate::model::Tokens::default());
    submission.tests[1].args = vec!["own".into()];
    submission.tests[1].checker_args = vec!["case_sensitive".into()];
    let report = run(&fake, 1, &submission);
    assert_eq!(report.tests.iter().map(|t| t.verdict).collect::<Vec<_>>(), [AC, WA]);
}

#[test]
fn the_checker_sees_all_of_the_output_and_the_report_keeps_the_beginning() {
    let long = "x".repeat(2 << 20);
    let output = long.clone();
    let fake = Arc::new(Fake::new(move |_| Ok(said(&output))));
    let mut submission = submission("python3", 1, StopRule::RunAll);
    submission.tests[0].answer = Some(long.as_str().into());
    let report = run(&fake, 1, &submission);
    assert_eq!(report.verdict, AC);
    assert!(report.tests[0].stdout_truncated);
    assert_eq!(report.tests[0].stdout.read().unwrap().len(), 1 << 20);
}

fn with_checker(abi: Abi, tests: usize) -> Submission {
    let files = vec![SourceFile { name: "check.py".into(), contents: "check".into() }];
    let (entry, limits) = (None, LimitsSpec::default());
    let program =
        Program { language: "python3".into(), files, entry, args: vec!["-x".into()], limits };
    let mut submission = submission("c", tests, StopRule::RunAll);
    submission.checker = Checker::Custom { abi, program };
    for test in &mut submission.tests {
        test.checker_args = vec!["-y".into()];
    }
    submission
}

fn is_checker(call: &Call<'_>) -> bool {
    call.job.argv.iter().any(|a| a == "/box/check.py")
}

#[test]
fn a_custom_checker_is_asked_in_a_box_of_its_own() {
    let fake = Arc::new(Fake::new(|call| {
        if call.compile || !is_checker(&call) {
            return Ok(match number_or_zero(&call) {
                3 => ended(Termination::Exited(1)),
                _ => said("output"),
            });
        }
        let files: Vec<_> = call.job.files.iter().map(|f| f.path.display().to_string()).collect();
        assert_eq!(files, ["input", "answer", "feedback/judgemessage.txt"]);
        assert_eq!(call.stdin(), "output");
        let args = ["-x", "/w/input", "/w/answer", "/w/feedback/", "-y"];
        assert_eq!(call.job.argv[2..], args);
        let sandbox::Contents::Memory(input) = &call.job.files[0].contents else { panic!() };
        let code = match &input[..] {
            b"0" => 42,
            b"1" => 43,
            _ => 1,
        };
        let message = Collected {
            path: call.job.collect[0].path.clone(),
            contents: Ok(b"for the jury".to_vec()),
        };
        Ok(Outcome { files: vec![message], ..ended(Termination::Exited(code)) })
    }));
    let report = run(&fake, 2, &with_checker(Abi::Icpc, 4));
    assert_eq!(verdicts(&report), [AC, WA, IE, RE]);
    assert_eq!(report.verdict, IE);
    assert_eq!(report.tests[0].message.as_deref(), Some("for the jury"));
    assert!(report.error.unwrap().starts_with("test \"t2\": the checker exited with 1"));
}

#[test]
fn only_the_submission_is_at_the_place_of_tests() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let boxes = Arc::clone(&seen);
    let fake = Arc::new(Fake::new(move |call| {
        let test = !call.compile && !is_checker(&call);
        boxes.lock().unwrap().insert((test, call.job.aside));
        Ok(if test { said("output") } else { ended(Termination::Exited(0)) })
    }));
    assert_eq!(run(&fake, 1, &with_checker(Abi::Testlib, 2)).verdict, AC);
    let mut talking = with_checker(Abi::Testlib, 2);
    if let Checker::Custom { abi, program } = talking.checker {
        talking.checker = Checker::Interactive { abi, program };
    }
    assert_eq!(run(&fake, 2, &talking).verdict, AC);
    let seen: Vec<_> = seen.lock().unwrap().iter().copied().collect();
    assert_eq!(seen, [(false, true), (true, false)]);
}

fn number_or_zero(call: &Call<'_>) -> usize {
    call.stdin().parse().unwrap_or(0)
}

#[test]
fn a_testlib_checker_gets_the_output_by_name() {
    let fake = Arc::new(Fake::new(|call| {
        if call.compile || !is_checker(&call) {
            return Ok(said("output"));
        }
        assert_eq!(call.job.argv[2..], ["-x", "/w/input", "/w/output", "/w/answer", "-y"]);
        assert_eq!(call.job.files[2].path.to_str(), Some("output"));
        assert_eq!(call.stdin(), "");
        Ok(ended(Termination::Exited(0)))
    }));
    assert_eq!(run(&fake, 1, &with_checker(Abi::Testlib, 1)).verdict, AC);
}

#[test]
fn a_checker_that_does_not_compile_is_the_input_at_fault() {
    let fake = Arc::new(Fake::new(|call| {
        let checker = call.job.argv.iter().any(|a| a.ends_with("check.c"));
        let stderr = Captured { bytes: b"expected ';'".to_vec(), truncated: false };
        Ok(if checker { Outcome { stderr, ..ended(Termination::Exited(1)) } } else { said("ok") })
    }));
    let mut submission = with_checker(Abi::Icpc, 1);
    if let Checker::Custom { program, .. } = &mut submission.checker {
        program.language = "c".into();
        program.files[0].name = "check.c".into();
    }
    let dir = tempfile::tempdir().unwrap();
    let judge = fake::judge(&fake, 1, dir.path());
    let err = judge.execute_batch(&submission, &(), &Cancel::new().unwrap()).unwrap_err();
    assert_eq!(
        err.to_string(),
        "checker.program does not compile (exited with 1); mend it: expected ';'"
    );
}

#[test]
fn what_cannot_be_judged_as_written_starts_nothing() {
    let fake = Arc::new(Fake::new(|_| panic!("nothing is to be started")));
    let dir = tempfile::tempdir().unwrap();
    let judge = fake::judge(&fake, 1, dir.path());
    let submission = submission("cobol-85", 1, StopRule::RunAll);
    let err = judge.execute_batch(&submission, &(), &Cancel::new().unwrap()).unwrap_err();
    assert!(err.to_string().starts_with("language: unknown language \"cobol-85\""), "{err}");
    assert_eq!(fake.probes(), 0);
}

#[test]
fn every_event_is_told() {
    struct Log(Mutex<Vec<String>>);
    impl Observer for Log {
        fn on(&self, event: Event<'_>) {
            let line = match event {
                Event::Compiling => "compiling".to_owned(),
                Event::Compiled(report) => format!("compiled {}", report.ok),
                Event::Started { index } => format!("started {index}"),
                Event::Finished { index, report: TestReport { verdict, .. } } => {
                    format!("finished {index} {verdict}")
                }
            };
            self.0.lock().unwrap().push(line);
        }
    }
    let fake = Arc::new(Fake::new(|_| Ok(said("ok"))));
    let dir = tempfile::tempdir().unwrap();
    let judge = fake::judge(&fake, 1, dir.path());
    let log = Log(Mutex::default());
    judge
        .execute_batch(&submission("c", 1, StopRule::RunAll), &log, &Cancel::new().unwrap())
        .unwrap();
    let lines = log.0.into_inner().unwrap();
    assert_eq!(lines, ["compiling", "compiled true", "started 0", "finished 0 AC"]);
}

#[test]
fn a_batch_takes_slots_that_come_while_it_runs() {
    struct Grow<'a>(&'a Judge);
    impl Observer for Grow<'_> {
        fn on(&self, event: Event<'_>) {
            if matches!(event, Event::Finished { index: 0, .. }) {
                self.0.slots().resize(NonZeroUsize::new(2).unwrap());
            }
        }
    }
    let (runs, changed) = (Mutex::new(0), Condvar::new());
    let fake = Arc::new(Fake::new(move |call| {
        if call.compile {
            return Ok(said("ok"));
        }
        let mut runs = runs.lock().unwrap();
        *runs += 1;
        changed.notify_all();
        // The first one is alone; the other two wait for each other.
        let first = *runs == 1;
        let (runs, _) = changed
            .wait_timeout_while(runs, Duration::from_secs(10), |runs| !first && *runs < 3)
            .unwrap();
        Ok(said(if first || *runs == 3 { "ok" } else { "alone" }))
    }));
    let dir = tempfile::tempdir().unwrap();
    let judge = fake::judge(&fake, 1, dir.path());
    let never = Cancel::new().unwrap();
    let report =
        judge.execute_batch(&submission("c", 3, StopRule::RunAll), &Grow(&judge), &never).unwrap();
    assert_eq!(report.verdict, AC);
}
