//! Backups onto a disk that is full: there is a whole one or none, and those from before stay as they are.

use std::path::Path;
use std::process::{Command, Output};

use crate::args;
use crate::control::Control;
use crate::full::Mounted;
use crate::support::server::binary;
use crate::support::{Args, Server, Value};

fn lokikv(arguments: &[&str], control: Option<&Control>) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).envs(control.into_iter().flat_map(Control::env));
    command.output().expect("run lokikv")
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn succeeds(arguments: &[&str]) -> String {
    let output = lokikv(arguments, None);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// Sets so many keys of a kilobyte.
fn fill(server: &Server, keys: usize, word: &str) {
    let commands: Vec<Args> = (0..keys)
        .map(|key| args!["SET", format!("{word}:{key}"), word.repeat(250)])
        .collect();
    server.connect().pipeline(&commands).expect("replies");
    assert_eq!(server.connect().call(&["CHECKPOINT"]), Value::ok());
}

/// A server, and a directory of backups that has one of it.
struct Place {
    server: Server,
    url: String,
    dir: String,
    list: String,
}

impl Place {
    fn new(dir: &Path) -> Self {
        let server = Server::lokikv(&[
            "wal.segment_bytes=65536",
            "checkpoint.interval_s=0",
            "checkpoint.keep_count=2",
        ]);
        fill(&server, 100, "some");
        let (url, dir) = (
            format!("redis://127.0.0.1:{}", server.port()),
            dir.display().to_string(),
        );
        succeeds(&["backup", "--from", &url, "--to", &dir, "--copy"]);
        let list = succeeds(&["backup", "--list", &dir]);
        fill(&server, 800, "more");
        Self { server, url, dir, list }
    }

    fn take(&self, control: Option<&Control>) -> Output {
        lokikv(
            &[
                "backup", "--from", &self.url, "--to", &self.dir, "--copy", "--keep", "1",
            ],
            control,
        )
    }

    /// It says why there is no new backup, and what was there is as it was.
    fn fails(&self, output: &Output, what: &str) {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{what}: {told}");
        let is_clear = told.starts_with("lokikv: ") && told.contains("No space left") && told.contains(&self.dir);
        assert!(is_clear, "{what}: {told}");
        assert_eq!(succeeds(&["backup", "--list", &self.dir]), self.list, "{what}");
        succeeds(&["backup", "--verify", &self.dir]);
    }

    /// There is room again: the next one is whole, and the old one goes.
    fn goes_on(&mut self) {
        let output = self.take(None);
        assert!(output.status.success(), "{}", said(&output));
        let list = succeeds(&["backup", "--list", &self.dir]);
        assert_eq!(
            list.lines().filter(|line| line.starts_with("backup ")).count(),
            1,
            "{list}"
        );
        let mut into = Server::lokikv_stopped(&[]);
        std::fs::remove_dir_all(into.data_dir()).expect("remove");
        succeeds(&[
            "restore",
            "--from",
            &self.dir,
            "--into",
            &into.data_dir().display().to_string(),
        ]);
        into.restart();
        assert_eq!(into.connect().call(&["DBSIZE"]), Value::Int(900));
        self.server.kill9();
    }
}

#[test]
fn wherever_the_room_ends_there_is_no_half_backup() {
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("backups");
    let control = Control::new();
    control.set_root(&dir);
    let mut place = Place::new(&dir);
    let (mut bytes, mut failures) = (0, 0);
    loop {
        control.set_bytes_left(Some(bytes));
        let output = place.take(Some(&control));
        if output.status.success() {
            break;
        }
        place.fails(&output, &format!("room for {bytes} bytes"));
        failures += 1;
        bytes = bytes * 7 / 4 + 1000;
    }
    assert!(failures > 5, "{bytes} bytes were enough");
    place.goes_on();
}

#[test]
fn a_file_system_that_is_full_keeps_the_backups_it_has() {
    let home = tempfile::tempdir().expect("a directory");
    let Some(mounted) = Mounted::new(home.path(), 1 << 20) else {
        eprintln!("file systems cannot be mounted here: only the room that the library gives is tested");
        return;
    };
    let mut place = Place::new(&home.path().join("backups"));
    place.fails(&place.take(None), "a small file system");
    mounted.enlarge(16 << 20);
    place.goes_on();
}
