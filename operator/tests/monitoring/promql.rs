//! What an expression reads: enough of PromQL to find names. Whether it is well formed, promtool says.

use std::collections::BTreeSet;

/// Everything that an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) selectors: Vec<Selector>,
    /// Labels of `by`, `on` and their like.
    pub(crate) grouped: BTreeSet<String>,
    /// Labels that `label_replace` makes.
    pub(crate) made: BTreeSet<String>,
}

/// Series that are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Label, operator, value.
    pub(crate) matchers: Vec<(String, String, String)>,
    pub(crate) range: Option<String>,
    /// The function that it stands in directly; empty for none.
    pub(crate) function: String,
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 7] = ["and", "or", "unless", "bool", "offset", "inf", "nan"];

/// Reads an expression.
pub(crate) fn read(expression: &str) -> Use {
    let mut uses = Use::default();
    let mut rest = expression;
    // A name before its parenthesis: `sum by (le) (`, too.
    let mut pending = "";
    let mut calls: Vec<&str> = Vec::new();
    while let Some(first) = rest.chars().next() {
        match first {
            '(' => {
                calls.push(std::mem::take(&mut pending));
                rest = &rest[1..];
            }
            ')' => {
                calls.pop();
                rest = &rest[1..];
            }
            '"' => {
                let (text, after) = string(rest);
                // label_replace(v, "new", …): the first text is the label that is made.
                if calls.last() == Some(&"label_replace") {
                    uses.made.insert(text.to_owned());
                    calls.pop();
                    calls.push("label_replace, its label known");
                }
                rest = after;
            }
            '0'..='9' => rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '.'),
            'a'..='z' | 'A'..='Z' | '_' => {
                let (name, after) = name(rest);
                let after = after.trim_start();
                rest = after;
                if GROUPING.contains(&name) {
                    if let Some((labels, after)) = list(after) {
                        uses.grouped.extend(labels);
                        rest = after;
                    }
                } else if OPERATORS.contains(&name) {
                    pending = "";
                } else if after.starts_with('(') || GROUPING.contains(&self::name(after).0) {
                    pending = name;
                } else {
                    let function = (*calls.last().unwrap_or(&"")).to_owned();
                    let (selector, after) = selector(name, function, after);
                    uses.selectors.push(selector);
                    rest = after;
                }
            }
            other => rest = &rest[other.len_utf8()..],
        }
    }
    uses
}

fn name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    text.split_at(end.unwrap_or(text.len()))
}

/// A text in quotation marks, without them, and what follows.
fn string(text: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let end = 1 + end.unwrap_or_else(|| panic!("a text without an end: {text}"));
    (&text[1..end], &text[end + 1..])
}

/// `(a, b)`, and what follows.
fn list(text: &str) -> Option<(Vec<String>, &str)> {
    let (inside, after) = text.strip_prefix('(')?.split_once(')')?;
    let names = inside.split(',').map(|name| name.trim().to_owned());
    Some((names.filter(|name| !name.is_empty()).collect(), after))
}

fn selector<'a>(metric: &str, function: String, text: &'a str) -> (Selector, &'a str) {
    let (mut matchers, mut range) = (Vec::new(), None);
    let mut rest = text;
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = name(rest);
            let (operator, after) = after.split_at(after.find('"').unwrap());
            let (value, after) = string(after);
            matchers.push((label.to_owned(), operator.trim().to_owned(), value.to_owned()));
            rest = after.trim_start_matches([',', ' ', '\n']);
        }
        rest = &rest[1..];
    }
    if let Some((inside, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        (range, rest) = (Some(inside.to_owned()), after);
    }
    (Selector { metric: metric.to_owned(), matchers, range, function }, rest)
}

#[test]
fn names_are_found() {
    let text = r#"max by (judgecluster) (label_replace(sum(rate(a_total{x="}\"",y=~"b"}[5m])) , "n", "$1", "m", "(.+)"))
        / on (q) group_left () up > 1e3 or absent(c{}) and d offset 5m"#;
    let uses = read(text);
    let names: Vec<&str> = uses.selectors.iter().map(|s| s.metric.as_str()).collect();
    assert_eq!(names, ["a_total", "up", "c", "d"]);
    let first = &uses.selectors[0];
    assert_eq!(first.function, "rate");
    assert_eq!(first.range.as_deref(), Some("5m"));
    let matcher = |l: &str, o: &str, v: &str| (l.to_owned(), o.to_owned(), v.to_owned());
    assert_eq!(first.matchers, [matcher("x", "=", "}\\\""), matcher("y", "=~", "b")]);
    assert_eq!(uses.grouped, ["judgecluster", "q"].map(str::to_owned).into());
    assert_eq!(uses.made, ["n".to_owned()].into());
}
