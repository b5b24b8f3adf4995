//! A weighted random generator of command sequences, the same for the same seed.
//!
//! **Invariants**: steps are made without looking at replies, so any part of a sequence can be run again by itself; no
//! reply depends on when exactly a step runs: times to live are over 100 s, in the past, or tiny and then waited out.

mod beyond;
mod bits;
mod blocking;
mod containers;
mod fields;
mod keys;
mod streams;
mod streams_today;
mod strings;
mod values;
mod vectors;
mod zset;

use std::fmt;

use crate::args;
use crate::support::{Args, Rng, text};

/// Connections a sequence is spread over.
pub const CONNECTIONS: u8 = 3;

/// Databases that sequences use.
pub const DATABASES: u8 = 4;

/// One step of a sequence.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which connection.
    pub conn: u8,
    /// The command.
    pub args: Args,
    /// The command gave this key a tiny (or past) time to live: wait until it is over, then touch the key, since a key
    /// that has expired but was not yet noticed is still counted by DBSIZE.
    pub expiring_key: Option<Vec<u8>>,
    /// What befalls LokiKV before the command.
    pub interruption: Option<Interruption>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interruption) = self.interruption {
            writeln!(f, "# {interruption:?}")?;
        }
        writeln!(f, "@{} {}", self.conn, text::join(&self.args))
    }
}

/// What may befall LokiKV amid a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It takes a checkpoint.
    Checkpoint,
    /// It is killed and started again; all connections are new.
    Crash,
}

/// What the generator remembers.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
    /// Which connections are inside MULTI.
    in_multi: [bool; CONNECTIONS as usize],
    now_ms: i64,
    expiring_key: Option<Vec<u8>>,
    tiny_allowed: bool,
    /// Whether keys get times to live; else all other commands come more often.
    has_expiry: bool,
    /// Whether the sequence is interrupted; else its end is restored from the log alone.
    has_interruptions: bool,
}

type Make = fn(&mut Generator) -> Args;

/// Families and how often each is chosen.
const FAMILIES: &[(u32, Make)] = &[
    (34, Generator::string_command),
    (26, Generator::key_command),
    (14, Generator::bit_command),
    (10, Generator::hyperloglog_command),
    (16, Generator::stream_command),
    (14, Generator::list_command),
    (14, Generator::set_command),
    (14, Generator::hash_command),
    (10, Generator::field_command),
    (14, Generator::zset_command),
    (8, Generator::geo_command),
    (4, Generator::sort_command),
    (2, Generator::blocking_command),
    (5, Generator::server_command),
    (5, Generator::connection_command),
];

impl Generator {
    /// A generator for `seed`. `now_ms` is the clock absolute times are made from.
    pub fn new(seed: u64, now_ms: i64) -> Generator {
        let in_multi = [false; CONNECTIONS as usize];
        let mut rng = Rng::new(seed);
        let (has_expiry, has_interruptions) = (!rng.one_in(3), rng.one_in(2));
        Generator {
            rng,
            in_multi,
            now_ms,
            expiring_key: None,
            tiny_allowed: true,
            has_expiry,
            has_interruptions,
        }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        let interruption = self.interruption();
        if interruption == Some(Interruption::Crash) {
            self.in_multi = [false; CONNECTIONS as usize];
        }
        let conn = self.rng.below(CONNECTIONS as usize);
        self.expiring_key = None;
        self.tiny_allowed = !self.in_multi[conn];
        let args = if self.rng.one_in(12) {
            self.transaction_command(conn)
        } else {
            self.data_command()
        };
        Step {
            conn: conn as u8,
            args,
            expiring_key: self.expiring_key.take(),
            interruption,
        }
    }

    /// The next step of a sequence of commands on streams, as Redis 8.2 has them.
    pub fn stream_step(&mut self) -> Step {
        self.step_of(Self::stream_command_of_today)
    }

    /// The next step of a sequence of commands on vector sets.
    pub fn vector_step(&mut self) -> Step {
        self.step_of(Self::vector_command)
    }

    /// The next step of a sequence of what Valkey has beyond Redis.
    pub fn step_beyond(&mut self) -> Step {
        self.step_of(Self::command_beyond)
    }

    fn step_of(&mut self, make: Make) -> Step {
        let interruption = self.interruption();
        self.expiring_key = None;
        let args = make(self);
        Step {
            conn: self.rng.below(CONNECTIONS as usize) as u8,
            args,
            expiring_key: self.expiring_key.take(),
            interruption,
        }
    }

    fn interruption(&mut self) -> Option<Interruption> {
        let is_due = self.has_interruptions && self.rng.one_in(1_000);
        is_due.then(|| {
            *self
                .rng
                .pick(&[Interruption::Checkpoint, Interruption::Checkpoint, Interruption::Crash])
        })
    }

    fn data_command(&mut self) -> Args {
        loop {
            let args = self.any_command();
            if self.has_expiry || !sets_expiry(&args) {
                return args;
            }
            self.expiring_key = None;
        }
    }

    fn any_command(&mut self) -> Args {
        let total: u32 = FAMILIES.iter().map(|(weight, _)| weight).sum();
        let mut draw = self.rng.below(total as usize) as u32;
        let mut args = Args::new();
        for (weight, make) in FAMILIES {
            if draw < *weight {
                args = make(self);
                break;
            }
            draw -= weight;
        }
        // With another number of arguments, SPOP would take members by chance, and ZRANK, XREAD and XREADGROUP are
        // known to differ (D20, D54). With another timeout, a command would wait long.
        let name = args[0].to_ascii_uppercase();
        let may_spoil = !matches!(
            name.as_slice(),
            b"SPOP" | b"ZRANK" | b"ZREVRANK" | b"XREAD" | b"XREADGROUP"
        ) && !blocking::waits(&args);
        if may_spoil && self.expiring_key.is_none() && self.rng.one_in(40) {
            self.spoil(&mut args);
        }
        args
    }

    fn transaction_command(&mut self, conn: usize) -> Args {
        let started = self.in_multi[conn];
        let args = match self.rng.below(if started { 6 } else { 12 }) {
            0 | 1 if started => args!["EXEC"],
            2 if started && self.rng.one_in(3) => args!["DISCARD"],
            0..5 if started => self.data_command(),
            0..5 => args!["MULTI"],
            5 if self.rng.one_in(3) => args!["UNWATCH"],
            6 if self.rng.one_in(4) => args!["EXEC"],
            7 if self.rng.one_in(4) => args!["DISCARD"],
            8 if self.rng.one_in(8) => args!["RESET"],
            _ => {
                let mut args = args!["WATCH"];
                args.extend((0..=self.rng.below(3)).map(|_| self.key()));
                args
            }
        };
        match args[0].as_slice() {
            b"MULTI" => self.in_multi[conn] = true,
            b"EXEC" | b"DISCARD" | b"RESET" => self.in_multi[conn] = false,
            _ => {}
        }
        args
    }

    /// Makes a command wrong: an argument missing, one too many, or a strange one.
    fn spoil(&mut self, args: &mut Args) {
        const STRANGE: &[&[u8]] = &[
            b"",
            b"abc",
            b"-1",
            b"99999999999999999999",
            b"1.5",
            b"\xff\x00",
            b"nan",
            b" 12",
            b"0x10",
            b"+5",
            b"XX",
        ];
        let at = 1 + self.rng.below(args.len());
        // Valkey's HSETEX takes the last, and so do we.
        let strange = match args[0].as_slice() {
            b"HSETEX" => &STRANGE[..STRANGE.len() - 1],
            _ => STRANGE,
        };
        match self.rng.below(3) {
            0 if at < args.len() => drop(args.remove(at)),
            1 => args.insert(at.min(args.len()), self.rng.pick(strange).to_vec()),
            _ if at < args.len() => args[at] = self.rng.pick(strange).to_vec(),
            _ => args.push(b"extra".to_vec()),
        }
    }

    fn hyperloglog_command(&mut self) -> Args {
        match self.rng.below(10) {
            0..5 => {
                let key = if self.rng.one_in(12) {
                    self.key()
                } else {
                    self.log_key()
                };
                let mut args = args!["PFADD", key];
                let (count, space) = if self.rng.one_in(30) {
                    (400, 100_000)
                } else {
                    (self.rng.below(6), 5_000)
                };
                args.extend((0..count).map(|_| format!("e{}", self.rng.below(space)).into_bytes()));
                args
            }
            5 | 6 => {
                let mut args = args!["PFCOUNT"];
                args.extend((0..=self.rng.below(3)).map(|_| self.log_key()));
                args
            }
            7 => {
                let mut args = args!["PFMERGE"];
                args.extend((0..=self.rng.below(3)).map(|_| self.log_key()));
                args
            }
            8 => args!["GET", self.log_key()],
            // In the header only: with damaged registers Redis keeps what it added before it noticed (D15).
            _ if self.rng.one_in(4) => args!["SETRANGE", self.log_key(), self.rng.below(16).to_string(), "Z"],
            _ if self.rng.one_in(4) => args!["SET", self.log_key(), self.value()],
            _ => args!["STRLEN", self.log_key()],
        }
    }

    fn server_command(&mut self) -> Args {
        match self.rng.below(12) {
            0..4 => args!["DBSIZE"],
            4 => args!["SWAPDB", self.database(), self.database()],
            5 if self.rng.one_in(6) => args!["FLUSHDB", self.rng.pick(&["SYNC", "ASYNC", "sync"])],
            5 if self.rng.one_in(6) => args!["FLUSHALL"],
            6 => args!["TIME"],
            7 => args!["KEYS", self.pattern()],
            8 => args!["RANDOMKEY"],
            _ => args!["SCAN", "0", "MATCH", self.pattern(), "COUNT", "100"],
        }
    }

    fn connection_command(&mut self) -> Args {
        match self.rng.below(8) {
            0 => args!["PING"],
            1 => args!["ECHO", self.value()],
            2 => args!["CLIENT", "GETNAME"],
            3 => args!["PING", self.value()],
            _ => args!["SELECT", self.database()],
        }
    }

    fn database(&mut self) -> String {
        self.rng.below(DATABASES as usize).to_string()
    }
}

/// Whether a command can give a key, or a field, a time to live.
fn sets_expiry(args: &Args) -> bool {
    const OPTIONS: &[&[u8]] = &[b"EX", b"PX", b"EXAT", b"PXAT"];
    let is_option = |arg: &Vec<u8>| OPTIONS.iter().any(|option| arg.eq_ignore_ascii_case(option));
    match args[0].to_ascii_uppercase().as_slice() {
        b"EXPIRE" | b"PEXPIRE" | b"EXPIREAT" | b"PEXPIREAT" | b"SETEX" | b"PSETEX" => true,
        b"HEXPIRE" | b"HPEXPIRE" | b"HEXPIREAT" | b"HPEXPIREAT" => true,
        b"SET" | b"GETEX" | b"HGETEX" | b"HSETEX" => args.iter().any(is_option),
        _ => false,
    }
}
