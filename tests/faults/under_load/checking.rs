//! Whether backups are what they should be, while nobody writes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::support::Server;
use crate::support::server::copy_all;

use super::look;
use super::tool::{Listed, run, said, succeeds};
use super::writer::{Moment, Writer};
use super::{Rig, SETTINGS, Taken, WRITERS};

/// Records that are looked at before an LSN: mostly each writer's last mark is among them.
const LOOK_BACK: u64 = 1000;

/// A restore to be made.
struct Wanted {
    /// A backup, or a data directory.
    from: PathBuf,
    lsn: u64,
    /// How far each writer was by the log: its last mark, and records behind that.
    places: Option<Vec<(u64, u64)>>,
    /// The operations of each writer that are in it at least, and at most.
    bounds: Option<(Vec<u64>, Vec<u64>)>,
}

impl Wanted {
    /// Restores it, and compares with the model.
    fn check(&self, writers: &[Writer], base: u64, what: &str) {
        let what = format!("{what}: {} to LSN {}", self.from.display(), self.lsn);
        let mut into = Server::lokikv_stopped(&SETTINGS);
        std::fs::remove_dir_all(into.data_dir()).expect("remove");
        let (from, dir) = (self.from.display().to_string(), into.data_dir().display().to_string());
        let to = format!("lsn {}", self.lsn);
        succeeds(&["restore", "--from", &from, "--to", &to, "--into", &dir], &what);
        into.restart();
        let mut conn = into.connect();
        assert_eq!(conn.wal_info("last-lsn") as u64, self.lsn, "{what}");
        let found: Vec<_> = writers.iter().map(|writer| look::read(&mut conn, writer)).collect();
        into.kill9();
        let pairs = || writers.iter().zip(&found);
        let records: Vec<Vec<u64>> = pairs().map(|(writer, found)| writer.records_of(found, &what)).collect();
        assert!(
            sums(&records).contains(&(self.lsn - base)),
            "{what}: {records:?} records of the writers"
        );
        if let Some(places) = &self.places {
            let expected: Vec<Moment> = writers
                .iter()
                .zip(places)
                .map(|(writer, place)| writer.behind(*place))
                .collect();
            for (expected, found) in expected.iter().zip(&found) {
                assert!(
                    expected.model == *found,
                    "{what}: {}",
                    expected.model.differences(found)
                );
            }
            let records: u64 = expected.iter().map(|moment| moment.records).sum();
            assert_eq!(base + records, self.lsn, "{what}: records by the log");
        }
        let bounds = self.bounds.iter().flat_map(|(least, most)| least.iter().zip(most));
        for ((least, most), (writer, records)) in bounds.zip(writers.iter().zip(&records)) {
            let possible = writer.at(*least).records..=writer.at(*most).records;
            let number = writer.number;
            assert!(
                records.iter().any(|records| possible.contains(records)),
                "{what}: {records:?} records of writer {number}: {possible:?} are possible"
            );
        }
    }
}

/// What one of each adds up to.
fn sums(numbers: &[Vec<u64>]) -> BTreeSet<u64> {
    numbers.iter().fold(BTreeSet::from([0]), |sums, some| {
        sums.iter()
            .flat_map(|sum| some.iter().map(move |one| sum + one))
            .collect()
    })
}

impl Rig {
    /// All that is there.
    pub fn check(&mut self, what: &str) {
        let told = succeeds(&["backup", "--verify", &self.store.path()], what);
        let whole = told.lines().filter(|line| line.starts_with("ok: ")).count();
        assert_eq!(whole, self.known.len(), "{what}: {told}");
        let wanted = self.wanted();
        self.figures.restores += wanted.len() as u64;
        self.figures.exact += wanted.iter().filter(|one| one.places.is_some()).count() as u64;
        let (writers, base) = (&self.writers, self.base);
        std::thread::scope(|scope| {
            for some in wanted.chunks(wanted.len().div_ceil(2)) {
                scope.spawn(move || some.iter().for_each(|one| one.check(writers, base, what)));
            }
        });
        self.flip_a_bit(what);
        self.known.iter_mut().for_each(|taken| taken.is_checked = true);
    }

    /// Of each new backup its ends and a moment between them (or one of those); the last moment of an old one; and that
    /// of the newest but out of the directory of a server that was killed after it.
    fn wanted(&mut self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let known = self.known.clone();
        let (old, new): (Vec<Taken>, Vec<Taken>) = known.into_iter().partition(|taken| taken.is_checked);
        if !old.is_empty() && (self.is_thorough || self.rng.one_in(2)) {
            let Taken { listed, .. } = self.rng.pick(&old);
            wanted.push(self.want(listed, listed.to_lsn));
        }
        for Taken { listed, bounds, .. } in &new {
            let first = listed.from_lsn.max(self.base);
            let between = self.rng.range(first as i64, listed.to_lsn as i64) as u64;
            let mut moments = vec![first, between];
            if !self.is_thorough {
                moments.swap_remove(self.rng.below(2));
            }
            wanted.extend(moments.into_iter().map(|lsn| self.want(listed, lsn)));
            let mut last = self.want(listed, listed.to_lsn);
            last.bounds = Some(bounds.clone());
            wanted.push(last);
        }
        if let Some(end) = self.killed_at.take() {
            let before = new.iter().rfind(|taken| taken.listed.to_lsn <= end);
            let Taken { listed, .. } = before.expect("a backup before the kill");
            let mut of_data = self.want(listed, listed.to_lsn);
            of_data.from = self.killed();
            wanted.push(of_data);
        }
        wanted
    }

    fn want(&self, backup: &Listed, lsn: u64) -> Wanted {
        Wanted {
            from: self.store.dir_of(backup),
            lsn,
            places: look::places(&mut self.server.connect(), WRITERS, (self.base, lsn), LOOK_BACK),
            bounds: None,
        }
    }

    /// Any bit of any file of a backup: it is found, and nothing is restored.
    fn flip_a_bit(&mut self, what: &str) {
        let known = self.rng.pick(&self.known).listed.clone();
        let (copy, into) = (self.store.beside("damaged"), self.store.beside("into"));
        copy_all(&self.store.dir_of(&known), &copy);
        let folder = copy.join(*self.rng.pick(&["checkpoint", "wal", ""]));
        let entries = std::fs::read_dir(&folder)
            .expect("list")
            .map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
        files.sort();
        let path = self.rng.pick(&files).clone();
        let mut bytes = std::fs::read(&path).expect("read");
        let at = self.rng.below(bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        std::fs::write(&path, bytes).expect("write");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let (copy_text, into_text) = (copy.display().to_string(), into.display().to_string());
        for act in [
            &["backup", "--verify", &copy_text][..],
            &["restore", "--from", &copy_text, "--into", &into_text],
        ] {
            let output = run(act);
            let told = said(&output);
            assert!(
                !output.status.success() && told.contains(&name),
                "{what}: bit {at} of {name}: {told}"
            );
        }
        assert!(!into.exists(), "{what}: bit {at} of {name}");
        std::fs::remove_dir_all(&copy).expect("remove");
    }
}
