//! A killed process loses no acknowledged write, whatever `wal.fsync` says; groups are atomic.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::model::{Entry, Op, State};
use crate::support::{Args, Conn, Rng, Server, Value, seed};
use crate::{args, checkpoint_at_random, containers, rounds, start_lokikv, turn_kind};

/// Clients writing at the same time.
const CLIENTS: usize = 20;

/// What one client knows: the state all its acknowledged writes make, and the writes sent but not answered.
#[derive(Debug)]
struct Client {
    number: usize,
    rng: Rng,
    sequence: u64,
    acknowledged: State,
    in_flight: VecDeque<Op>,
}

impl Client {
    fn new(number: usize, seed: u64) -> Client {
        let rng = Rng::new(seed.wrapping_mul(31).wrapping_add(number as u64));
        Client {
            number,
            rng,
            sequence: 0,
            acknowledged: State::new(),
            in_flight: VecDeque::new(),
        }
    }

    /// Writes until the server is gone.
    fn write_until_killed(&mut self, port: u16) {
        let Ok(mut conn) = Conn::connect(port) else { return };
        while self.write_batch(&mut conn).is_ok() {}
    }

    fn write_batch(&mut self, conn: &mut Conn) -> std::io::Result<()> {
        let mut request = Vec::new();
        for _ in 0..=self.rng.below(4) {
            self.sequence += 1;
            let op = Op::random(&mut self.rng, self.number, self.sequence);
            op.commands()
                .iter()
                .for_each(|command| crate::support::conn::encode(command, &mut request));
            self.in_flight.push_back(op);
        }
        conn.send_raw(&request)?;
        while let Some(op) = self.in_flight.front() {
            // MULTI and the queued commands are answered first; what counts is EXEC's reply.
            for _ in 1..op.commands().len() {
                let queued = conn.recv()?.value;
                assert!(!queued.is_error(), "{op:?}: {queued}");
            }
            let reply = conn.recv()?.value;
            let expected = op.apply(&mut self.acknowledged);
            assert_eq!(reply, expected, "client {}: {op:?}", self.number);
            self.in_flight.pop_front();
        }
        Ok(())
    }

    /// Compares what is there with what must be, and goes on from it.
    fn check(&mut self, conn: &mut Conn) {
        let found = read_state(conn, self.number);
        let mut allowed = self.acknowledged.clone();
        let mut matches = allowed == found;
        for op in self.in_flight.drain(..) {
            if matches {
                break;
            }
            op.apply(&mut allowed);
            matches = allowed == found;
        }
        assert!(
            matches,
            "client {}: {}",
            self.number,
            describe(&self.acknowledged, &found)
        );
        self.acknowledged = found;
    }
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
    let keys: std::collections::BTreeSet<&String> = acknowledged.keys().chain(found.keys()).collect();
    let differing = keys.into_iter().filter(|k| acknowledged.get(*k) != found.get(*k));
    let lines = differing.map(|k| {
        format!(
            "\n  {k}: acknowledged {}, found {}",
            short(acknowledged.get(k)),
            short(found.get(k))
        )
    });
    format!(
        "neither the acknowledged state nor one with a prefix of the writes in flight:{}",
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

fn kill_rounds(mut server: Server, checkpoint_command: &str, rounds: u64) {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, seed)).collect();
    for round in 0..rounds {
        turn_kind(&server, checkpoint_command, round);
        let port = server.port();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> = clients
                .iter_mut()
                .map(|client| scope.spawn(move || client.write_until_killed(port)))
                .collect();
            let checkpoints = (!rng.one_in(4)).then(|| Rng::new(rng.next()));
            if let Some(rng) = checkpoints {
                scope.spawn(|| checkpoint_at_random(port, checkpoint_command, rng, &stop));
            }
            std::thread::sleep(Duration::from_millis(rng.range(20, 700) as u64));
            server.kill9();
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().for_each(|w| w.join().expect("a writer"));
        });
        server.restart();
        let mut conn = server.connect();
        clients.iter_mut().for_each(|client| client.check(&mut conn));
        let writes: u64 = clients.iter().map(|c| c.sequence).sum();
        eprintln!("round {round}: {writes} writes so far, all as they must be");
    }
}

#[test]
fn acknowledged_writes_survive_kill_always() {
    kill_rounds(start_lokikv("always"), "CHECKPOINT", rounds());
}

#[test]
fn acknowledged_writes_survive_kill_everysec() {
    kill_rounds(start_lokikv("everysec"), "CHECKPOINT", rounds());
}

#[test]
fn acknowledged_writes_survive_kill_no_fsync() {
    kill_rounds(start_lokikv("no"), "CHECKPOINT", rounds());
}

/// Recovery may itself be cut off: killed again and again while starting, nothing is lost.
#[test]
fn kill_during_recovery() {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let mut server = start_lokikv("always");
    let mut client = Client::new(0, seed);
    for _ in 0..rounds() {
        let port = server.port();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| client.write_until_killed(port));
            std::thread::sleep(Duration::from_millis(200));
            server.kill9();
            writer.join().expect("the writer");
        });
        for _ in 0..3 {
            server.start_and_kill_after(Duration::from_micros(rng.range(0, 60_000) as u64));
        }
        server.restart();
        client.check(&mut server.connect());
    }
}

#[cfg(feature = "peer-tests")]
#[test]
#[ignore = "checks the checker, not the server"]
fn redis_passes_the_check() {
    kill_rounds(
        Server::redis(&["--appendonly", "yes", "--appendfsync", "always"]),
        "BGREWRITEAOF",
        rounds(),
    );
}
