//! The programs that are run, each bare and in boxes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use sandbox::{Artefact, Bytes, Cancel, Job, Limits, NativeSandbox, Outcome, Sandbox, Termination};
use tempfile::TempDir;

/// Does next to nothing, so that what is measured is what is around it.
const NOTHING: &str = "int main(void) { return 0; }\n";

const WRITES: &str = "#include <fcntl.h>\n#include <unistd.h>\n\
    static char page[4096];\n\
    int main(void) {\n\
        int fd = open(\"out\", O_CREAT | O_TRUNC | O_WRONLY, 0600);\n\
        return fd < 0 || write(fd, page, sizeof page) != sizeof page;\n\
    }\n";

const PYTHON: &str = "/usr/bin/python3";

/// A program of the machine or of ours.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    dir: TempDir,
    artefact: Arc<Artefact>,
    /// Its command on the machine.
    bare: Vec<String>,
    /// Its command in a box.
    boxed: Vec<String>,
    /// Needs `/proc` and a virtual machine's limits.
    heavy: bool,
}

impl Program {
    pub(crate) fn nothing(name: &'static str, flags: &[&str]) -> Self {
        Self::c(name, NOTHING, flags)
    }

    /// Writes a page into a file in its working folder.
    pub(crate) fn writes() -> Self {
        Self::c("static C that writes a file", WRITES, &["-static"])
    }

    pub(crate) fn c(name: &'static str, source: &str, flags: &[&str]) -> Self {
        let dir = folder();
        fs::write(dir.path().join("program.c"), source).expect("the source is written");
        let mut gcc = command("gcc");
        gcc.args(["-O2", "-s", "-D_GNU_SOURCE"]).args(flags).args(["-o", "program", "program.c"]);
        let built = gcc.current_dir(&dir).status().is_ok_and(|status| status.success());
        assert!(built, "gcc is needed: apt-get install gcc libc6-dev");
        Self::of(name, dir, |folder| vec![format!("{folder}/program")], false)
    }

    pub(crate) fn python() -> Result<Self, String> {
        if !Path::new(PYTHON).exists() {
            return Err(format!("there is no {PYTHON}"));
        }
        let dir = folder();
        fs::write(dir.path().join("hello.py"), "print('hello')\n").expect("the source is written");
        let command = |folder: &str| vec![PYTHON.to_owned(), format!("{folder}/hello.py")];
        Ok(Self::of("Python hello", dir, command, false))
    }

    pub(crate) fn java() -> Result<Self, String> {
        let java = fs::canonicalize("/usr/bin/java").map_err(|e| format!("/usr/bin/java: {e}"))?;
        let dir = folder();
        let source = "class Main { public static void main(String[] a) { System.out.println(\"hello\"); } }\n";
        fs::write(dir.path().join("Main.java"), source).expect("the source is written");
        let built = command("javac").arg("Main.java").current_dir(&dir).status();
        if !built.is_ok_and(|status| status.success()) {
            return Err("javac is not on PATH".to_owned());
        }
        let java = java.to_string_lossy().into_owned();
        let flags = ["-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx256m", "-cp"];
        let command = |folder: &str| {
            let words = std::iter::once(java.as_str()).chain(flags).chain([folder, "Main"]);
            words.map(str::to_owned).collect()
        };
        Ok(Self::of("Java hello", dir, command, true))
    }

    fn of(
        name: &'static str,
        dir: TempDir,
        command: impl Fn(&str) -> Vec<String>,
        heavy: bool,
    ) -> Self {
        let bare = command(&dir.path().to_string_lossy());
        let artefact = Arc::new(Artefact::new(dir.path().to_owned(), 0));
        Self { name, dir, artefact, bare, boxed: command("/box"), heavy }
    }

    /// Its folder on the machine.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Runs on the machine, in its working folder if it is given one.
    pub(crate) fn bare(&self, at: Option<&Path>) {
        let mut bare = command(&self.bare[0]);
        bare.args(&self.bare[1..]).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        if let Some(at) = at {
            bare.current_dir(at);
        }
        assert!(bare.status().is_ok_and(|status| status.success()), "{} succeeds", self.name);
        if let Some(at) = at {
            // As the work folder of a box: the next run makes its own.
            fs::remove_file(at.join("out")).expect("the program made it");
        }
    }

    pub(crate) fn job(&self) -> Job {
        let mut job = Job::new(self.boxed.clone());
        job.artefact = Some(Arc::clone(&self.artefact));
        if self.heavy {
            job.proc = true;
            job.limits = Limits { memory: Bytes::mib(1024), ..Limits::default() };
        }
        job
    }

    /// Runs in a box.
    pub(crate) fn boxed(&self, sandbox: &NativeSandbox, cancel: &Cancel) -> Outcome {
        let outcome = sandbox.run(self.job(), cancel).expect("the engine works");
        let said = String::from_utf8_lossy(&outcome.stderr.bytes);
        assert_eq!(outcome.termination, Termination::Exited(0), "{}: {said}", self.name);
        outcome
    }
}

/// A folder that whoever runs a program of it may enter.
pub(crate) fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder for the program");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&dir, open).expect("the folder is ours");
    dir
}

/// A folder in memory for each lane, as boxes have one.
pub(crate) fn in_memory(lanes: usize) -> Vec<TempDir> {
    let memory = PathBuf::from("/dev/shm");
    let one = |_| tempfile::tempdir_in(&memory).expect("a folder in memory");
    (0..lanes).map(one).collect()
}

#[expect(clippy::disallowed_methods, reason = "bare processes are what boxes are held against")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}
