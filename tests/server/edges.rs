//! Every command with values at the ends of what can be written, from several clients at once, in both protocols: the
//! server lives, answers each request once, and its memory stays bounded.
//!
//! `LOKIKV_SECONDS` says how long each run takes, `LOKIKV_SEED` repeats the requests of one (not how clients
//! interleave).

#[path = "edges/catalog.rs"]
mod catalog;
#[path = "edges/client.rs"]
mod client;
#[path = "edges/request.rs"]
mod request;
#[path = "edges/values.rs"]
mod values;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{Client, Outcome};
use request::Maker;
use values::Values;

use crate::args;
use crate::support::{Args, Conn, Rng, Server, env_number, seed, text};

const CLIENTS: usize = 4;
/// What the server may hold at any time: `memory.max_bytes`, twice over, and what one command may add.
const RESIDENT_BYTES_MAX: u64 = 1 << 30;
/// Small, so that many strings of this size fit.
const SETTINGS: &[&str] = &[
    "limits.bulk_bytes_max=4mb",
    "memory.max_bytes=128mb",
    "wal.fsync=no",
    "wal.segment_bytes=8mb",
    "checkpoint.wal_bytes_max=64mb",
    "server.enable_debug_command=yes",
];

/// What a run does not send, with the reason.
const STRICT_EXCLUDED: &[(&str, &str)] = &[
    ("SHUTDOWN", "ends the server"),
    ("CLIENT PAUSE", "holds all replies up for as long as it says"),
    ("CLIENT KILL", "closes connections, of the other clients too"),
    ("CLIENT REPLY", "takes replies away"),
    ("QUIT", "closes the connection"),
    ("DEBUG SLEEP", "answers when its time is over"),
    ("CONFIG SET", "can refuse or close clients"),
    ("SUBSCRIBE", "answers each name, and messages come beside replies"),
    ("PSUBSCRIBE", "the same"),
    ("SSUBSCRIBE", "the same"),
    ("UNSUBSCRIBE", "answers each name"),
    ("PUNSUBSCRIBE", "the same"),
    ("SUNSUBSCRIBE", "the same"),
    ("MONITOR", "lines of all clients come beside replies"),
    ("CLIENT TRACKING", "notices come beside replies"),
];
const LAX_EXCLUDED: &[(&str, &str)] = &[
    ("SHUTDOWN", "ends the server"),
    ("CLIENT PAUSE", "holds up the request that would end it"),
];
/// Parameters whose change would lock the test out.
const PARAMETERS_EXCLUDED: &[&str] = &[
    "requirepass",
    "server.requirepass",
    "maxmemory-clients",
    "limits.clients_bytes_max",
];

/// How strictly a run judges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Each request has one reply, soon.
    Strict,
    /// Clients may be closed or silenced by what others do; the server lives.
    Lax,
}

#[test]
fn every_command_answers_edge_values_once() {
    run(Mode::Strict);
}

#[test]
fn settings_and_kills_with_edge_values_leave_the_server_alive() {
    run(Mode::Lax);
}

/// What the clients of a run share.
struct Run {
    port: u16,
    pid: u32,
    mode: Mode,
    maker: Maker,
    parameters: Vec<String>,
    until: Instant,
    failed: AtomicBool,
    requests: AtomicU64,
}

fn run(mode: Mode) {
    let seed = seed();
    let mut server = Server::lokikv(SETTINGS);
    let mut conn = server.connect();
    let parameters = conn.call(&["CONFIG", "GET", "*"]).pairs();
    let parameters = parameters.into_iter().map(|(name, _)| name.text());
    let run = Run {
        port: server.port(),
        pid: server.pid(),
        mode,
        parameters: parameters
            .filter(|name| !PARAMETERS_EXCLUDED.contains(&name.as_str()))
            .collect(),
        maker: Maker::new(catalog::commands(&mut conn), Values::learn(&mut conn)),
        until: Instant::now() + Duration::from_secs(env_number("LOKIKV_SECONDS", 4)),
        failed: AtomicBool::new(false),
        requests: AtomicU64::new(0),
    };
    drop(conn);
    let reports: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn({
                    let run = &run;
                    move || Player::new(run, seed, number).play()
                })
            })
            .collect();
        clients
            .into_iter()
            .filter_map(|client| client.join().unwrap().err())
            .collect()
    });
    eprintln!("{} requests", run.requests.load(Ordering::Relaxed));
    assert!(server.is_running(), "the server ended\n{}", reports.join("\n"));
    assert!(reports.is_empty(), "{}", reports.join("\n"));
    finish(&mut server, mode);
}

/// The server still does what it is told, and stops.
fn finish(server: &mut Server, mode: Mode) {
    let mut conn = admitted(server, mode);
    assert_eq!(conn.call(&["FLUSHALL"]).text(), "OK");
    assert_eq!(conn.call(&["SET", "k", "v"]).text(), "OK");
    assert_eq!(conn.call(&["GET", "k"]).text(), "v");
    assert_eq!(server.terminate().code(), Some(0));
}

/// A client that is served, with settings as they were. Where others have changed them it may be refused at first:
/// those who have gone count for a while.
fn admitted(server: &Server, mode: Mode) -> Conn {
    let resets: Vec<Args> = resets().collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answered = Conn::connect(server.port()).and_then(|mut conn| {
            conn.pipeline(&resets)?;
            let answer = conn.try_call(&["PING"])?;
            Ok((conn, answer))
        });
        match answered {
            Ok((conn, answer)) if answer.text() == "PONG" => return conn,
            refused => assert!(mode == Mode::Lax && Instant::now() < deadline, "{refused:?}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Settings that others may have changed so that nothing goes on.
const RESET_SETTINGS: &[&str] = &[
    "maxclients 10000",
    "timeout 0",
    "proto-max-bulk-len 4194304",
    "client-query-buffer-limit 1073741824",
    "client-output-buffer-limit normal 0 0 0",
    "maxmemory 134217728",
    "protected-mode no",
    "limits.args_max 1048576",
];

fn resets() -> impl Iterator<Item = Args> {
    RESET_SETTINGS.iter().map(|setting| {
        let (name, value) = setting.split_once(' ').unwrap();
        args!["CONFIG", "SET", name, value]
    })
}

/// One client of a run.
struct Player<'r> {
    run: &'r Run,
    number: usize,
    rng: Rng,
    /// The newest batches, for the report.
    recent: VecDeque<String>,
    /// The next command: all of them in turn.
    next: usize,
}

impl<'r> Player<'r> {
    fn new(run: &'r Run, seed: u64, number: usize) -> Self {
        let mut rng = Rng::new(seed.wrapping_add(number as u64));
        Self {
            run,
            number,
            next: rng.below(run.maker.len()),
            rng,
            recent: VecDeque::new(),
        }
    }

    /// Plays until the time is up or somebody fails; the report of this client if it does.
    fn play(mut self) -> Result<(), String> {
        let mut client = None;
        while Instant::now() < self.run.until && !self.run.failed.load(Ordering::Relaxed) {
            let done = self.turn(&mut client);
            if let Err(reason) = done.and_then(|()| self.check_memory()) {
                self.run.failed.store(true, Ordering::Relaxed);
                let recent: Vec<String> = self.recent.into();
                return Err(format!("client {}: {reason}\n{}", self.number, recent.join("\n")));
            }
        }
        Ok(())
    }

    fn turn(&mut self, client: &mut Option<Client>) -> Result<(), String> {
        let batch = self.batch();
        let shown: Vec<String> = batch.iter().map(shown).collect();
        self.recent.push_back(shown.join("\n"));
        if self.recent.len() > 3 {
            self.recent.pop_front();
        }
        let mut connected = match client.take() {
            Some(client) => client,
            None => match Client::connect(self.run.port, self.number % 2 == 1) {
                Ok(client) => client,
                // Refused by a setting, which this client or another resets.
                Err(_) if self.run.mode == Mode::Lax => return self.is_alive(),
                Err(reason) => return Err(reason),
            },
        };
        let patience = match self.run.mode {
            Mode::Strict => Duration::from_secs(60),
            Mode::Lax => Duration::from_secs(2),
        };
        let outcome = connected.exchange(&batch, patience, &mut self.rng);
        self.run.requests.fetch_add(batch.len() as u64, Ordering::Relaxed);
        match (self.run.mode, outcome) {
            (_, Ok(Outcome::Answered)) => *client = Some(connected),
            (Mode::Lax, _) => return self.is_alive(),
            (Mode::Strict, Ok(Outcome::Closed)) => return Err("closed, or silent for too long".to_owned()),
            (Mode::Strict, Err(reason)) => return Err(reason),
        }
        Ok(())
    }

    fn is_alive(&self) -> Result<(), String> {
        resident_bytes(self.run.pid).map(drop)
    }

    fn check_memory(&self) -> Result<(), String> {
        match resident_bytes(self.run.pid)? {
            0..RESIDENT_BYTES_MAX => Ok(()),
            bytes => Err(format!("the server holds {} MiB", bytes >> 20)),
        }
    }

    /// The next requests. Keys are made anew now and then, since some of them empty all.
    fn batch(&mut self) -> Vec<Args> {
        let mut batch = Vec::new();
        if self.run.mode == Mode::Lax {
            batch.extend(resets());
        }
        if self.rng.one_in(10) {
            batch.push(args!["SELECT", "0"]);
            batch.extend(values::fixtures());
        }
        for _ in 0..1 + self.rng.below(12) {
            batch.extend(self.request());
        }
        // A transaction that waits for a checkpoint, which waits for the transaction.
        if batch.iter().any(|request| is(request, "MULTI")) {
            batch.retain(|request| !is(request, "DEBUG RELOAD"));
        }
        batch
    }

    fn request(&mut self) -> Option<Args> {
        self.next += 1;
        if self.run.mode == Mode::Lax && self.rng.one_in(4) {
            let name = self.rng.pick(&self.run.parameters).clone();
            return Some(args!["CONFIG", "SET", name, self.run.maker.value(&mut self.rng)]);
        }
        let request = self.run.maker.request(self.next, &mut self.rng);
        let excluded = match self.run.mode {
            Mode::Strict => STRICT_EXCLUDED,
            Mode::Lax => LAX_EXCLUDED,
        };
        let is_excluded = excluded.iter().any(|(name, _)| is(&request, name));
        let locks_out = is(&request, "CONFIG SET") && request.iter().any(|word| is_password(word));
        // Both empty all, so that the others would meet missing keys only.
        let is_too_often = (is(&request, "FLUSHALL") || is(&request, "FLUSHDB")) && !self.rng.one_in(10);
        (!is_excluded && !locks_out && !is_too_often).then_some(request)
    }
}

fn is_password(word: &[u8]) -> bool {
    PARAMETERS_EXCLUDED
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether the request begins with these words.
fn is(request: &Args, words: &str) -> bool {
    let mut given = request.iter();
    words.split(' ').all(|word| {
        given
            .next()
            .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// A request as a line, its long arguments cut.
fn shown(request: &Args) -> String {
    let cut: Vec<&[u8]> = request.iter().take(40).map(|arg| &arg[..arg.len().min(300)]).collect();
    text::join(&cut)
}

/// What the server holds in memory; an error when there is no such process.
fn resident_bytes(pid: u32) -> Result<u64, String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| error.to_string())?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    // A process that has ended and is not yet waited for has no memory.
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| "the server has ended".to_owned())
}
