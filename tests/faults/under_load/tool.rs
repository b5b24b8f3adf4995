//! `lokikv backup` and `lokikv restore` as processes, and what is in a directory of backups.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;

use crate::support::Server;
use crate::support::server::{binary, die_with_parent};

/// A backup that is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub from_lsn: u64,
    pub to_lsn: u64,
}

pub fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("run lokikv")
}

pub fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

pub fn succeeds(arguments: &[&str], what: &str) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{what}: {arguments:?}: {}", said(&output));
    said(&output)
}

/// A directory of backups.
pub struct Store {
    home: tempfile::TempDir,
    keep: usize,
}

impl Store {
    pub fn new(keep: usize) -> Self {
        let home = tempfile::Builder::new().prefix("lokikv-test-").tempdir();
        Self {
            home: home.expect("a directory"),
            keep,
        }
    }

    pub fn keep(&self) -> usize {
        self.keep
    }

    pub fn path(&self) -> String {
        self.home.path().join("backups").display().to_string()
    }

    pub fn dir_of(&self, backup: &Listed) -> PathBuf {
        self.home.path().join("backups").join(&backup.name)
    }

    /// A place for something else in the same file system.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Begins a backup of a running server.
    pub fn begin(&self, server: &Server, copies: bool, fault: Option<&str>) -> Child {
        let url = format!("redis://127.0.0.1:{}", server.port());
        let (path, keep) = (self.path(), self.keep.to_string());
        let mut command = Command::new(binary());
        command.args([
            "backup",
            "--from",
            &url,
            "--to",
            &path,
            "--keep",
            &keep,
            "--retry-s",
            "1",
        ]);
        command.args(copies.then_some("--copy"));
        command.envs(fault.map(|fault| ("LOKIKV_FAULT", fault)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        die_with_parent(&mut command);
        command.spawn().expect("start a backup")
    }

    /// Whole backups, oldest first.
    pub fn list(&self) -> Vec<Listed> {
        if !Path::new(&self.path()).join("LOCK").exists() {
            return Vec::new();
        }
        let output = run(&["backup", "--list", &self.path(), "--json"]);
        let text = said(&output);
        if text.contains("there is no whole backup") {
            return Vec::new();
        }
        assert!(output.status.success(), "{text}");
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
        let backups = lines.filter(|line| line["document"] == "backup");
        let listed = backups.map(|line| Listed {
            name: line["name"].as_str().expect("a name").to_owned(),
            from_lsn: line["from-lsn"].as_u64().expect("an LSN"),
            to_lsn: line["to-lsn"].as_u64().expect("an LSN"),
        });
        listed.collect()
    }
}
