//! Folders that are full, forbidden, no folders, or hold what somebody left.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, SystemTime};

use leadrelay_shared::error::ErrorKind;

use super::*;

/// Names the folder that a test run as a child of itself works on.
const CHILD: &str = "LEADRELAY_TEST_FOLDER";

fn now() -> Timestamp {
    leadrelay_testkit::samples::start()
}

fn kind(outcome: Result<bool, DeliveryError>) -> ErrorKind {
    outcome.expect_err("it cannot be written").kind
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Runs the test `name` of this binary by itself, in the folder `dir`, through `change`.
fn as_child(name: &str, dir: &Path, mut command: Command) {
    let output = command.args(["--exact", name]).env(CHILD, dir).current_dir(dir).output().expect("the test runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

fn child_folder() -> Option<Folder> {
    std::env::var_os(CHILD).map(|dir| Folder::new(Path::new(&dir).join("leads")))
}

#[test]
fn files_and_folders_are_for_their_owner() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(dir.path().join("a/b"));
    assert_eq!(folder.write_new("x.json", b"{}"), Ok(false));
    assert_eq!(mode(&folder.path), 0o700);
    assert_eq!(mode(&folder.path.join("x.json")), 0o600);
    assert_eq!(names(&folder.path), ["x.json"]);
}

#[test]
fn what_is_there_is_never_overwritten_whatever_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(dir.path().to_owned());
    fs::write(dir.path().join("file.json"), "first").expect("a file");
    fs::create_dir(dir.path().join("folder.json")).expect("a folder");
    std::os::unix::fs::symlink("/nowhere", dir.path().join("link.json")).expect("a link");
    for name in ["file.json", "folder.json", "link.json"] {
        assert_eq!(folder.write_new(name, b"second"), Ok(true));
        // Also by one who did not look first.
        assert_eq!(folder.create(&dir.path().join(name), b"second"), Ok(true));
    }
    assert_eq!(fs::read(dir.path().join("file.json")).expect("a file"), b"first");
    assert_eq!(names(dir.path()), ["file.json", "folder.json", "link.json"]);
}

#[test]
fn a_path_that_is_no_folder_is_misconfigured() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("a file");
    for path in [file.clone(), file.join("below")] {
        let folder = Folder::new(path);
        assert_eq!(kind(folder.write_new("x.json", b"{}")), ErrorKind::Misconfigured);
        assert_eq!(kind(folder.prove_writable().map(|()| true)), ErrorKind::Misconfigured);
    }
}

#[test]
fn no_room_is_unavailable_and_leaves_nothing() {
    if let Some(folder) = child_folder() {
        assert_eq!(kind(folder.write_new("x.json", &[b'x'; 8192])), ErrorKind::Unavailable);
        assert_eq!(names(&folder.path), [""; 0]);
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this test"));
    as_child("write::tests::no_room_is_unavailable_and_leaves_nothing", dir.path(), shell);
}

#[test]
fn a_forbidden_folder_is_misconfigured() {
    if let Some(folder) = child_folder() {
        assert_eq!(kind(folder.write_new("x.json", b"{}")), ErrorKind::Misconfigured);
        assert_eq!(kind(folder.prove_writable().map(|()| true)), ErrorKind::Misconfigured);
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("leads")).expect("a folder");
    for (path, mode) in [("leads", 0o555), ("", 0o755)] {
        fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(mode)).expect("our own folder");
    }
    // Nothing is forbidden to root, so the test is then run by nobody, who may not be able to reach this binary.
    let binary = dir.path().join("test");
    // By another process: while this one has the copy open to write it, a child that another test forks has it open as well, and
    // a program that is open for writing cannot be run.
    let copied = Command::new("cp").arg(std::env::current_exe().expect("this test")).arg(&binary).status();
    assert!(copied.expect("cp runs").success(), "room for a copy");
    let mut command = Command::new(&binary);
    if fs::metadata(dir.path()).expect("a folder").uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    as_child("write::tests::a_forbidden_folder_is_misconfigured", dir.path(), command);
}

#[test]
fn what_a_dead_process_left_is_neither_used_nor_kept_for_ever() {
    let dir = tempfile::tempdir().expect("a folder");
    let age = |name: &str, age: Duration| {
        let file = File::create(dir.path().join(name)).expect("a file");
        let now = Duration::try_from(now().as_duration()).expect("after 1970");
        file.set_modified(SystemTime::UNIX_EPOCH + now - age).expect("our own file");
    };
    age(".1-0.tmp", Duration::from_secs(7200));
    age(".1-1.tmp", Duration::from_secs(60));
    age("old.json", Duration::from_secs(7200));
    age(".hidden", Duration::from_secs(7200));
    let folder = Folder::new(dir.path().to_owned());
    folder.tidy_once(now());
    assert_eq!(names(dir.path()), [".1-1.tmp", ".hidden", "old.json"]);
}

#[test]
fn a_number_that_a_dead_process_had_is_passed_over() {
    let dir = tempfile::tempdir().expect("a folder");
    let pid = std::process::id();
    let next = NEXT.load(Ordering::SeqCst);
    // Other tests take numbers too, so a good many ahead are taken.
    for number in next..next + 50 {
        fs::write(dir.path().join(format!(".{pid}-{number}.tmp")), "left").expect("a file");
    }
    assert_eq!(Folder::new(dir.path().to_owned()).write_new("x.json", b"{}"), Ok(false));
    assert_eq!(fs::read(dir.path().join("x.json")).expect("a file"), b"{}");
}

#[test]
fn of_many_writers_one_wins_and_all_see_its_file_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(dir.path().join("leads"));
    let writers: Vec<usize> = std::thread::scope(|scope| {
        let write = |n: usize| {
            let content = vec![b'0' + u8::try_from(n).expect("a digit"); 100_000];
            let folder = &folder;
            scope.spawn(move || (n, folder.write_new("x.json", &content).expect("it works")))
        };
        let running: Vec<_> = (0..8).map(write).collect();
        let done = running.into_iter().map(|w| w.join().expect("it ends"));
        done.filter(|(_, existed)| !existed).map(|(n, _)| n).collect()
    });
    let [winner] = writers[..] else { panic!("{writers:?} all created it") };
    let content = fs::read(folder.path.join("x.json")).expect("a file");
    assert!(content.len() == 100_000 && content.iter().all(|b| usize::from(*b - b'0') == winner));
    assert_eq!(names(&folder.path), ["x.json"]);
}
