//! The patterns of `submissions.yaml`: `*` within a name, and `{a,b}`.

/// Whether the pattern matches the path or a folder above it.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    expand(pattern).iter().any(|pattern| {
        let mut names = path.split('/');
        pattern.split('/').all(|part| names.next().is_some_and(|name| name_matches(part, name)))
    })
}

/// The patterns without braces that one with braces stands for. Braces that are not closed are
/// text.
fn expand(pattern: &str) -> Vec<String> {
    // Each pair of braces multiplies the patterns; more than this is no honest file.
    const MAX: usize = 1024;
    let mut done = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, inside, after)) = braces(rest) {
        let pieces = done.iter().flat_map(|start| {
            inside.split(',').map(move |choice| format!("{start}{before}{choice}"))
        });
        done = pieces.take(MAX).collect();
        rest = after;
    }
    done.iter().map(|start| format!("{start}{rest}")).collect()
}

fn braces(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (inside, after) = rest.split_once('}')?;
    Some((before, inside, after))
}

/// `*` is any part of a name.
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((start, mut rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    while let Some((middle, after)) = rest.split_once('*') {
        let Some(at) = name.find(middle) else { return false };
        name = &name[at + middle.len()..];
        rest = after;
    }
    name.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_a_path_or_what_is_above_it() {
        for (pattern, path, expected) in [
            ("accepted", "accepted/a.py", true),
            ("accepted/*", "accepted/a.py", true),
            ("accepted/*", "accepted/dir/a.py", true),
            ("*", "accepted/a.py", true),
            ("accepted/*.py", "accepted/a.cpp", false),
            ("accepted/a*b*c", "accepted/aXbYc", true),
            ("accepted/a*b*c", "accepted/acb", false),
            ("accepted/ab*ba", "accepted/aba", false),
            ("accepted/{a,b}.{py,cpp}", "accepted/b.cpp", true),
            ("accepted/{a,b}.{py,cpp}", "accepted/c.cpp", false),
            ("accepted/a.py/x", "accepted/a.py", false),
            ("accept", "accepted/a.py", false),
            ("secret/*-easy", "secret/01-easy", true),
            ("secret/group1", "secret/group1/01", true),
            ("a{b", "a{b", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern:?} {path:?}");
        }
    }
}
