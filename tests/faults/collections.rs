//! Kills while whole collections are loaded, restored, copied, converted, dropped and renamed.

use std::path::{Path, PathBuf};

use lokikv::storage::fault_point::{FILLS, LOG};

use crate::data::{History, SETTINGS, State, state};
use crate::support::{Server, Value};
use crate::{PASSINGS, verify_checkpoints};

/// Strikes at `point`, the server's own start apart; whether there is such a passing, what there is after it, and
/// whether the command was acknowledged before.
fn strike(history: &History, command: &[&str], point: &str) -> (bool, Server, bool) {
    let mut server = Server::lokikv_over(&history.server.data_dir(), &SETTINGS);
    let armed = armed(&server);
    server.set_env("LOKIKV_FAULT", Some(point));
    server.set_env("LOKIKV_FAULT_WHEN", armed.to_str());
    server.restart();
    let mut conn = server.connect();
    std::fs::write(&armed, "").expect("arm");
    let reply = conn.try_call(command);
    if let Ok(reply) = &reply {
        assert_eq!(*reply, Value::ok(), "{command:?}");
    }
    let died = reply.is_err() || conn.try_call(&["PING"]).is_err();
    server.kill9();
    server.set_env("LOKIKV_FAULT", None);
    server.restart();
    (died, server, reply.is_ok())
}

fn armed(server: &Server) -> PathBuf {
    let data = server.data_dir();
    data.parent().unwrap_or(Path::new(".")).join("armed")
}

/// What `command` makes of it when nothing strikes.
fn after(history: &History, command: &[&str]) -> State {
    let mut server = Server::lokikv_over(&history.server.data_dir(), &SETTINGS);
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(command), Value::ok(), "{command:?}");
    state(&mut conn)
}

/// Goes through `points` for each command; each must be struck by one of them.
fn go_through(history: &History, commands: &[&[&str]], points: &[&str]) {
    let mut struck = vec![0; points.len()];
    for command in commands {
        let after = after(history, command);
        assert_ne!(after, history.state, "{command:?} changes nothing");
        for (point, struck) in points.iter().zip(&mut struck) {
            for nth in 1..=PASSINGS {
                let what = format!("{command:?} at {point}:{nth}");
                let (died, server, acknowledged) = strike(history, command, &format!("{point}:{nth}"));
                let mut conn = server.connect();
                let found = state(&mut conn);
                let is_after = found == after;
                assert!(
                    is_after || (!acknowledged && found == history.state),
                    "{what}: {found:?}"
                );
                verify_checkpoints(&mut conn, &what);
                if !is_after {
                    assert_eq!(conn.call(command), Value::ok(), "{what}: again");
                    assert_eq!(state(&mut conn), after, "{what}: again");
                }
                *struck += u64::from(died);
                if !died {
                    break;
                }
            }
        }
    }
    for (point, struck) in points.iter().zip(struck) {
        println!("{point}: struck {struck} times");
        assert!(struck > 0, "{point} was never passed");
    }
}

fn fills(but: &str) -> Vec<&'static str> {
    FILLS.iter().copied().filter(|point| !but.contains(point)).collect()
}

#[test]
fn what_is_loaded_or_copied_is_there_as_a_whole_or_not_at_all() {
    let history = History::new(true);
    let commands: [&[&str]; 5] = [
        &["LOAD_HMAP", "books", "REPLACE"],
        &["LOAD_BDEF", "books", "AS", "gone", "REPLACE"],
        &["LOAD_BCUST", "books", "AS", "new"],
        &["COLLECTION", "COPY", "books", "gone", "KIND", "hmap", "REPLACE"],
        &["COLLECTION", "CONVERT", "books", "KIND", "bdef"],
    ];
    let passed_elsewhere = "fill.collection_filled fill.round_repeated";
    go_through(&history, &commands, &fills(passed_elsewhere));
}

#[test]
fn what_is_restored_is_there_as_a_whole_or_not_at_all() {
    let history = History::new(true);
    let lsn = history.lsn.to_string();
    let commands: [&[&str]; 5] = [
        &["CHECKPOINT", "RESTORE", "1"],
        &["CHECKPOINT", "RESTORE", "1", "COLLECTION", "books"],
        &[
            "CHECKPOINT",
            "RESTORE",
            "1",
            "COLLECTION",
            "spare",
            "AS",
            "gone",
            "REPLACE",
        ],
        &["CHECKPOINT", "RESTORE", "TO", "LSN", &lsn],
        &[
            "CHECKPOINT",
            "RESTORE",
            "TO",
            "LSN",
            &lsn,
            "COLLECTION",
            "books",
            "AS",
            "then",
        ],
    ];
    go_through(&history, &commands, &fills("fill.round_repeated"));
}

#[test]
fn a_kill_at_any_step_of_the_log_leaves_before_or_after() {
    let history = History::new(true);
    let lsn = history.lsn.to_string();
    let commands: [&[&str]; 6] = [
        &["COLLECTION", "DROP", "books"],
        &["COLLECTION", "RENAME", "books", "volumes"],
        &["LOAD_BDEF", "books", "AS", "gone", "REPLACE"],
        &["COLLECTION", "COPY", "books", "new"],
        &["COLLECTION", "CONVERT", "books", "KIND", "hmap"],
        &["CHECKPOINT", "RESTORE", "TO", "LSN", &lsn],
    ];
    go_through(&history, &commands, LOG);
}
