//! The source files of a program: named, counted, read, and which of them starts.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use sandbox::{Bytes, Contents, InputFile};

use super::{Invalid, Reason, size};
use crate::language::{Language, uses};
use crate::model::{Blob, ExtraFile, Extras, SourceFile};

/// Names appear in the compiler's command, which an engine passes in one message.
const FILES_MAX: usize = 256;
const NAME_MAX: usize = 160;
/// Each is written before each run.
const BESIDE_MAX: usize = 1000;
const BESIDE_BYTES: Bytes = Bytes::mib(32);

/// Sources that can be built: in memory, so that what is compiled is what the cache knows it by.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) files: Vec<InputFile>,
    /// Names of those with an extension of the language.
    pub(crate) names: Vec<String>,
    /// The file or class that starts.
    pub(crate) entry: String,
    /// Options for the compiler.
    pub(crate) options: Vec<String>,
    /// Files beside them, which are in the working folder of each run, too.
    pub(crate) beside: Vec<InputFile>,
}

impl Sources {
    pub(super) fn read(
        files: &[SourceFile],
        entry: Option<&str>,
        language: &Language,
        max: Bytes,
    ) -> Result<Self, Invalid> {
        if files.is_empty() {
            return Err(Reason::NoSource.at("files"));
        }
        if files.len() > FILES_MAX {
            return Err(Reason::TooMany { count: files.len(), max: FILES_MAX }.at("files"));
        }
        let mut names: Vec<&str> = Vec::with_capacity(files.len());
        for (i, file) in files.iter().enumerate() {
            let at = format!("files[{i}].name");
            check_name(&file.name).map_err(|e| e.at(&at))?;
            if let Some(other) = names.iter().position(|n| clash(n, &file.name)) {
                let other = format!("files[{other}]");
                return Err(Reason::Taken { name: file.name.clone(), other }.at(at));
            }
            names.push(&file.name);
        }
        let mut entry = entry;
        if names.len() == 1 && !language.owns_file(names[0]) {
            // A single file without a name that the compiler would take.
            entry = entry.filter(|e| *e != names[0]);
            names[0] = &language.source;
        }
        let entry = start(entry, &names, language)?;
        let files = contents(files, &names, &entry, language, max)?;
        let names = names.into_iter().filter(|n| language.owns_file(n)).map(str::to_owned);
        let (options, beside) = (Vec::new(), Vec::new());
        Ok(Self { files, names: names.collect(), entry, options, beside })
    }

    /// Adds what few submissions ask for.
    pub(super) fn with(mut self, extras: &Extras, language: &Language) -> Result<Self, Invalid> {
        let Extras { compiler_options, files, merge_stderr: _ } = extras;
        let takes = language.compile.as_ref().is_some_and(|c| uses(&c.argv, "options"));
        if !compiler_options.is_empty() && !takes {
            let language = language.name.clone();
            return Err(Reason::Options { language }.at("extras.compiler_options"));
        }
        if files.len() > BESIDE_MAX {
            let reason = Reason::TooMany { count: files.len(), max: BESIDE_MAX };
            return Err(reason.at("extras.files"));
        }
        let mut taken: BTreeSet<PathBuf> = self.files.iter().map(|f| f.path.clone()).collect();
        let mut left = BESIDE_BYTES.0;
        for (i, file) in files.iter().enumerate() {
            let ExtraFile { name, contents, executable } = file;
            let at = format!("extras.files[{i}]");
            check_name(name).map_err(|e| e.at(format!("{at}.name")))?;
            let path = PathBuf::from(name);
            // Neither the same, nor one a folder of the other.
            let clash = path.ancestors().any(|above| taken.contains(above))
                || taken.range(path.clone()..).next().is_some_and(|p| p.starts_with(&path));
            if clash {
                let (name, other) = (name.clone(), "another file".to_owned());
                return Err(Reason::Taken { name, other }.at(format!("{at}.name")));
            }
            let bytes = read(contents, left).map_err(|e| e.at(format!("{at}.contents")))?;
            let bytes = bytes.map_err(|len| {
                let bytes = Bytes((BESIDE_BYTES.0 - left).saturating_add(len));
                let reason = Reason::TooLarge { name: name.clone(), bytes, max: BESIDE_BYTES };
                reason.at(format!("{at}.contents"))
            })?;
            left -= bytes.len() as u64;
            let contents = Contents::Memory(bytes);
            self.beside.push(InputFile { path: path.clone(), contents, executable: *executable });
            taken.insert(path);
        }
        self.options.clone_from(compiler_options);
        Ok(self)
    }

    /// All files that are there when it is compiled.
    pub(crate) fn all(&self) -> impl Iterator<Item = &InputFile> {
        self.files.iter().chain(&self.beside)
    }
}

fn contents(
    files: &[SourceFile],
    names: &[&str],
    entry: &str,
    language: &Language,
    max: Bytes,
) -> Result<Vec<InputFile>, Invalid> {
    let mut left = max.0;
    let mut out = Vec::with_capacity(files.len());
    for (i, (file, name)) in files.iter().zip(names).enumerate() {
        let name = (*name).to_owned();
        let at = || format!("files[{i}].contents");
        let bytes = read(&file.contents, left).map_err(|e| e.at(at()))?;
        let bytes = bytes.map_err(|len| {
            let bytes = Bytes((max.0 - left).saturating_add(len));
            Reason::TooLarge { name: name.clone(), bytes, max }.at(at())
        })?;
        left -= bytes.len() as u64;
        if bytes.is_empty() && (name == entry || files.len() == 1) {
            return Err(Reason::Empty { name }.at(at()));
        }
        if let Some(nul) = bytes.iter().position(|b| *b == 0).filter(|_| language.owns_file(&name))
        {
            return Err(Reason::Binary { name, at: nul }.at(at()));
        }
        let contents = Contents::Memory(bytes);
        out.push(InputFile { path: name.into(), contents, executable: false });
    }
    Ok(out)
}

/// The bytes, or how many there are when that is more than `left`.
fn read(blob: &Blob, left: u64) -> Result<Result<Arc<[u8]>, u64>, Reason> {
    let (len, path) = match blob {
        Blob::Memory(bytes) if bytes.len() as u64 <= left => return Ok(Ok(Arc::clone(bytes))),
        Blob::Memory(bytes) => return Ok(Err(bytes.len() as u64)),
        Blob::File(path) => (size(path)?, path),
    };
    if len > left {
        return Ok(Err(len));
    }
    let mut bytes = Vec::new();
    // One byte more than granted, should it have grown meanwhile.
    File::open(path)
        .and_then(|f| f.take(left + 1).read_to_end(&mut bytes))
        .map_err(|error| Reason::Read { path: path.clone(), error })?;
    let len = bytes.len() as u64;
    Ok(if len > left { Err(len) } else { Ok(bytes.into()) })
}

/// The file that starts: the one asked for, else the first of the language.
fn start(entry: Option<&str>, names: &[&str], language: &Language) -> Result<String, Invalid> {
    let Some(first) = names.iter().find(|n| language.owns_file(n)) else {
        let extensions = language.extensions.join(", ");
        return Err(Reason::Extension { language: language.name.clone(), extensions }.at("files"));
    };
    let Some(entry) = entry else { return Ok((*first).to_owned()) };
    // Where only the stem is used the entry is a class, of which the file may hold many.
    let class = check_name(entry).is_ok()
        && !language.owns_file(entry)
        && uses(&language.run.argv, "stem")
        && !uses(&language.run.argv, "entry");
    if names.contains(&entry) || class {
        return Ok(entry.to_owned());
    }
    Err(Reason::Entry { entry: cut(entry), files: cut(&names.join(", ")) }.at("entry"))
}

fn check_name(name: &str) -> Result<(), Reason> {
    let problem = if name.len() > NAME_MAX {
        "is longer than 160 bytes"
    } else if name.chars().any(char::is_control) {
        "holds a NUL or another control character"
    } else if name.starts_with('/') {
        "is absolute"
    } else if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "has an empty part, . or .."
    } else if name.starts_with(['-', '@']) {
        // Compilers take these for an option, or for a file of options.
        "begins with - or @"
    } else {
        return Ok(());
    };
    Err(Reason::Name { name: cut(name), problem })
}

/// Whether one is the other, or a folder above it.
fn clash(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn cut(name: &str) -> String {
    name.chars().take(NAME_MAX).collect()
}
