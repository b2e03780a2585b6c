//! A directory with a configuration, and the program run in it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A token that is long enough and easy to find in an output.
pub(super) const TOKEN: &str = "tok-0123456789abcdef0123456789";

/// A directory with a configuration in it.
pub(super) struct Home(TempDir);

/// What a command did.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Home {
    pub(super) fn empty() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(super) fn with(config: &str) -> Self {
        let home = Self::empty();
        home.write("leadrelay.toml", config);
        home
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("written");
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("read")
    }

    /// The program, in this directory and without the variables of whoever runs the tests.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadrelay"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEADRELAY_")) {
            command.env_remove(name);
        }
        command.current_dir(self.0.path()).args(args).stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("it runs"), self)
    }

    pub(super) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        child.stdin.take().expect("piped").write_all(input).expect("it reads");
        Ran::of(child.wait_with_output().expect("it ends"), self)
    }
}

impl Ran {
    fn of(output: Output, home: &Home) -> Self {
        // The directory has another name each time.
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).expect("text").replace(&home.0.path().display().to_string(), "HOME")
        };
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// All that was said, and how it ended: for snapshots.
    pub(super) fn told(&self) -> String {
        format!("{}{}exit code {}", self.out, self.err, self.code)
    }
}
