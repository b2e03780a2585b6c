//! The database for tests: it comes back with what it had, and leaves nothing behind.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use leadrelay_testkit::postgres::Postgres;

fn refuses(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

#[test]
fn stopped_it_comes_back_where_it_was_with_what_it_had() {
    let postgres = Postgres::start();
    let (one, other) = (postgres.database(), postgres.database());
    postgres.sql(&one.name, "CREATE TABLE t (n INT); INSERT INTO t VALUES (7)");
    postgres.stop();
    assert!(refuses(postgres.port()));
    postgres.start_again();
    assert_eq!(postgres.sql(&one.name, "SELECT n, n + 1 FROM t"), "7|8");
    assert_eq!(postgres.sql(&other.name, "SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
}

/// What the child of [`it_ends_with_a_process_that_is_killed`] does.
#[test]
#[ignore = "waits to be killed"]
#[expect(clippy::print_stdout, reason = "the one that kills it reads this")]
fn child() {
    let postgres = Postgres::start();
    println!("\npostgres {} {}", postgres.port(), postgres.directory().display());
    std::thread::park();
}

#[tokio::test]
async fn it_ends_with_a_process_that_is_killed() {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "postgres::child", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let told = lines.find_map(|line| Some(line.ok()?.strip_prefix("postgres ")?.to_owned())).expect("it has a cluster");
    let (port, directory) = told.split_once(' ').expect("a port and a directory");
    let port: u16 = port.parse().expect("a port");
    assert!(!refuses(port));
    child.kill().expect("killed");
    child.wait().expect("it ends");
    let gone = async {
        while !refuses(port) || std::path::Path::new(directory).exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("it is gone");
}
