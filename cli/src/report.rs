//! A report for people: a table of the tests and a line that sums it up.

use std::time::Duration;

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use judge::model::{Again, Blob, CompileReport, OtherRun, Report, StageTimes, TestReport, Verdict};
use sandbox::Bytes;

use crate::output::{BOLD, DIM, Voice, clean, styled, verdict, verdict_color};

/// Width where no terminal says its own.
const WIDTH: u16 = 80;

/// A terminal that says less does not know its width (a new pseudo-terminal says 0).
const NARROWEST: u16 = 40;

/// Characters of a message that are shown; `-o json` has all of it.
const MESSAGE: usize = 160;

/// The report of one submission.
pub(crate) fn table(report: &Report, voice: Voice) -> String {
    let mut out = String::new();
    if let Some(compile) = &report.compile {
        out.push_str(&compiler(compile));
    }
    if !report.tests.is_empty() && !voice.quiet() && report.verdict != Verdict::CompileError {
        let mut table = empty(&["#", "test", "verdict", "CPU", "wall", "memory", ""]);
        for (index, test) in report.tests.iter().enumerate() {
            table.add_row(row(index, test));
        }
        for column in [0, 3, 4, 5] {
            right(&mut table, column);
        }
        out.push_str(&format!("{}\n", trimmed(&table)));
    }
    out.push_str(&summary(report));
    out
}

/// A table with a dim header and no lines.
pub(crate) fn empty(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.enforce_styling();
    if table.width().is_none_or(|width| width < NARROWEST) {
        table.set_width(WIDTH);
    }
    table.set_header(header.iter().map(|title| match *title {
        "" => Cell::new(""),
        title => Cell::new(title).add_attribute(Attribute::Dim),
    }));
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table
}

/// Numbers stand on the right.
pub(crate) fn right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// The table without the blanks at the end of its lines, those inside a style among them.
pub(crate) fn trimmed(table: &Table) -> String {
    const RESET: &str = "\u{1b}[0m";
    let lines = table.lines().map(|line| {
        let line = line.trim_end();
        match line.strip_suffix(RESET) {
            Some(styled) => format!("{}{RESET}\n", styled.trim_end()),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// A verdict as a cell.
pub(crate) fn verdict_cell(verdict: Verdict) -> Cell {
    let color = match verdict_color(verdict) {
        anstyle::AnsiColor::Green => Color::DarkGreen,
        anstyle::AnsiColor::Red => Color::DarkRed,
        anstyle::AnsiColor::Yellow => Color::DarkYellow,
        anstyle::AnsiColor::Blue => Color::DarkBlue,
        anstyle::AnsiColor::Magenta => Color::DarkMagenta,
        _ => Color::DarkGrey,
    };
    Cell::new(verdict).fg(color).add_attribute(Attribute::Bold)
}

/// A time in the unit that suits it.
pub(crate) fn time(ms: f64) -> String {
    let ms = ms.max(0.0);
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", Duration::from_secs_f64(ms / 1000.0).as_secs_f64()),
    }
}

/// The first lines of a message, on one line.
pub(crate) fn brief(text: &str) -> String {
    let line = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Why a test ended as it did: how the program ended, else what the checker says; and whether it ran
/// again.
pub(crate) fn why(test: &TestReport) -> String {
    let said = [test.status.clone(), test.message.clone(), test.again.as_ref().map(again)];
    brief(&said.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn again(again: &Again) -> String {
    let Again { because, other } = again;
    match other {
        Some(OtherRun { verdict, cpu_ms, wall_ms: _ }) => {
            format!("ran twice, since {because}; the other run: {verdict}, {}", time(*cpu_ms))
        }
        None => format!("its time is in doubt: {because}"),
    }
}

fn row(index: usize, test: &TestReport) -> Vec<Cell> {
    let ran = test.verdict != Verdict::Skipped;
    let number = |text: String| Cell::new(if ran { text } else { String::new() });
    vec![
        Cell::new(index + 1).add_attribute(Attribute::Dim),
        Cell::new(brief(&test.name)),
        verdict_cell(test.verdict),
        number(time(test.cpu_ms)),
        number(time(test.wall_ms)),
        number(Bytes(test.memory_bytes).to_string()),
        Cell::new(why(test)),
    ]
}

/// What the compiler said, when it refused or warned.
fn compiler(compile: &CompileReport) -> String {
    let said = text(&compile.output);
    let cut = if compile.output_truncated { "\n… (more was cut off)" } else { "" };
    match (compile.ok, said.trim_end()) {
        (true, _) => String::new(),
        (false, "") => format!("{}\n\n", clean(&compile.status)),
        (false, said) => format!("{said}{cut}\n\n{}\n\n", clean(&compile.status)),
    }
}

fn text(blob: &Blob) -> String {
    blob.read().map(|bytes| clean(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
}

fn summary(report: &Report) -> String {
    let accepted = report.tests.iter().filter(|t| t.verdict == Verdict::Accepted).count();
    let mut parts = vec![verdict(report.verdict)];
    if !report.tests.is_empty() {
        parts.push(format!("{accepted} of {} accepted", report.tests.len()));
    }
    if let Some(score) = report.score {
        parts.push(styled(BOLD, format_args!("score {}", short(score))));
    }
    let StageTimes { compile_ms, set_up_ms: _, run_ms, check_ms, total_ms } = report.times;
    let cached = report.compile.as_ref().is_some_and(|c| c.cached);
    let mut stages = Vec::new();
    if report.compile.is_some() {
        let note = if cached { " (cached)" } else { "" };
        stages.push(format!("compile {}{note}", time(compile_ms)));
    }
    stages.push(format!("run {}", time(run_ms)));
    stages.push(format!("check {}", time(check_ms)));
    stages.push(format!("total {}", time(total_ms)));
    parts.push(styled(DIM, stages.join(" · ")));
    format!("{}\n", parts.join("  "))
}

/// A score without the noise of binary fractions.
pub(crate) fn short(score: f64) -> String {
    let text = format!("{score:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_scores_are_short() {
        let times = [-1.0, 0.04, 9.96, 12.3, 999.4, 1234.0, 3_600_000.0].map(time);
        let expected = ["0.0 ms", "0.0 ms", "10.0 ms", "12 ms", "999 ms", "1.23 s", "3600.00 s"];
        assert_eq!(times, expected);
        assert_eq!([0.0, 1.0, 1.0 / 3.0, 100.0].map(short), ["0", "1", "0.3333", "100"]);
    }

    #[test]
    fn a_test_that_ran_twice_says_so() {
        let because = "it waited for a CPU for 33 % of the time".to_owned();
        let other = OtherRun { verdict: Verdict::TimeLimit, cpu_ms: 1000.4, wall_ms: 1500.0 };
        let twice = Again { because, other: Some(other) };
        assert_eq!(
            again(&twice),
            "ran twice, since it waited for a CPU for 33 % of the time; the other run: TLE, 1.00 s"
        );
        let once = Again { other: None, ..twice };
        assert_eq!(again(&once), "its time is in doubt: it waited for a CPU for 33 % of the time");
    }

    #[test]
    fn a_message_is_one_line_and_cannot_drive_the_terminal() {
        assert_eq!(brief("wrong\n\tanswer\x1b[1m"), "wrong answer\\u{1b}[1m");
        assert_eq!(brief(&"é".repeat(500)).chars().count(), MESSAGE + 1);
    }
}
