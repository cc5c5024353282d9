//! Endings in words, for reports.

use sandbox::{Limits, Termination, Usage};

use crate::model::Verdict;

/// How a run ended.
pub(crate) fn words(termination: Termination) -> String {
    match termination {
        Termination::Exited(code) => format!("exited with {code}"),
        Termination::Signalled(signal) => match signal_name(signal) {
            Some(name) => format!("was ended by signal {signal} ({name})"),
            None => format!("was ended by signal {signal}"),
        },
        Termination::CpuLimit => "used more CPU time than granted".to_owned(),
        Termination::WallLimit => "was still running when the clock ran out".to_owned(),
        Termination::MemoryLimit => "needed more memory than granted".to_owned(),
        Termination::OutputLimit => "wrote more than granted".to_owned(),
        Termination::ForbiddenCall => "made a forbidden system call".to_owned(),
        Termination::Cancelled => "was withdrawn".to_owned(),
    }
}

/// How a judged run ended, with the limit it met; `None` when there is nothing to say.
pub(crate) fn judged(
    verdict: Verdict,
    termination: Termination,
    usage: &Usage,
    limits: &Limits,
) -> Option<String> {
    let seconds = |d: std::time::Duration| format!("{} s", d.as_secs_f64());
    Some(match verdict {
        Verdict::TimeLimit => format!(
            "used {:.3} s of CPU time; the limit is {}",
            usage.cpu.as_secs_f64(),
            seconds(limits.cpu)
        ),
        Verdict::IdlenessLimit => format!(
            "took {:.3} s but used only {:.3} s of CPU time; the limit on the clock is {}",
            usage.wall.as_secs_f64(),
            usage.cpu.as_secs_f64(),
            seconds(limits.wall)
        ),
        Verdict::MemoryLimit => format!("needed more than {} of memory", limits.memory),
        Verdict::OutputLimit => format!(
            "wrote more than {}, or a file of more than {}",
            limits.output, limits.file_size
        ),
        _ if termination == Termination::Exited(0) => return None,
        _ => words(termination),
    })
}

/// An error with its sources, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line.push_str(": ");
        line.push_str(&source.to_string());
        next = source.source();
    }
    line
}

/// The usual names (signal(7), the numbers of x86 and ARM).
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}
