//! A writing client that knows what the server has promised it.
//!
//! **Invariant:** `acknowledged` is the state that all its acknowledged writes make; what was sent and not answered
//! when the server died is in `in_flight`, and may be there or not.

#![allow(dead_code, reason = "each suite that includes this module uses its own part of it")]

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::args;
use crate::containers;
use crate::model::{Entry, Op, State};
use crate::support::{Args, Conn, Rng, Value};

/// An acknowledged batch that has changed something, on the clock of [`monotonic_ns`].
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    pub sent_ns: u64,
    pub came_ns: u64,
}

/// What one client knows.
#[derive(Debug)]
pub struct Client {
    number: usize,
    rng: Rng,
    pub sequence: u64,
    acknowledged: State,
    in_flight: VecDeque<Op>,
    /// Writes may be refused (`MISCONF`): then they are not done.
    pub may_be_refused: bool,
    pub refused: u64,
    /// Whether it is noted when changes were acknowledged.
    pub notes_acks: bool,
    pub acks: Vec<Ack>,
    /// When a write of it was last accepted.
    pub accepted_ns: Arc<AtomicU64>,
}

impl Client {
    pub fn new(number: usize, seed: u64) -> Client {
        let rng = Rng::new(seed.wrapping_mul(31).wrapping_add(number as u64));
        Client {
            number,
            rng,
            sequence: 0,
            acknowledged: State::new(),
            in_flight: VecDeque::new(),
            may_be_refused: false,
            refused: 0,
            notes_acks: false,
            acks: Vec::new(),
            accepted_ns: Arc::default(),
        }
    }

    /// Writes until the server is gone, or `is_over` says so between two batches, which are `pause` apart.
    pub fn write_while(&mut self, port: u16, pause: Duration, is_over: impl Fn() -> bool) {
        let Ok(mut conn) = Conn::connect(port) else { return };
        while !is_over() && self.write_batch(&mut conn).is_ok() {
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
    }

    fn write_batch(&mut self, conn: &mut Conn) -> io::Result<()> {
        let mut request = Vec::new();
        for _ in 0..=self.rng.below(4) {
            self.sequence += 1;
            let op = Op::random(&mut self.rng, self.number, self.sequence);
            op.commands()
                .iter()
                .for_each(|command| crate::support::conn::encode(command, &mut request));
            self.in_flight.push_back(op);
        }
        let (sent_ns, mut has_changed) = (monotonic_ns(), false);
        conn.send_raw(&request)?;
        while let Some(op) = self.in_flight.front() {
            // MULTI and the queued commands are answered first; what counts is EXEC's reply.
            for _ in 1..op.commands().len() {
                let queued = conn.recv()?.value;
                assert!(self.is_refusal(&queued) || !queued.is_error(), "{op:?}: {queued}");
            }
            let reply = conn.recv()?.value;
            if self.is_refusal(&reply) {
                self.refused += 1;
            } else {
                self.accepted_ns.store(monotonic_ns(), Ordering::Relaxed);
                let before = self.notes_acks.then(|| self.acknowledged.clone());
                let expected = op.apply(&mut self.acknowledged);
                assert_eq!(reply, expected, "client {}: {op:?}", self.number);
                has_changed |= before.is_some_and(|before| before != self.acknowledged);
            }
            self.in_flight.pop_front();
        }
        if has_changed {
            let came_ns = monotonic_ns();
            self.acks.push(Ack { sent_ns, came_ns });
        }
        Ok(())
    }

    fn is_refusal(&self, reply: &Value) -> bool {
        let Value::Error(text) = reply else { return false };
        self.may_be_refused && (text.starts_with(b"MISCONF") || text.starts_with(b"EXECABORT"))
    }

    /// Writes that were sent and not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Compares what is there with what must be, and goes on from it. Of the writes in flight a prefix may be there;
    /// where some may have been refused, any of them.
    pub fn check(&mut self, conn: &mut Conn) {
        let found = read_state(conn, self.number);
        let in_flight: Vec<Op> = self.in_flight.drain(..).collect();
        let after = |is_done: &dyn Fn(usize) -> bool| {
            let mut state = self.acknowledged.clone();
            let done = in_flight.iter().enumerate().filter(|(at, _)| is_done(*at));
            done.for_each(|(_, op)| drop(op.apply(&mut state)));
            state == found
        };
        let matches = match self.may_be_refused {
            true => (0..1_u32 << in_flight.len()).any(|done| after(&|at| done >> at & 1 == 1)),
            false => (0..=in_flight.len()).any(|done| after(&|at| at < done)),
        };
        assert!(
            matches,
            "client {}: {}",
            self.number,
            describe(&self.acknowledged, &found)
        );
        self.acknowledged = found;
    }
}

/// The clock of this machine that all processes read, from an instant that does not matter.
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in the struct, which lives through the call.
    let rc = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    assert_eq!(rc, 0, "clock_gettime");
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn describe(acknowledged: &State, found: &State) -> String {
    let short = |entry: Option<&Entry>| match entry {
        Some(e) => format!(
            "{} expires={}",
            crate::support::text::quote(&e.value[..e.value.len().min(60)]),
            e.expires
        ),
        None => "nothing".to_string(),
    };
    let keys: BTreeSet<&String> = acknowledged.keys().chain(found.keys()).collect();
    let differing = keys.into_iter().filter(|k| acknowledged.get(*k) != found.get(*k));
    let lines = differing.map(|k| {
        format!(
            "\n  {k}: acknowledged {}, found {}",
            short(acknowledged.get(k)),
            short(found.get(k))
        )
    });
    format!(
        "neither the acknowledged state nor one with writes that were in flight:{}",
        lines.collect::<String>()
    )
}

/// All keys of a client, as they are on the server.
fn read_state(conn: &mut Conn, client: usize) -> State {
    let mut state = State::new();
    for key in conn.call(&["KEYS", &format!("c{client}:*")]).items() {
        let name = key.text();
        let commands: Vec<Args> = vec![args!["TYPE", name], args!["TTL", name]];
        let replies = conn.pipeline(&commands).expect("read back");
        let value = match replies[0].text().as_str() {
            "string" => conn.call(&["GET", &name]).bytes().expect("a value").to_vec(),
            kind => containers::read(conn, &name, kind).join("\n").into_bytes(),
        };
        state.insert(
            name,
            Entry {
                value,
                expires: replies[1] != Value::Int(-1),
            },
        );
    }
    state
}
