//! Two servers side by side: each command goes to both, on the same one of several connections.
//!
//! **Invariants**: connection `n` of one side has always got the same commands as connection `n` of the other;
//! a connection that was closed is opened again, in the protocol of the run, before its next command.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use crate::compare::{Mode, compare, default_mode};
use crate::known;
use crate::support::{Args, Conn, Reply, Server, Value, text};

/// How many commands are shown with a difference.
const HISTORY_LEN: usize = 20;
/// How long a record may take to its file.
const LOGGED_TIME_MAX: Duration = Duration::from_secs(30);

/// A place where the two servers did not agree.
#[derive(Debug)]
pub struct Difference {
    pub step: usize,
    pub command: String,
    pub why: String,
    pub redis: String,
    pub loki: String,
    pub before: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "step {}: {}", self.step, self.command)?;
        writeln!(f, "   why:   {}", self.why)?;
        writeln!(f, "   redis: {}", self.redis)?;
        writeln!(f, "   loki:  {}", self.loki)
    }
}

impl Difference {
    /// With the commands that came before it.
    pub fn with_context(&self) -> String {
        let before: String = self.before.iter().map(|line| format!("   | {line}\n")).collect();
        format!("{self}   after:\n{before}")
    }
}

/// One connection to each server.
#[derive(Debug)]
struct Link {
    redis: Conn,
    loki: Conn,
    /// Modes of the commands queued since MULTI.
    queued: Option<Vec<Mode>>,
}

/// The two servers and the connections to them.
#[derive(Debug)]
pub struct Pair {
    pub redis: Server,
    pub loki: Server,
    protocol: u8,
    links: BTreeMap<u8, Link>,
    history: VecDeque<String>,
    steps: usize,
}

/// A started redis-server 8.2, the first of the peers: where they disagree, it is right.
pub fn start_redis() -> Server {
    Server::redis8(&[])
}

/// A started redis-server 7.0, for what must be as it was.
pub fn start_redis7() -> Server {
    Server::redis(&[])
}

/// A started valkey-server, for what Redis does not have.
pub fn start_valkey() -> Server {
    Server::valkey(&[])
}

/// A started LokiKV, as far as possible configured like the peer.
pub fn start_lokikv() -> Server {
    Server::lokikv(&[
        "wal.fsync=no",
        "checkpoint.interval_s=0",
        "server.enable_debug_command=yes",
    ])
}

impl Pair {
    /// `redis` is right, `loki` is tested; connections speak RESP2 or RESP3.
    pub fn new(redis: Server, loki: Server, protocol: u8) -> Pair {
        let (links, history) = (BTreeMap::new(), VecDeque::new());
        Pair {
            redis,
            loki,
            protocol,
            links,
            history,
            steps: 0,
        }
    }

    /// The RESP version of this run.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Sends a command to both servers and compares their replies.
    pub fn step(&mut self, conn: u8, mode: Option<Mode>, args: &Args) -> Result<(), Box<Difference>> {
        self.remember(conn, args);
        let link = self.link(conn);
        let mode = mode.unwrap_or_else(|| link.mode_for(args));
        let sent = (link.redis.send(args), link.loki.send(args));
        let redis = sent.0.and_then(|()| link.redis.recv()).map_err(|e| e.kind());
        let loki = sent.1.and_then(|()| link.loki.recv()).map_err(|e| e.kind());
        link.note_transaction(args, redis.as_ref().ok());
        let outcome = match (&redis, &loki) {
            (Ok(redis), Ok(loki)) => compare(&mode, redis, loki),
            (Err(_), Err(_)) => Ok(()),
            _ => Err("one connection was closed, the other not".into()),
        };
        if redis.is_err() || loki.is_err() || is_quit(args) {
            self.links.remove(&conn);
        }
        let command = text::join(args);
        match outcome {
            Err(why) if known::covering(&command).is_none() => {
                let show = |r: Result<Reply, _>| r.map_or_else(|e| format!("({e})"), |r| show_reply(&r));
                Err(self.difference(command, why, show(redis), show(loki)))
            }
            _ => Ok(()),
        }
    }

    /// Sends a command that is not answered.
    pub fn step_unanswered(&mut self, conn: u8, args: &Args) {
        self.remember(conn, args);
        let link = self.link(conn);
        link.redis.send(args).expect("send to redis");
        link.loki.send(args).expect("send to lokikv");
    }

    /// A complete `SCAN` with these options on both: the same keys must come out.
    pub fn step_scan(&mut self, conn: u8, options: &[Vec<u8>]) -> Result<(), Box<Difference>> {
        let mut shown: Args = vec![b"SCAN".to_vec()];
        shown.extend_from_slice(options);
        self.remember(conn, &shown);
        let link = self.link(conn);
        let redis = scan_all(&mut link.redis, options);
        let loki = scan_all(&mut link.loki, options);
        if redis == loki {
            return Ok(());
        }
        Err(self.difference(
            text::join(&shown),
            "different iterations".into(),
            redis.to_string(),
            loki.to_string(),
        ))
    }

    /// Empties both servers and starts over with fresh connections.
    pub fn reset(&mut self) {
        self.links.clear();
        self.history.clear();
        for conn in [&mut self.redis.connect(), &mut self.loki.connect()] {
            assert_eq!(conn.call(&["FLUSHALL"]), Value::ok());
        }
    }

    /// Kills LokiKV, all that it did being in the log, and starts it again; connections are new afterwards.
    pub fn crash_loki(&mut self) {
        self.links.clear();
        wait_until_logged(&mut self.loki.connect());
        self.loki.kill9();
        self.loki.restart();
    }

    /// A difference found outside of a step, with the recent commands.
    pub fn difference(&self, command: String, why: String, redis: String, loki: String) -> Box<Difference> {
        let before = self.history.iter().cloned().collect();
        Box::new(Difference {
            step: self.steps,
            command,
            why,
            redis,
            loki,
            before,
        })
    }

    fn remember(&mut self, conn: u8, args: &Args) {
        self.steps += 1;
        if self.history.len() > HISTORY_LEN {
            self.history.pop_front();
        }
        self.history.push_back(format!("@{conn} {}", text::join(args)));
    }

    fn link(&mut self, conn: u8) -> &mut Link {
        let (redis, loki, protocol) = (&self.redis, &self.loki, self.protocol);
        self.links.entry(conn).or_insert_with(|| match protocol {
            3 => Link {
                redis: redis.connect3(),
                loki: loki.connect3(),
                queued: None,
            },
            _ => Link {
                redis: redis.connect(),
                loki: loki.connect(),
                queued: None,
            },
        })
    }
}

impl Link {
    fn mode_for(&self, args: &Args) -> Mode {
        match &self.queued {
            Some(modes) if is(args, "EXEC") => Mode::Exec(modes.clone()),
            Some(_) => Mode::Exact,
            None => default_mode(args),
        }
    }

    /// Follows MULTI as the peer sees it, to know in which modes EXEC's replies are to be compared.
    fn note_transaction(&mut self, args: &Args, redis: Option<&Reply>) {
        let queued = redis.is_some_and(|r| r.value == Value::Simple(b"QUEUED".to_vec()));
        let failed = redis.is_none_or(|r| r.value.is_error());
        match &mut self.queued {
            Some(modes) if queued => modes.push(default_mode(args)),
            Some(_) if is(args, "EXEC") || (!failed && (is(args, "DISCARD") || is(args, "RESET"))) => {
                self.queued = None
            }
            None if is(args, "MULTI") && !failed => self.queued = Some(Vec::new()),
            _ => {}
        }
    }
}

/// Without fsync, replies do not wait for the log, not even for its being written.
fn wait_until_logged(conn: &mut Conn) {
    let deadline = Instant::now() + LOGGED_TIME_MAX;
    loop {
        let info = conn.call(&["WAL", "INFO"]);
        if info.field("last-lsn") == info.field("written-lsn") {
            return;
        }
        assert!(Instant::now() < deadline, "the log is not written");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is(args: &Args, name: &str) -> bool {
    args.first().is_some_and(|a| a.eq_ignore_ascii_case(name.as_bytes()))
}

fn is_quit(args: &Args) -> bool {
    is(args, "QUIT")
}

fn show_reply(reply: &Reply) -> String {
    let raw = if reply.raw.len() <= 60 {
        format!("   raw {}", text::quote(&reply.raw))
    } else {
        String::new()
    };
    let mut shown = reply.value.to_string();
    if shown.len() > 2000 {
        shown = format!(
            "{}... ({} characters)",
            shown.chars().take(2000).collect::<String>(),
            shown.len()
        );
    }
    format!("{shown}{raw}")
}

/// All keys of a complete iteration, sorted, without repetitions (SCAN may repeat); or the error.
fn scan_all(conn: &mut Conn, options: &[Vec<u8>]) -> Value {
    let mut keys = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let mut command: Args = vec![b"SCAN".to_vec(), cursor];
        command.extend_from_slice(options);
        let reply = conn.call(&command);
        let [next, Value::Array(found)] = &reply.items()[..] else {
            return reply;
        };
        keys.extend(found.iter().cloned());
        cursor = next.bytes().unwrap_or_default().to_vec();
        if cursor == b"0" {
            keys.sort();
            keys.dedup();
            return Value::Array(keys);
        }
    }
}
