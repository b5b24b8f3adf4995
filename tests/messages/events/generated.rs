//! The events of generated commands: those that the differential suite's generator makes, after each of which what a
//! listener gets on both servers is compared. Replies are not: that suite does so.

use std::collections::VecDeque;
use std::time::Duration;

use super::prepare;
use crate::args;
use crate::beside::{start_lokikv, start_redis};
use crate::generate::{CONNECTIONS, Generator, Interruption, Step};
use crate::support::{Args, Conn, Server, Value, env_number, now_ms, seed, text};

/// Commands of all runs together, unless `LOKIKV_STEPS` says otherwise.
const STEPS_DEFAULT: u64 = 6_000;
/// How many runs share them.
const RUNS: u64 = 2;
/// How far apart the seeds of runs are.
const RUN_APART: u64 = 1 << 40;
/// Commands after which a new sequence begins.
const SEQUENCE_LEN: usize = 1_000;
/// How many commands are shown with a difference.
const HISTORY_LEN: usize = 40;

/// A server with the connections of the generator, and a listener.
struct Heard<'s> {
    server: &'s Server,
    conns: Vec<Conn>,
    listener: Conn,
    pings: u64,
}

impl<'s> Heard<'s> {
    fn new(server: &'s Server, protocol: u8) -> Self {
        let connect = || {
            if protocol == 3 {
                server.connect3()
            } else {
                server.connect()
            }
        };
        prepare(server);
        let mut conns: Vec<Conn> = (0..CONNECTIONS).map(|_| connect()).collect();
        conns[0].call(&["FLUSHALL"]);
        let mut listener = connect();
        listener.call(&["PSUBSCRIBE", "__key*__:*"]);
        Self {
            server,
            conns,
            listener,
            pings: 0,
        }
    }

    fn send(&mut self, conn: u8, args: &Args) {
        // A connection that has been closed is found so below.
        let _ = self.conns[usize::from(conn)].send(args);
    }

    /// Waits for the reply; whether it, and what a transaction answers, are errors.
    fn settle(&mut self, conn: u8) -> Vec<bool> {
        let conn = &mut self.conns[usize::from(conn)];
        let Ok(reply) = conn.recv() else {
            *conn = self.server.connect();
            return Vec::new();
        };
        let each = reply.value.items();
        let all = each.iter().chain([&reply.value]);
        all.map(Value::is_error).collect()
    }

    /// What the listener has been told.
    fn events(&mut self) -> Vec<String> {
        self.pings += 1;
        let token = Value::bulk(format!("token-{}", self.pings));
        self.listener.send(&[b"PING", token.bytes().unwrap()]).unwrap();
        let mut events = Vec::new();
        loop {
            let value = self.listener.recv().unwrap().value;
            let items = value.items();
            if value == token || items.last() == Some(&token) {
                return events;
            }
            let [channel, payload] = [&items[2], &items[3]].map(|part| text::quote(part.bytes().unwrap()));
            events.push(format!("{channel} {payload}"));
        }
    }
}

/// Whether what a command leads to is left to chance, or known to differ.
fn is_left_out(args: &Args) -> bool {
    let name = String::from_utf8_lossy(&args[0]).to_uppercase();
    matches!(name.as_str(), "SPOP" | "RESET" | "OBJECT")
}

fn take(sides: &mut [Heard<'_>; 2], step: &Step) -> Result<(), String> {
    let mut commands = vec![step.args.clone()];
    if let Some(key) = &step.expiring_key {
        commands.push(args!["EXISTS", key]);
    }
    let mut agree = true;
    for (at, args) in commands.iter().enumerate() {
        if at > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        sides.iter_mut().for_each(|side| side.send(step.conn, args));
        let [theirs, ours] = sides.each_mut().map(|side| side.settle(step.conn));
        agree &= theirs == ours || args[0] != b"EXEC" && theirs.last() == ours.last();
    }
    let [theirs, ours] = sides.each_mut().map(Heard::events);
    // Some arguments are new in Redis 8.2, or were dropped.
    if theirs == ours || !agree {
        return Ok(());
    }
    let at = theirs.iter().zip(&ours).take_while(|(one, other)| one == other).count();
    let [theirs, ours] = [&theirs[at..], &ours[at..]];
    Err(format!("   redis: {theirs:?}\n   loki:  {ours:?}\n"))
}

fn run(number: u64, protocol: u8, peer: fn() -> Server, step: fn(&mut Generator) -> Step) {
    let (redis, loki) = (start_redis(), peer());
    let seed = seed();
    let total = (env_number("LOKIKV_STEPS", STEPS_DEFAULT) / RUNS) as usize;
    for done in (0..total).step_by(SEQUENCE_LEN) {
        let sequence_seed = seed.wrapping_add(done as u64);
        let mut generator = Generator::new(sequence_seed.wrapping_add(number * RUN_APART), now_ms());
        let mut sides = [Heard::new(&redis, protocol), Heard::new(&loki, protocol)];
        let mut history = VecDeque::new();
        for at in 0..SEQUENCE_LEN.min(total - done) {
            let step = step(&mut generator);
            if step.interruption == Some(Interruption::Crash) {
                // The generator thinks that the connections are new.
                for side in &mut sides {
                    side.conns.iter_mut().for_each(|conn| *conn = side.server.connect());
                }
            }
            if is_left_out(&step.args) {
                continue;
            }
            history.push_back(format!("{step}"));
            if history.len() > HISTORY_LEN {
                history.pop_front();
            }
            if let Err(why) = take(&mut sides, &step) {
                let history: String = history.into_iter().collect();
                panic!("RESP{protocol}, LOKIKV_SEED={sequence_seed}, step {at}:\n{why}after:\n{history}");
            }
        }
    }
    eprintln!("RESP{protocol}: events of {total} commands, no difference");
}

#[test]
fn events_of_generated_commands_resp2() {
    run(0, 2, start_lokikv, Generator::step);
}

#[test]
fn events_of_generated_commands_resp3() {
    run(1, 3, start_lokikv, Generator::step);
}

#[test]
#[ignore = "checks the generator, not the server"]
fn events_of_generated_commands_of_redis_itself() {
    run(0, 2, start_redis, Generator::step);
    run(1, 3, start_redis, Generator::step);
    run(2, 3, start_redis, Generator::stream_step);
}
