//! Backups all the time while clients write to containers of all types, and `kill -9` of either side: at any moment,
//! and at each named point of both.
//!
//! After each kill the server has all that was acknowledged, all backups are listed and whole, the next one is taken,
//! and what each of them restores (its first LSN, its last, one in between) is what a model says of that LSN. How far
//! each writer was at an LSN is told by the log of the running server, as long as it has those records, and always by
//! their count: each operation of a writer that changes something has one record.
//!
//! `LOKIKV_ROUNDS` says how many kills, `LOKIKV_RATE` how many writes a second, `LOKIKV_PAUSE_MS` for how long at most
//! clients write before something is done to them, and `LOKIKV_SEED` repeats a run's choices.
//! With `LOKIKV_BINARY`, another program, whose points nobody knows, is killed at any moment only.

mod checking;
mod look;
mod model;
mod tool;
mod writer;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lokikv::storage::fault_point::{BACKUP, CHECKPOINTS, LOG};

use crate::support::server::copy_all;
use crate::support::{Rng, Server, Value, env_number, seed};

use tool::{Listed, Store, said};
use writer::{COLLECTIONS, Shown, Writer};

const ROUNDS_DEFAULT: u64 = 4;
/// Writes a second, of all writers together.
const RATE_DEFAULT: u64 = 2_000;
const PAUSE_MS_DEFAULT: u64 = 200;
const WRITERS: usize = 4;
const KEEP: usize = 5;
/// How long a server may go on that is to be killed at a point.
const POINT_TIME_MAX: Duration = Duration::from_secs(4);
/// Each writer has set a mark in so many records.
const RESTART_LOOK_BACK: u64 = 20_000;
/// A hold is over by then, unless it is renewed.
const HOLD_TIME_MAX: Duration = Duration::from_secs(35);
const POLICIES: [&str; 3] = ["wal.fsync=always", "wal.fsync=everysec", "wal.fsync=no"];
const SETTINGS: [&str; 5] = [
    "wal.segment_bytes=524288",
    "wal.keep_age_s=4",
    "checkpoint.interval_s=1",
    "checkpoint.keep_count=3",
    "wal.enabled=true",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    ServerAtAnyMoment,
    ServerAtPoint,
    ToolAtAnyMoment,
    ToolAtPoint,
}

const STRIKES: [Strike; 4] = [
    Strike::ServerAtAnyMoment,
    Strike::ServerAtPoint,
    Strike::ToolAtAnyMoment,
    Strike::ToolAtPoint,
];

/// A backup, and what is known of the writers at its time.
#[derive(Clone, Debug)]
struct Taken {
    listed: Listed,
    /// What was acknowledged when it began, and sent when it was over, by writer.
    bounds: (Vec<u64>, Vec<u64>),
    is_checked: bool,
}

#[derive(Debug, Default)]
struct Figures {
    servers_killed: u64,
    tools_killed: u64,
    struck: BTreeMap<String, u64>,
    backups: u64,
    restores: u64,
    /// Whose moment the log told, too.
    exact: u64,
    writing: Duration,
    /// What the tool said when its server was killed.
    complaints: BTreeMap<String, u64>,
}

struct Rig {
    server: Server,
    store: Store,
    /// Away while they write.
    writers: Vec<Writer>,
    shown: Vec<Arc<Shown>>,
    /// Whether every backup is restored to three moments, not to two.
    is_thorough: bool,
    rng: Rng,
    rate: f64,
    pause_ms: i64,
    /// The last LSN before the first write.
    base: u64,
    /// Points of the server and of the tool that were used, and the one that the server waits for.
    turns: (usize, usize),
    point: String,
    known: Vec<Taken>,
    /// The last LSN of a server that was killed in this round; its directory is in [`Rig::killed`].
    killed_at: Option<u64>,
    /// When tools were killed that this server knew.
    kills: Vec<Instant>,
    figures: Figures,
    /// How long a backup takes, about.
    time: Duration,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let writers: Vec<Writer> = (0..WRITERS).map(|number| Writer::new(seed, number)).collect();
        let mut rig = Self {
            server: Server::lokikv_stopped(&SETTINGS),
            store: Store::new(KEEP),
            shown: writers.iter().map(|writer| writer.shown.clone()).collect(),
            writers,
            is_thorough: std::env::var_os("LOKIKV_ROUNDS").is_some(),
            rate: env_number("LOKIKV_RATE", RATE_DEFAULT) as f64,
            pause_ms: env_number("LOKIKV_PAUSE_MS", PAUSE_MS_DEFAULT).max(20) as i64,
            base: 0,
            turns: (rng.below(1000), rng.below(1000)),
            rng,
            point: String::new(),
            known: Vec::new(),
            killed_at: None,
            kills: Vec::new(),
            figures: Figures::default(),
            time: Duration::from_millis(300),
        };
        rig.start();
        let mut conn = rig.server.connect();
        for (name, kind) in &COLLECTIONS[1..] {
            assert_eq!(conn.call(&["COLLECTION", "CREATE", name, "KIND", kind]), Value::ok());
        }
        rig.base = conn.wal_info("last-lsn") as u64;
        rig
    }

    fn armed(&self) -> PathBuf {
        self.store.beside("armed")
    }

    /// Starts the server, which waits for the next point.
    fn start(&mut self) {
        let _ = std::fs::remove_file(self.armed());
        let points = [LOG, CHECKPOINTS].concat();
        self.turns.0 += 1;
        let point = points[self.turns.0 % points.len()];
        // Those of the log are passed all the time.
        let passing = if LOG.contains(&point) {
            self.rng.range(1, 150)
        } else {
            self.rng.range(1, 3)
        };
        self.point = format!("{point}:{passing}");
        self.server.set_env("LOKIKV_FAULT", Some(&self.point));
        let armed = self.armed().display().to_string();
        self.server.set_env("LOKIKV_FAULT_WHEN", Some(&armed));
        let policy = *self.rng.pick(&POLICIES);
        self.server.set_settings(&[&SETTINGS[..], &[policy]].concat());
        self.server.restart();
    }

    fn acknowledged(&self) -> Vec<u64> {
        let numbers = self.shown.iter().map(|shown| &shown.acknowledged);
        numbers.map(|number| number.load(Ordering::SeqCst)).collect()
    }

    /// Writes while `body` runs, or until the server is gone.
    fn beside_writers<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> R {
        let stop = AtomicBool::new(false);
        let mut writers = std::mem::take(&mut self.writers);
        let (port, rate, since) = (self.server.port(), self.rate / WRITERS as f64, Instant::now());
        let done = std::thread::scope(|scope| {
            for writer in &mut writers {
                let stop = &stop;
                scope.spawn(move || writer.write(port, rate, stop));
            }
            let pause = self.rng.range(20, self.pause_ms) as u64;
            std::thread::sleep(Duration::from_millis(pause));
            let done = body(self);
            stop.store(true, Ordering::Relaxed);
            done
        });
        self.writers = writers;
        self.figures.writing += since.elapsed();
        done
    }

    /// A backup that nobody disturbs.
    fn take(&mut self, what: &str) {
        let acknowledged = self.acknowledged();
        let copies = self.rng.one_in(3);
        let since = Instant::now();
        let child = self.store.begin(&self.server, copies, None);
        let output = child.wait_with_output().expect("wait");
        assert!(output.status.success(), "{what}: {}", said(&output));
        self.time = (self.time + since.elapsed()) / 2;
        assert_eq!(self.note_new(acknowledged, what), 1, "{what}: {}", said(&output));
    }

    /// Takes note of backups that were not there before, of which there may be one; how many there are. None that was
    /// there is gone but for the oldest of more than are kept.
    fn note_new(&mut self, acknowledged: Vec<u64>, what: &str) -> usize {
        let sent = self
            .shown
            .iter()
            .map(|shown| shown.sent.load(Ordering::SeqCst))
            .collect();
        let listed = self.store.list();
        let is_known = |one: &Listed| self.known.iter().any(|known| known.listed == *one);
        let new: Vec<Listed> = listed.iter().filter(|one| !is_known(one)).cloned().collect();
        let names = || listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(" ");
        assert!(new.len() <= 1, "{what}: {}", names());
        let gone = self
            .known
            .iter()
            .take_while(|known| !listed.contains(&known.listed))
            .count();
        assert!(
            gone == 0 || listed.len() >= self.store.keep(),
            "{what}: {gone} are gone of {}",
            names()
        );
        self.known.drain(..gone);
        let stayed = self.known.iter().all(|known| listed.contains(&known.listed));
        assert!(stayed, "{what}: {:?}, and listed {}", self.known, names());
        let count = new.len();
        let bounds = (acknowledged, sent);
        self.known.extend(new.into_iter().map(|listed| Taken {
            listed,
            bounds: bounds.clone(),
            is_checked: false,
        }));
        self.figures.backups += count as u64;
        count
    }

    /// A tool whose server may be gone has a whole backup, or says why it has none.
    fn judge_tool(&mut self, output: &Output, acknowledged: Vec<u64>, what: &str) {
        let new = self.note_new(acknowledged, what);
        let said = said(output);
        match output.status.code() {
            Some(0) => assert_eq!(new, 1, "{what}: {said}"),
            Some(1) => {
                assert_eq!(new, 0, "{what}: {said}");
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(why.starts_with("lokikv: "), "{what}: {why:?}");
                let words = why.replace(|letter: char| letter.is_ascii_digit(), "");
                *self.figures.complaints.entry(words.trim().to_owned()).or_default() += 1;
            }
            _ => panic!("{what}: {}: {said}", output.status),
        }
    }

    fn strike_tool(&mut self, at_point: bool, what: &str) {
        let acknowledged = self.acknowledged();
        let fault = at_point.then(|| {
            self.turns.1 += 1;
            let point = BACKUP[self.turns.1 % BACKUP.len()];
            format!(
                "{point}:{}",
                self.rng.range(1, if point == "backup.file_there" { 12 } else { 2 })
            )
        });
        let copies = self.rng.one_in(3);
        let mut child = self.store.begin(&self.server, copies, fault.as_deref());
        if !at_point {
            let span = self.time.as_micros() as i64 * 11 / 10;
            std::thread::sleep(Duration::from_micros(self.rng.range(0, span) as u64));
            child.kill().expect("kill");
        }
        let output = child.wait_with_output().expect("wait");
        if output.status.signal() == Some(libc::SIGKILL) {
            self.figures.tools_killed += 1;
            self.kills.push(Instant::now());
            if let Some(fault) = &fault {
                let point = fault.split(':').next().unwrap_or_default();
                *self.figures.struck.entry(point.to_owned()).or_default() += 1;
            }
            self.note_new(acknowledged, what);
        } else {
            assert!(output.status.success(), "{what}: {}", said(&output));
            self.note_new(acknowledged, what);
        }
    }

    /// Returns the backup that was being taken, unless it is over.
    fn strike_server(&mut self, what: &str) -> Option<(Child, Vec<u64>)> {
        let acknowledged = self.acknowledged();
        let copies = self.rng.one_in(3);
        let child = self.store.begin(&self.server, copies, None);
        let span = self.time.as_micros() as i64 * 11 / 10;
        std::thread::sleep(Duration::from_micros(self.rng.range(0, span) as u64));
        self.server.kill9();
        if self.rng.one_in(2) {
            return Some((child, acknowledged));
        }
        let output = child.wait_with_output().expect("wait");
        self.judge_tool(&output, acknowledged, what);
        None
    }

    /// Backups, and all that passes points, until the server has struck its own.
    fn strike_server_at_point(&mut self, what: &str) {
        File::create(self.armed()).expect("a file");
        let since = Instant::now();
        while self.server.is_running() && since.elapsed() < POINT_TIME_MAX {
            let acknowledged = self.acknowledged();
            let mut child = self.store.begin(&self.server, false, None);
            while matches!(child.try_wait(), Ok(None)) {
                self.pass_points();
            }
            let output = child.wait_with_output().expect("wait");
            self.judge_tool(&output, acknowledged, what);
            self.pass_points();
        }
        if !self.server.is_running() {
            let point = self.point.split(':').next().unwrap_or_default().to_owned();
            *self.figures.struck.entry(point).or_default() += 1;
        }
        self.server.kill9();
    }

    fn pass_points(&self) {
        let Ok(mut conn) = crate::support::Conn::connect(self.server.port()) else {
            return std::thread::sleep(Duration::from_millis(5));
        };
        for act in [&["CHECKPOINT"][..], &["COLLECTION", "PERSIST", "books"]] {
            if conn.try_call(act).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn round(&mut self, strike: Strike, what: &str) {
        let mut pending = None;
        self.beside_writers(|rig| {
            rig.take(what);
            match strike {
                Strike::ToolAtAnyMoment => rig.strike_tool(false, what),
                Strike::ToolAtPoint => rig.strike_tool(true, what),
                Strike::ServerAtAnyMoment => pending = rig.strike_server(what),
                Strike::ServerAtPoint => rig.strike_server_at_point(what),
            }
            if rig.server.is_running() {
                rig.take(what);
            }
        });
        if !self.server.is_running() {
            self.figures.servers_killed += 1;
            self.restart(pending, what);
        }
        self.check_holds(what);
        self.check(what);
    }

    /// What a tool held that was killed is not held for ever.
    fn check_holds(&mut self, what: &str) {
        self.kills.retain(|killed| killed.elapsed() < HOLD_TIME_MAX);
        let holds = self
            .server
            .connect()
            .call(&["INFO", "lokikv"])
            .figure("checkpoint_holds");
        let possible = self.kills.len() as u64;
        assert!(
            holds <= possible,
            "{what}: {holds} holds, {possible} tools were killed lately"
        );
    }

    /// A copy of the directory of a server that was killed.
    fn killed(&self) -> PathBuf {
        self.store.beside("killed")
    }

    fn report(&self, what: &str) {
        let writes: u64 = self
            .shown
            .iter()
            .map(|shown| shown.writes.load(Ordering::Relaxed))
            .sum();
        let rate = writes as f64 / self.figures.writing.as_secs_f64();
        eprintln!("{what}: {writes} writes, {rate:.0} a second; {:?}", self.figures);
    }

    /// The server again, with all that was acknowledged, and the next backup of it.
    fn restart(&mut self, pending: Option<(Child, Vec<u64>)>, what: &str) {
        let _ = std::fs::remove_dir_all(self.killed());
        copy_all(&self.server.data_dir(), &self.killed());
        self.start();
        self.kills.clear();
        let mut conn = self.server.connect();
        // The log is to keep what tells how far each writer was.
        conn.call(&["CHECKPOINT", "HOLD", "restart", "60000"]);
        if let Some((child, acknowledged)) = pending {
            let output = child.wait_with_output().expect("wait");
            self.judge_tool(&output, acknowledged, what);
        }
        let lsn = conn.wal_info("last-lsn") as u64;
        let last = look::places(&mut conn, WRITERS, (self.base, lsn), RESTART_LOOK_BACK).expect("the log's end");
        for (writer, last) in self.writers.iter_mut().zip(last) {
            writer.go_on(&mut conn, last);
        }
        let records: u64 = self.writers.iter().map(Writer::records).sum();
        assert_eq!(lsn, self.base + records, "{what}: records");
        assert_eq!(conn.call(&["CHECKPOINT", "RELEASE", "restart"]), Value::Int(1));
        self.killed_at = Some(lsn);
        self.beside_writers(|rig| rig.take(what));
    }
}

#[test]
fn restores_equal_the_model_whoever_is_killed() {
    let mut rig = Rig::new(seed());
    let has_points = std::env::var_os("LOKIKV_BINARY").is_none();
    let strikes: Vec<Strike> = STRIKES
        .into_iter()
        .filter(|strike| has_points || matches!(strike, Strike::ServerAtAnyMoment | Strike::ToolAtAnyMoment))
        .collect();
    for round in 0..env_number("LOKIKV_ROUNDS", ROUNDS_DEFAULT) as usize {
        let strike = strikes[round % strikes.len()];
        let what = format!("round {round}, {strike:?}, {}", rig.point);
        rig.round(strike, &what);
        rig.report(&what);
    }
    assert!(rig.figures.restores > 0 && rig.figures.exact > 0, "{:?}", rig.figures);
}
