//! Tools whose output cannot be written: they say so and end, and nothing panics.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::call;
use crate::support::Server;

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("/dev/full").into()
}

/// A pipe that nobody reads any more.
fn closed() -> Stdio {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn run(args: &[&str], stdout: Stdio, stderr: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(args).current_dir("/").stdin(Stdio::null());
    let child = command.stdout(stdout).stderr(stderr).spawn().expect("it runs");
    let Output { status, stderr, .. } = child.wait_with_output().expect("it ends");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

/// Code 1 and one complaint; a reader that went away changes nothing.
fn tried(args: &[&str]) {
    let well = run(args, Stdio::null(), Stdio::piped()).0;
    let (code, said) = run(args, full(), Stdio::piped());
    assert_eq!(code, Some(1), "{args:?}: {said}");
    assert_eq!(said.matches("cannot write").count(), 1, "{args:?}: {said}");
    assert!(said.contains("No space left"), "{args:?}: {said}");
    let (code, said) = run(args, closed(), Stdio::piped());
    // A disk may be slow by now.
    let is_well = code == well || args.first() == Some(&"doctor") && matches!(code, Some(0 | 1));
    assert!(is_well, "{args:?}: {code:?} {said}");
    assert!(
        !said.contains("panicked") && !said.contains("cannot write"),
        "{args:?}: {said}"
    );
    assert_eq!(run(args, full(), full()).0, Some(1), "{args:?}");
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

#[test]
fn of_a_server_that_runs() {
    let server = Server::lokikv(&[]);
    let port = server.port().to_string();
    let dir = text(&server.data_dir());
    let url = format!("redis://127.0.0.1:{port}");
    tried(&["ping", "--port", &port, "--timeout-ms", "20000"]);
    tried(&["--check-config"]);
    tried(&["doctor", &dir]);
    tried(&["doctor", &url]);
    // Complaints that cannot be written either.
    for wrong in [
        &["doctor", &dir, "--set", "storage.nope=1"][..],
        &["ping", "--port", "1"],
        &["export", "/proc/nonexistent/f.rdb", "--set", "storage.nope=1"],
        &["verify", "/proc/nonexistent"],
        &["--set", "storage.nope=1"],
    ] {
        let code = run(wrong, Stdio::null(), Stdio::null()).0;
        assert!(matches!(code, Some(1 | 2)), "{wrong:?}: {code:?}");
        assert_eq!(run(wrong, Stdio::null(), full()).0, code, "{wrong:?}");
        assert_eq!(run(wrong, closed(), closed()).0, code, "{wrong:?}");
    }
}

#[test]
fn of_a_directory() {
    let mut server = Server::lokikv(&[]);
    call(&mut server.connect(), "SET k v");
    call(&mut server.connect(), "SAVE");
    let scratch = tempfile::tempdir().expect("a folder");
    let at = |name: &str| text(&scratch.path().join(name));
    let (dir, url) = (text(&server.data_dir()), format!("redis://127.0.0.1:{}", server.port()));
    let backups = at("backups");
    tried(&["backup", "--from", &url, "--to", &backups]);
    tried(&["backup", "--verify", &backups]);
    assert!(server.terminate().success());
    tried(&["verify", &dir]);
    tried(&["inspect", &dir]);
    tried(&["repair", &dir]);
    tried(&["export", "--data-dir", &dir, "--force", &at("dump.rdb")]);
    tried(&["import", &at("dump.rdb"), "--data-dir", &at("imported"), "--merge"]);
    let mut into = 0;
    for stdout in [full(), closed(), Stdio::null()] {
        into += 1;
        let place = at(&format!("restored-{into}"));
        let args = ["restore", "--from", &backups, "--into", &place];
        let (code, said) = run(&args, stdout, Stdio::piped());
        assert_eq!(code, Some(i32::from(into == 1)), "{said}");
    }
}
