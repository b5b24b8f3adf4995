//! A folder in which the program's tools run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// See the module.
pub struct Place {
    pub home: TempDir,
}

impl Place {
    /// One with this file in it, as `dump.rdb`.
    pub fn new(rdb: &[u8]) -> Self {
        let place = Self::empty();
        fs::write(place.path("dump.rdb"), rdb).expect("write the file");
        place
    }

    /// One with nothing in it.
    pub fn empty() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        Self { home }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs the binary there; its exit code and all it said.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
        command.args(arguments).current_dir(self.home.path());
        let done = command.output().expect("run lokikv");
        let said = [done.stdout, done.stderr].concat();
        (
            done.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    pub fn run_well(&self, arguments: &[&str]) -> String {
        let (code, said) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {said}");
        said
    }

    pub fn fails(&self, arguments: &[&str], why: &str) {
        let (code, said) = self.run(arguments);
        assert!(code == 1 && said.contains(why), "{arguments:?}: {code} {said}");
    }

    /// Imports what is at `from` there into a new data directory.
    pub fn import(&self, from: &str) -> String {
        let _ = fs::remove_dir_all(self.path("data"));
        self.run_well(&["import", from, "--data-dir", "data"])
    }

    /// What the data directory is in this version of the format.
    pub fn export(&self, version: &str) -> Vec<u8> {
        self.run_well(&[
            "export",
            "--data-dir",
            "data",
            "--force",
            "--rdb-version",
            version,
            "out.rdb",
        ]);
        fs::read(self.path("out.rdb")).expect("what was exported")
    }
}

/// The names in a folder.
pub fn names(dir: &Path) -> Vec<String> {
    let listed = fs::read_dir(dir).expect("list");
    let mut names: Vec<String> = listed
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
