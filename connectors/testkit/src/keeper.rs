//! A program that ends with this process, in whatever way this process ends.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// The group's leader runs the program and waits on its input. When that closes, somebody outside of the group ends the group and
/// removes the data: not before it is ended, because it would write the data anew.
const KEEPER: &str = r#"
data="$1"; out="$2"; shift 2
"$@" </dev/null >>"$out" 2>&1 &
cat >/dev/null
exec setsid bash -c '
kill -9 -- -"$0"
for try in {1..100}; do
  [ -z "$1" ] || rm -rf -- "$1" && exit
  sleep 0.1
done
' $$ "$data"
"#;

/// A program in a process group of its own, with the shell that watches over it. Dropping it ends the group and keeps the data.
pub(crate) struct Keeper {
    group: Child,
    /// Closed when this process ends.
    _keeping: Option<ChildStdin>,
}

impl Keeper {
    /// Runs a program whose data is in `data`, if it has any, and which writes to the file `out`.
    pub(crate) fn run(program: &[&str], variables: &[(&str, String)], data: Option<&Path>, out: &Path) -> Self {
        let mut group = Command::new("bash")
            .args(["-c", KEEPER, "keeper"])
            .arg(data.unwrap_or(Path::new("")))
            .arg(out)
            .args(program)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("bash starts");
        let keeping = group.stdin.take();
        Self { group, _keeping: keeping }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let group = self.group.id();
        // The leader goes with its group, so that the data stays. It fails when the group is gone already.
        Command::new("kill").args(["-9", "--", &format!("-{group}")]).status().expect("kill runs");
        self.group.wait().expect("it ends");
        // Its ports and files are free only when it is gone, and the kernel takes a moment for that.
        while lives(group) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether anybody in a process group still runs.
fn lives(group: u32) -> bool {
    let processes = std::fs::read_dir("/proc").expect("the processes of this machine");
    processes.flatten().any(|process| {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { return false };
        // Behind the name, which may hold anything: state, parent, group.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let [state, _, of, ..] = fields[..] else { return false };
        // One that ended may have threads that still hold its files.
        let threads = || std::fs::read_dir(process.path().join("task")).map_or(0, Iterator::count);
        of == group.to_string() && (state != "Z" || threads() > 1)
    })
}
