//! Kills of `lokikv backup`: there is the new backup as a whole or none, and never less than one.

use std::process::{Command, Output};

use lokikv::storage::fault_point::BACKUP;

use crate::PASSINGS;
use crate::data::{History, SETTINGS, state};
use crate::support::Server;

fn lokikv(arguments: &[&str], fault: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(arguments).envs(fault.map(|fault| ("LOKIKV_FAULT", fault)));
    command.output().expect("run lokikv")
}

fn succeeds(arguments: &[&str], what: &str) -> String {
    let output = lokikv(arguments, None);
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&both).into_owned();
    assert!(output.status.success(), "{what}: {said}");
    said
}

#[test]
fn a_backup_is_there_as_a_whole_or_not_at_all() {
    let history = History::new(true);
    let mut server = Server::lokikv_over(&history.server.data_dir(), &SETTINGS);
    server.restart();
    let url = format!("redis://127.0.0.1:{}", server.port());
    for point in BACKUP {
        let home = tempfile::tempdir().expect("a directory");
        let dir = home.path().join("backups").display().to_string();
        let take = ["backup", "--from", &url, "--to", &dir, "--keep", "1"];
        succeeds(&take, point);
        let mut struck = 0;
        for nth in 1..=PASSINGS {
            let fault = format!("{point}:{nth}");
            if lokikv(&take, Some(&fault)).status.success() {
                break;
            }
            struck += 1;
            let list = succeeds(&["backup", "--list", &dir], &fault);
            let whole = list.lines().filter(|line| line.starts_with("backup ")).count();
            assert!((1..=1 + nth as usize).contains(&whole), "{fault}: {list}");
            succeeds(&["backup", "--verify", &dir], &fault);
        }
        assert!(struck > 0, "{point} was never passed");
        // What was cut short is in nobody's way, and goes.
        succeeds(&take, point);
        let names = std::fs::read_dir(&dir).expect("list").count();
        assert_eq!(names, 2, "{point}: the backup and the lock");
        let mut into = Server::lokikv_stopped(&SETTINGS);
        std::fs::remove_dir_all(into.data_dir()).expect("remove");
        let path = into.data_dir().display().to_string();
        succeeds(&["restore", "--from", &dir, "--into", &path], point);
        into.restart();
        assert_eq!(state(&mut into.connect()), history.state, "{point}");
    }
}
