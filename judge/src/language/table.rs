//! The table of languages: its schema, its rules, and looking one up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sandbox::{Mount, Outcome, Termination};
use serde::Deserialize;

use super::{Host, command};
use crate::model::LimitsSpec;
use crate::yaml;

/// One language, as an entry of the table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Stable name, in reports and requests.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// Which image and which test suite it belongs to.
    pub tier: Tier,
    /// Other names: Judge0 ids and what people write.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Of its source files, without the dot. The first entry of the table that has one owns it.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Name of a single source that came without a name of these extensions.
    pub source: String,
    /// Folders in the box that are searched for programs before the usual ones.
    #[serde(default)]
    pub path: Vec<String>,
    /// Folders of the host that its boxes need beside the base system.
    #[serde(default)]
    pub mounts: Vec<MountRule>,
    /// Programs that must exist; the first is the toolchain whose version counts.
    pub needs: Vec<String>,
    /// Command that prints the version.
    pub version: Vec<String>,
    /// How it is compiled, if it is.
    #[serde(default)]
    pub compile: Option<Compile>,
    /// How it is run.
    pub run: Run,
    /// What its programs are granted over the limits of the submission.
    #[serde(default)]
    pub limits: Factors,
    /// Whether `/proc` is needed.
    #[serde(default)]
    pub proc: bool,
}

/// Which image and which test suite a language belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// In every worker.
    Core,
    /// In the large worker image.
    Full,
}

/// A folder of the host for the boxes of a language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountRule {
    /// Patterns of host paths (`~` is the home folder, `*` any name); the first that exists counts.
    pub from: Vec<String>,
    /// Where it is in the box.
    pub to: PathBuf,
}

/// How a language is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compile {
    /// The command; runs in `/w`, which holds the sources and becomes the artefact.
    pub argv: Vec<String>,
    /// Environment beside the usual one.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Over the usual limits of a compilation.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Whether the compiler needs `/proc`, even if its programs do not.
    #[serde(default)]
    pub proc: bool,
}

/// How a language is run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The command; runs in `/w`, which is empty, with the artefact at `/box`.
    pub argv: Vec<String>,
    /// Environment beside the usual one.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How a runtime ends that has no memory left, when it notices before the kernel does.
    #[serde(default)]
    pub out_of_memory: Option<OutOfMemory>,
}

/// The ending of a runtime that has no memory left; what is given must all be so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutOfMemory {
    /// It exits with this code.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// This signal ends it.
    #[serde(default)]
    pub signal: Option<i32>,
    /// It says this on standard error.
    #[serde(default)]
    pub stderr: Option<String>,
}

/// What the programs of a language are granted over the limits of the submission.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Factors {
    /// CPU and clock time are multiplied by this.
    pub cpu_factor: f64,
    /// Then this much CPU time is added: the start of a virtual machine.
    pub cpu_extra_ms: u64,
    /// Added to the memory limit.
    pub memory_extra_bytes: u64,
    /// The least number of processes that is granted.
    pub processes: u32,
}

impl Default for Factors {
    fn default() -> Self {
        Self { cpu_factor: 1.0, cpu_extra_ms: 0, memory_extra_bytes: 0, processes: 1 }
    }
}

/// The languages, in the order in which they are listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Table(Vec<Language>);

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read languages from {path:?}")]
    Read {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not YAML, or not of the schema.
    #[error("{origin} is not a list of languages")]
    Schema {
        /// The file.
        origin: String,
        /// Line and field.
        #[source]
        source: yaml::Error,
    },
    /// An entry breaks a rule.
    #[error("{origin}: language {id:?}: {field} {problem}")]
    Rule {
        /// The file.
        origin: String,
        /// The entry.
        id: String,
        /// Its field.
        field: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// No language has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown language {name:?}{}; `evalx languages` lists what there is", hint(.suggestions))]
pub struct UnknownLanguage {
    /// What was asked for.
    pub name: String,
    /// Names that look like it.
    pub suggestions: Vec<String>,
}

fn hint(suggestions: &[String]) -> String {
    match suggestions {
        [] => String::new(),
        some => format!(", did you mean {}?", some.join(" or ")),
    }
}

impl Table {
    /// The table that comes with evalX.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn builtin() -> Self {
        let languages = read("languages.yaml", include_str!("languages.yaml"))
            .expect("the embedded table is read by a test");
        Self(languages)
    }

    /// A table of a test, which does not change with the data that users get.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(read("test", text).unwrap())
    }

    /// The built-in table, with the entries of the `*.yaml` files in `dir` (in the order of their
    /// names) in place of those of the same id, or added. A later entry takes over an alias.
    ///
    /// # Errors
    /// The file and the field that cannot be used.
    pub fn extended(dir: &Path) -> Result<Self, TableError> {
        let unreadable = |source| TableError::Read { path: dir.to_owned(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                files.push(path);
            }
        }
        files.sort();
        let mut table = Self::builtin();
        for path in files {
            let text = fs::read_to_string(&path)
                .map_err(|source| TableError::Read { path: path.clone(), source })?;
            for language in read(&path.display().to_string(), &text)? {
                table.check_mounts(&language, &path)?;
                table.put(language);
            }
        }
        Ok(table)
    }

    /// The folders that an engine must be made with so that every language found on `host` runs.
    #[must_use]
    pub fn mounts(&self, host: &Host) -> Vec<Mount> {
        let located = self.iter().filter_map(|l| l.locate(host).ok());
        let mounts: BTreeSet<Mount> = located.flat_map(|t| t.mounts).collect();
        mounts.into_iter().collect()
    }

    /// The language of this id or alias, upper and lower case alike; ids win.
    ///
    /// # Errors
    /// When there is none, with names that look like it.
    pub fn get(&self, name: &str) -> Result<&Language, UnknownLanguage> {
        let name = name.trim();
        self.iter()
            .find(|l| l.id.eq_ignore_ascii_case(name))
            .or_else(|| {
                self.iter().find(|l| l.aliases.iter().any(|a| a.eq_ignore_ascii_case(name)))
            })
            .ok_or_else(|| self.unknown(name))
    }

    /// The language that owns this extension (without the dot).
    #[must_use]
    pub fn by_extension(&self, extension: &str) -> Option<&Language> {
        self.iter().find(|l| l.owns(extension))
    }

    /// All languages, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Language> {
        self.0.iter()
    }

    /// All boxes of an engine have the same mounts, so one place in the box is one folder.
    fn check_mounts(&self, language: &Language, origin: &Path) -> Result<(), TableError> {
        let others = self.iter().filter(|l| l.id != language.id);
        for theirs in others.flat_map(|l| &l.mounts) {
            if language.mounts.iter().any(|m| m.to == theirs.to && m.from != theirs.from) {
                return Err(TableError::Rule {
                    origin: origin.display().to_string(),
                    id: language.id.clone(),
                    field: "mounts",
                    problem: format!(
                        "has another folder at {:?} than a language before",
                        theirs.to
                    ),
                });
            }
        }
        Ok(())
    }

    fn put(&mut self, language: Language) {
        for other in &mut self.0 {
            other.aliases.retain(|a| !language.aliases.iter().any(|b| a.eq_ignore_ascii_case(b)));
        }
        match self.0.iter_mut().find(|l| l.id == language.id) {
            Some(old) => *old = language,
            None => self.0.push(language),
        }
    }

    fn unknown(&self, name: &str) -> UnknownLanguage {
        let wanted = name.to_ascii_lowercase();
        let mut near: Vec<(usize, &str)> = self
            .iter()
            .filter_map(|l| {
                let names = std::iter::once(&l.id).chain(&l.aliases);
                let distance = names.map(|n| distance(&n.to_ascii_lowercase(), &wanted)).min()?;
                (distance <= 2 && distance < wanted.len()).then_some((distance, l.id.as_str()))
            })
            .collect();
        near.sort_unstable();
        let suggestions = near.into_iter().take(3).map(|(_, id)| id.to_owned()).collect();
        // A name is the user's and may be of any length.
        UnknownLanguage { name: name.chars().take(64).collect(), suggestions }
    }
}

impl Language {
    /// Whether files of this extension (without the dot) are its sources.
    #[must_use]
    pub fn owns(&self, extension: &str) -> bool {
        self.extensions.iter().any(|e| e == extension)
    }

    /// Whether a file of this name is one of its sources.
    #[must_use]
    pub fn owns_file(&self, name: &str) -> bool {
        Path::new(name).extension().and_then(|e| e.to_str()).is_some_and(|e| self.owns(e))
    }

    /// Whether a run ended as its runtime does that has no memory left.
    #[must_use]
    pub fn says_out_of_memory(&self, outcome: &Outcome) -> bool {
        let Some(OutOfMemory { exit_code, signal, stderr }) = &self.run.out_of_memory else {
            return false;
        };
        let ended = match outcome.termination {
            Termination::Exited(code) => signal.is_none() && exit_code.is_none_or(|c| c == code),
            Termination::Signalled(s) => exit_code.is_none() && signal.is_none_or(|t| t == s),
            _ => false,
        };
        let says =
            |text: &String| outcome.stderr.bytes.windows(text.len()).any(|w| w == text.as_bytes());
        ended && stderr.as_ref().is_none_or(says)
    }

    fn check(&self, origin: &str) -> Result<(), TableError> {
        let rule = |field, problem: String| {
            Err(TableError::Rule { origin: origin.to_owned(), id: self.id.clone(), field, problem })
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-._".contains(c);
        if self.id.is_empty() || !self.id.chars().all(plain) {
            return rule("id", "may hold a-z, 0-9 and + - . _ only".to_owned());
        }
        if !self.owns_file(&self.source) || self.source.contains('/') {
            return rule(
                "source",
                format!("must be a file name with one of {:?}", self.extensions),
            );
        }
        if self.needs.is_empty() {
            return rule("needs", "must name at least the compiler or interpreter".to_owned());
        }
        if let Some(dir) = self.path.iter().find(|p| !p.starts_with('/')) {
            return rule("path", format!("has {dir:?}, which is not absolute"));
        }
        if let Some(mount) = self.mounts.iter().find(|m| !m.to.is_absolute() || m.from.is_empty()) {
            return rule("mounts", format!("has {:?}: needs from, and an absolute to", mount.to));
        }
        let blank = |o: &OutOfMemory| {
            let OutOfMemory { exit_code, signal, stderr } = o;
            let says = stderr.as_ref().is_some_and(|s| !s.is_empty());
            (exit_code.is_none() && signal.is_none() && !says) || *exit_code == Some(0)
        };
        if self.run.out_of_memory.as_ref().is_some_and(blank) {
            let problem = "needs an exit_code other than 0, a signal, or a text on stderr";
            return rule("run.out_of_memory", problem.to_owned());
        }
        let commands = [
            ("version", Some(&self.version)),
            ("compile.argv", self.compile.as_ref().map(|c| &c.argv)),
            ("run.argv", Some(&self.run.argv)),
        ];
        for (field, argv) in commands {
            if let Some(Err(problem)) = argv.map(|argv| command::check(argv)) {
                return rule(field, problem);
            }
        }
        if !(self.limits.cpu_factor.is_finite() && (0.1..=100.0).contains(&self.limits.cpu_factor))
        {
            return rule("limits.cpu_factor", "must be between 0.1 and 100".to_owned());
        }
        Ok(())
    }
}

fn read(origin: &str, text: &str) -> Result<Vec<Language>, TableError> {
    let languages: Vec<Language> = yaml::from_str(text)
        .map_err(|source| TableError::Schema { origin: origin.to_owned(), source })?;
    let mut names = BTreeSet::new();
    for language in &languages {
        language.check(origin)?;
        for name in std::iter::once(&language.id).chain(&language.aliases) {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(TableError::Rule {
                    origin: origin.to_owned(),
                    id: language.id.clone(),
                    field: "aliases",
                    problem: format!("has {name:?}, which another entry or line has already"),
                });
            }
        }
    }
    Ok(languages)
}

/// Levenshtein distance, a row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOY: &str = r#"
- id: toy
  name: Toy
  tier: full
  aliases: [cpp, "99"]
  extensions: [toy]
  source: main.toy
  needs: [toy]
  version: [toy, -v]
  run: {argv: [toy, "{files}"]}
"#;

    #[test]
    fn the_embedded_table_is_sound() {
        let table = Table::builtin();
        assert!(table.iter().count() >= 3);
        assert_eq!(table.get("54").unwrap().id, "cpp17");
        assert_eq!(table.get(" C++17 ").unwrap().id, "cpp17");
        assert_eq!(table.by_extension("py").unwrap().id, "python3");
        assert_eq!(table.by_extension("exe"), None);
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let err = Table::builtin().get("pyton3").unwrap_err();
        assert_eq!(err.suggestions, ["python3"]);
        assert_eq!(
            err.to_string(),
            "unknown language \"pyton3\", did you mean python3?; `evalx languages` lists what there is"
        );
        assert!(Table::builtin().get("brainfuck").unwrap_err().suggestions.is_empty());
        assert_eq!(Table::builtin().get(&"x".repeat(1 << 20)).unwrap_err().name.len(), 64);
    }

    #[test]
    fn a_folder_replaces_adds_and_takes_over_aliases() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("toy.yaml"), TOY).unwrap();
        fs::write(dir.path().join("note.txt"), "not YAML: [").unwrap();
        let table = Table::extended(dir.path()).unwrap();
        assert_eq!(table.get("cpp").unwrap().id, "toy");
        assert_eq!(table.get("cpp17").unwrap().id, "cpp17");
        fs::write(dir.path().join("z.yaml"), TOY.replace("Toy", "Toy 2")).unwrap();
        let table = Table::extended(dir.path()).unwrap();
        assert_eq!(table.get("toy").unwrap().name, "Toy 2");
    }

    #[test]
    fn a_broken_entry_names_the_file_and_the_field() {
        let cases = [
            ("id: toy", "id: Toy!", "id may hold a-z"),
            ("source: main.toy", "source: main", "source must be a file name"),
            ("needs: [toy]", "needs: []", "needs must name"),
            ("version: [toy, -v]", "version: []", "version is empty"),
            ("\"{files}\"", "\"{fils}\"", "run.argv has an unknown placeholder {fils}"),
            ("\"{files}\"", "\"-x{files}\"", "run.argv has {files} inside"),
            ("run: {", "run: {out_of_memory: {exit_code: 0}, ", "run.out_of_memory needs an"),
            ("run: {", "run: {out_of_memory: {stderr: ''}, ", "run.out_of_memory needs an"),
            ("\"99\"", "CPP", "aliases has \"CPP\""),
            ("  needs", "  path: [bin]\n  needs", "path has \"bin\""),
            ("  needs", "  limits: {cpu_factor: 0}\n  needs", "limits.cpu_factor must be"),
            ("  needs", "  mounts: [{from: [], to: /x}]\n  needs", "mounts has"),
        ];
        for (old, new, expected) in cases {
            let err = read("toy.yaml", &TOY.replace(old, new)).unwrap_err().to_string();
            assert!(err.starts_with("toy.yaml: ") && err.contains(expected), "{new}: {err}");
        }
        let err = read("toy.yaml", &TOY.replace("tier", "teir")).unwrap_err();
        let chain = format!("{err}: {}", std::error::Error::source(&err).unwrap());
        assert!(chain.contains("unknown field `teir`") && chain.contains("line"), "{chain}");
    }

    #[test]
    fn one_place_in_the_box_is_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mounted = |from| {
            TOY.replace("  needs", &format!("  mounts: [{{from: [{from}], to: /x}}]\n  needs"))
        };
        fs::write(dir.path().join("a.yaml"), mounted("/a")).unwrap();
        let other = mounted("/b").replace("id: toy", "id: joy");
        fs::write(dir.path().join("b.yaml"), other).unwrap();
        let err = Table::extended(dir.path()).unwrap_err().to_string();
        assert!(err.contains("another folder at \"/x\""), "{err}");
    }

    #[test]
    fn a_runtime_out_of_memory_is_known_by_all_that_is_given() {
        let says = |rule: &str, termination, stderr: &str| {
            let text = TOY.replace("run: {", &format!("run: {{out_of_memory: {rule}, "));
            let language = read("toy.yaml", &text).unwrap().remove(0);
            let mut outcome = crate::fake::ended(termination);
            outcome.stderr.bytes = stderr.into();
            language.says_out_of_memory(&outcome)
        };
        assert!(says("{exit_code: 3}", Termination::Exited(3), ""));
        assert!(!says("{exit_code: 3}", Termination::Exited(1), ""));
        assert!(!says("{exit_code: 3}", Termination::Signalled(3), ""));
        assert!(says("{signal: 6, stderr: heap}", Termination::Signalled(6), "the heap is full"));
        assert!(!says("{signal: 6, stderr: heap}", Termination::Signalled(6), ""));
        assert!(says("{stderr: heap}", Termination::Exited(1), "heap"));
        assert!(!says("{stderr: heap}", Termination::WallLimit, "heap"));
    }

    #[test]
    fn distances_are_counted_in_edits() {
        let cases = [
            ("", "", 0),
            ("a", "", 1),
            ("abc", "abc", 0),
            ("abc", "acb", 2),
            ("kitten", "sitting", 3),
        ];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
