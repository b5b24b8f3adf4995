//! The folders of a server: each belongs to one process, and a start with a log that is not the right one is refused.

use std::path::{Path, PathBuf};

use crate::support::Server;

const FOLDERS: [(&str, &str); 3] = [
    ("checkpoint_dir", "checkpoint"),
    ("persist_dir", "persist"),
    ("wal_dir", "wal"),
];

fn setting(name: &str, dir: &Path) -> String {
    format!("storage.{name}={}", dir.display())
}

/// A server over a copy of `data`, which is not started.
fn copy_of(data: &Path) -> Server {
    Server::lokikv_over(data, &[])
}

#[test]
fn a_folder_that_two_servers_share_is_in_use() {
    let first = Server::lokikv(&[]);
    for (name, folder) in FOLDERS {
        let shared = first.data_dir().join(folder);
        let home = tempfile::tempdir().expect("a directory");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&shared, &link).expect("a link");
        for dir in [shared, link] {
            let mut second = copy_of(home.path());
            second.set_settings(&[&setting(name, &dir)]);
            let why = second.try_start().expect_err("one folder has two servers");
            let holder = format!("in use by process {}", first.pid());
            assert!(
                why.contains(&dir.display().to_string()) && why.contains(&holder),
                "{why}"
            );
        }
    }
    assert_eq!(first.connect().call(&["SET", "k", "v"]).text(), "OK");
}

#[test]
fn two_folders_that_are_one_by_a_link_are_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let dirs: Vec<PathBuf> = ["one", "two"].iter().map(|name| home.path().join(name)).collect();
    std::fs::create_dir(&dirs[0]).expect("a directory");
    std::os::unix::fs::symlink(&dirs[0], &dirs[1]).expect("a link");
    let mut server = copy_of(home.path());
    server.set_settings(&[&setting("wal_dir", &dirs[0]), &setting("checkpoint_dir", &dirs[1])]);
    let why = server.try_start().expect_err("a folder of its own for each");
    assert!(why.contains("it is the checkpoint directory as well"), "{why}");
}

#[test]
fn copies_of_a_data_directory_run_side_by_side() {
    let mut first = Server::lokikv(&[]);
    let mut conn = first.connect();
    conn.call(&["SET", "both", "1"]);
    conn.call(&["SAVE"]);
    conn.call(&["SET", "both", "2"]);
    first.kill9();
    let mut servers = [copy_of(&first.data_dir()), copy_of(&first.data_dir())];
    for round in 0..2 {
        for (number, server) in servers.iter_mut().enumerate() {
            server.try_start().expect("each is on its own");
            let mut conn = server.connect();
            assert_eq!(conn.call(&["GET", "both"]).text(), "2");
            conn.call(&["SET", &format!("{number}:{round}"), "x"]);
            assert_eq!(conn.call(&["DBSIZE"]).int(), Some(round + 2));
        }
        servers.iter_mut().for_each(Server::kill9);
    }
}
