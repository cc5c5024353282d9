//! What of the host the runs of a language begin with, for whoever wants it in memory before the first.

use std::path::{Path, PathBuf};

use super::{Host, Toolchain};

/// Folders whose `bin` has everybody's programs.
const SHARED: [&str; 3] = ["/", "/usr", "/usr/local"];

/// Where the library of such a program is, under the program's name.
const LIBRARIES: [&str; 3] = ["/usr/lib", "/usr/local/lib", "/usr/share"];

impl Toolchain {
    /// Files and folders that are there, the most needed first: the virtual machine or interpreter
    /// and its library. None for a language whose programs are their own; and not what compilers
    /// read, whose time decides nothing.
    #[must_use]
    pub fn reads(&self, host: &Host) -> Vec<PathBuf> {
        let Some(program) = &self.runs else { return Vec::new() };
        let (folder, name) = (program.parent(), program.file_name().and_then(|name| name.to_str()));
        let (Some(folder), Some(name)) = (folder, name) else { return Vec::new() };
        let home = folder.parent().filter(|home| folder.ends_with("bin") && !shared(host, home));
        let libraries = match home {
            Some(home) => vec![home.join("lib")],
            None => {
                // python3.11 and perl have theirs under the whole name, ruby3.1 under its first part.
                let family = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
                let mut names = vec![name, family];
                names.dedup();
                let below = |dir: &str| host.at(Path::new(dir));
                names.iter().flat_map(|name| LIBRARIES.map(|dir| below(dir).join(name))).collect()
            }
        };
        let libraries = libraries.into_iter().filter(|library| library.is_dir());
        std::iter::once(program.clone()).chain(libraries).collect()
    }
}

fn shared(host: &Host, folder: &Path) -> bool {
    SHARED.iter().any(|dir| host.at(Path::new(dir)) == folder)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::language::Table;

    #[test]
    fn a_run_begins_with_its_interpreter_and_the_library_of_that() {
        let dir = tempfile::tempdir().unwrap();
        // The root of macOS and of some builders is a link.
        let root = fs::canonicalize(dir.path()).unwrap();
        for folder in ["usr/bin", "usr/lib/python3.11", "usr/lib/ruby", "usr/lib/gcc"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let jdk = "usr/lib/jvm/java-17";
        fs::create_dir_all(root.join(jdk).join("lib")).unwrap();
        fs::create_dir_all(root.join(jdk).join("bin")).unwrap();
        let jdks = ["java", "javac"].map(|name| format!("{jdk}/bin/{name}"));
        let usr = ["python3.11", "ruby3.1", "gcc", "sh"].map(|name| format!("usr/bin/{name}"));
        for program in jdks.iter().chain(&usr) {
            fs::write(root.join(program), "").unwrap();
            fs::set_permissions(root.join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (link, to) in [("python3", &usr[0]), ("ruby", &usr[1]), ("java", &jdks[0])] {
            symlink(root.join(to), root.join("usr/bin").join(link)).unwrap();
        }
        symlink(root.join(&jdks[1]), root.join("usr/bin/javac")).unwrap();
        let host = Host { home: None, root: root.clone() };
        let reads = |language: &str| {
            let found = Table::builtin().get(language).unwrap().locate(&host).unwrap();
            let reads = found.reads(&host);
            let below = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
            reads.iter().map(below).collect::<Vec<_>>()
        };
        assert_eq!(reads("python3"), ["usr/bin/python3.11", "usr/lib/python3.11"]);
        assert_eq!(reads("ruby"), ["usr/bin/ruby3.1", "usr/lib/ruby"]);
        assert_eq!(reads("java"), [jdks[0].clone(), format!("{jdk}/lib")]);
        assert!(reads("c").is_empty());
    }
}
