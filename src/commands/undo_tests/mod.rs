//! What is taken back was never there: random commands of all types as a part of a record that fails at a random point.
//! Afterwards the data is what it was, and so is all that is counted of it.
//!
//! `LOKIKV_STEPS=1000000 cargo test --release --lib -- --nocapture undo_tests` asks for so many attempts of each kind
//! of collection.

pub(crate) mod lines;
pub(crate) mod state;

use std::path::Path;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use self::lines::Lines;
use self::state::State;
use super::testing::Harness;
use crate::engine::effect::decode_all;
use crate::engine::index::Kind;
use crate::storage::fault::FaultDisk;
use crate::test_histories::each;
use crate::wal::{Lsn, Reader, Wal, WalOptions};

/// Attempts of a history.
const ATTEMPTS: u64 = 300;
/// Commands of an attempt, at most.
const COMMANDS_MAX: usize = 30;

struct Run {
    server: Harness,
    lines: Lines,
    random: SmallRng,
}

impl Run {
    fn new(seed: u64, server: Harness) -> Self {
        let mut run = Self {
            server,
            lines: Lines::new(seed),
            random: SmallRng::seed_from_u64(seed),
        };
        run.server.create_numbered(2);
        for line in self::lines::FIRST {
            assert!(!run.server.say(line).starts_with('-'), "{line}");
        }
        run.lines.big().iter().for_each(|line| drop(run.server.say(line)));
        (0..300).for_each(|_| run.say());
        run
    }

    /// A command that stays, but for one that empties everything.
    fn say(&mut self) {
        let line = self.lines.next();
        if !line.starts_with("FLUSH") {
            self.server.say(&line);
        }
    }

    fn commands(&mut self) -> Vec<String> {
        let count = self.random.random_range(1..=COMMANDS_MAX);
        (0..count).map(|_| self.lines.next()).collect()
    }

    /// An attempt that fails.
    fn attempt(&mut self) {
        let is_alone = self.random.random();
        let commands = self.commands();
        let before = State::of(&self.server);
        let mut told = Vec::new();
        self.server.attempt(is_alone, |server| {
            for line in &commands {
                told.push(format!("{line} -> {}", server.say(line)));
            }
            false
        });
        let after = State::of(&self.server);
        assert!(before == after, "{}\n{}", before.difference(&after), told.join("\n"));
    }

    /// An inner attempt that fails within one that does not leaves what the outer one did.
    fn attempt_within(&mut self) {
        let (first, inner, last) = (self.commands(), self.commands(), self.commands());
        let is_alone = self.random.random();
        let stays = self.server.attempt(is_alone, |server| {
            first.iter().for_each(|line| drop(server.say(line)));
            let before = server.state();
            server.attempt(|server| {
                inner.iter().for_each(|line| drop(server.say(line)));
                false
            });
            if let (Some(before), Some(after)) = (before, server.state()) {
                assert!(before == after, "{}\n{}", before.difference(&after), inner.join("\n"));
            }
            server.attempt(|server| {
                last.iter().for_each(|line| drop(server.say(line)));
                true
            })
        });
        assert!(stays);
        State::of(&self.server);
    }

    fn step(&mut self) {
        match self.random.random_range(0..10) {
            0 => self.attempt_within(),
            1 => self.server.advance_ms(self.lines.below(3_000)),
            2..5 => (0..10).for_each(|_| self.say()),
            _ => self.attempt(),
        }
    }
}

fn histories_of(kind: Kind) {
    each(|seed| {
        let mut run = Run::new(seed, Harness::of(kind));
        (0..ATTEMPTS).for_each(|_| run.step());
        ATTEMPTS
    });
}

#[test]
fn in_hmap_nothing_is_left() {
    histories_of(Kind::Hmap);
}

#[test]
fn in_bdef_nothing_is_left() {
    histories_of(Kind::Bdef);
}

#[test]
fn in_bcust_nothing_is_left() {
    histories_of(Kind::Bcust);
}

#[test]
fn each_command_leaves_nothing_alone() {
    each(|seed| {
        let mut run = Run::new(seed, Harness::new());
        let lines = run.lines.of_each();
        for (nth, line) in lines.iter().enumerate() {
            let before = State::of(&run.server);
            let mut reply = String::new();
            run.server.attempt(nth % 2 == 0, |server| {
                reply = server.say(line);
                false
            });
            let after = State::of(&run.server);
            assert!(before == after, "{line} -> {reply}: {}", before.difference(&after));
        }
        lines.len() as u64
    });
}

#[test]
fn whole_collections_come_back() {
    let mut server = Harness::new();
    server.create_numbered(3);
    server.say("SET k v");
    server.say("COLLECTION CREATE named");
    let before = State::of(&server);
    for lines in [
        &["FLUSHALL", "SET k w", "FLUSHDB", "SET other w"][..],
        &[
            "SET k w",
            "SWAPDB 0 1",
            "SET k x",
            "SWAPDB 1 2",
            "FLUSHALL",
            "MSET k y z z",
        ],
        &[
            "COLLECTION CREATE more",
            "COLLECTION RENAME more named2",
            "DELCOL named",
            "COLLECTION CREATE named",
        ],
        &[
            "DEL k",
            "COPY k k DB 1",
            "SWAPDB 0 1",
            "DELCOL named2",
            "/C_BCUST named2",
        ],
    ] {
        server.attempt(true, |server| {
            lines.iter().for_each(|line| drop(server.say(line)));
            assert!(server.state().is_some_and(|state| state != before));
            false
        });
        let after = State::of(&server);
        assert!(before == after, "{lines:?}: {}", before.difference(&after));
        assert_eq!(server.say("GET k"), "$1 v");
    }
    assert!(server.attempt(true, |server| {
        server.say("SET k w");
        server.attempt(|server| server.say("FLUSHALL") == "no");
        server.say("SWAPDB 0 1").starts_with('+')
    }));
    assert_eq!(
        (server.say("GET k"), server.say("DBSIZE")),
        ("$-1".to_owned(), ":0".to_owned())
    );
    server.say("SWAPDB 0 1");
    assert_eq!(server.say("GET k"), "$1 w");
    State::of(&server);
}

/// The log has all records, and what is in them makes the same data.
#[test]
fn the_log_has_no_gap_and_nothing_that_was_taken_back() {
    each(|seed| {
        let disk = FaultDisk::new(seed);
        let wal = Wal::open(Arc::new(disk.clone()), WalOptions::new("log"), Lsn::FIRST).unwrap();
        let mut run = Run::new(seed, Harness::over(wal.clone()));
        for _ in 0..20 {
            let last = wal.last_lsn();
            run.attempt();
            assert!(wal.last_lsn() <= last.next());
            run.say();
        }
        drop(run);
        assert!(!wal.is_failed());
        let last = wal.last_lsn();
        wal.close().unwrap();
        let mut reader = Reader::open(Arc::new(disk), Path::new("log"), Lsn::FIRST).unwrap();
        let (mut read, mut empty) = (Lsn::ZERO, 0);
        while let Some(record) = reader.next().unwrap() {
            assert_eq!(record.lsn, read.next());
            assert!(decode_all(record.payload).all(|effect| effect.is_ok()));
            empty += usize::from(record.payload.is_empty());
            read = record.lsn;
        }
        assert_eq!(read, last);
        assert!(empty > 10, "{empty} records of 20 attempts");
        20
    });
}
