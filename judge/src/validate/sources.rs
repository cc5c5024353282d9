//! The source files of a program: named, counted, read, and which of them starts.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use sandbox::{Bytes, Contents, InputFile};

use super::{Invalid, Reason, size};
use crate::language::{Language, uses};
use crate::model::{Blob, SourceFile};

/// Names appear in the compiler's command, which an engine passes in one message.
const FILES_MAX: usize = 256;
const NAME_MAX: usize = 160;

/// Sources that can be built: in memory, so that what is compiled is what the cache knows it by.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) files: Vec<InputFile>,
    /// Names of those with an extension of the language.
    pub(crate) names: Vec<String>,
    /// The file or class that starts.
    pub(crate) entry: String,
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
        Ok(Self { files, names: names.collect(), entry })
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
