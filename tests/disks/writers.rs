//! Servers on a disk that the test controls, and clients of all types that write to them.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Ack, Client, monotonic_ns};
use crate::control::Control;
use crate::support::{Conn, Rng, Server, Value, env_number};

/// The policies, as `wal.fsync` names them.
pub const POLICIES: [&str; 3] = ["always", "everysec", "no"];
/// Between two batches of a client: a disk that is bad is met by few as well as by many.
const PAUSE: Duration = Duration::from_millis(4);
/// How soon after the cause has gone writes are accepted again.
const HEALED_MAX: Duration = Duration::from_secs(20);
/// Clients go on writing for so long once they are.
const AFTERWARDS: Duration = Duration::from_millis(200);

/// How long a disk is bad.
pub fn bad_time() -> Duration {
    Duration::from_secs(env_number("LOKIKV_SECONDS", 2))
}

/// How often all of it is done.
pub fn rounds() -> u64 {
    env_number("LOKIKV_ROUNDS", 1)
}

/// A server on a disk of ours, not started yet, which takes checkpoints only on command.
pub fn server_on(control: &Control, fsync: &str, segment_bytes: u64) -> Server {
    let mut server = Server::lokikv_stopped(&[
        &format!("wal.fsync={fsync}"),
        &format!("wal.segment_bytes={segment_bytes}"),
        "checkpoint.interval_s=0",
        "checkpoint.keep_count=2",
        // What a full disk does is to be seen, not what is done before.
        "storage.free_bytes_min=0",
    ]);
    for (name, value) in control.env() {
        server.set_env(name, Some(&value));
    }
    control.set_root(&server.data_dir());
    server
}

/// Clients that write.
pub struct Writers {
    clients: Vec<Client>,
}

impl Writers {
    pub fn new(count: usize, rng: &mut Rng) -> Writers {
        let seed = rng.next();
        let client = |number| {
            let mut client = Client::new(number, seed);
            client.may_be_refused = true;
            client.notes_acks = true;
            client
        };
        Writers {
            clients: (0..count).map(client).collect(),
        }
    }

    /// Has all of them write while `body` runs. Then they end what they have begun, unless the server has died.
    pub fn write_during<T>(&mut self, port: u16, body: impl FnOnce() -> T) -> T {
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _stop = Stop(&is_over);
            for client in &mut self.clients {
                let is_over = || is_over.load(Ordering::Relaxed);
                scope.spawn(move || client.write_while(port, PAUSE, is_over));
            }
            body()
        })
    }

    /// Writes while `be_bad` has the disk be bad and well again. Writes are accepted again by themselves then, and what
    /// is there, live, is what was acknowledged and nothing else.
    pub fn live_through(&mut self, server: &Server, what: &str, be_bad: impl FnOnce(&mut Conn)) {
        let mut conn = server.connect();
        let accepted: Vec<_> = self.clients.iter().map(|client| client.accepted_ns.clone()).collect();
        self.write_during(server.port(), || {
            be_bad(&mut conn);
            let (well, well_ns) = (Instant::now(), monotonic_ns());
            let reply = await_accepted(&mut conn);
            assert_eq!(reply, Value::ok(), "{what}: {reply}");
            while accepted
                .iter()
                .any(|accepted| accepted.load(Ordering::Relaxed) <= well_ns)
            {
                assert!(
                    well.elapsed() <= HEALED_MAX,
                    "{what}: a client is not acknowledged again"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(AFTERWARDS);
        });
        for client in &mut self.clients {
            assert_eq!(client.in_flight(), 0, "{what}: a client's writes are never answered");
            client.check(&mut conn);
        }
        let reply = conn.call(&["CHECKPOINT"]);
        assert!(!reply.is_error(), "{what}: {reply}");
        let (known, there) = (conn.wal_info("segments"), segments(server));
        assert_eq!(known, there.len() as i64, "{what}: there are {there:?}");
    }

    /// The server dies while they write, and starts again; then all is there.
    pub fn kill_and_check(&mut self, server: &mut Server, rng: &mut Rng) {
        let time = Duration::from_millis(rng.range(1, 100) as u64);
        self.write_during(server.port(), || {
            std::thread::sleep(time);
            server.kill9();
        });
        self.start_and_check(server);
    }

    /// What a server that has died has left is in order, and it starts with all that must be there.
    pub fn start_and_check(&mut self, server: &mut Server) {
        verify(server);
        server.restart();
        let mut conn = server.connect();
        self.clients.iter_mut().for_each(|client| client.check(&mut conn));
    }

    /// What was acknowledged to each client, when.
    pub fn acks(&self) -> impl Iterator<Item = &[Ack]> {
        self.clients.iter().map(|client| client.acks.as_slice())
    }

    /// Writes that were refused.
    pub fn refused(&self) -> u64 {
        self.clients.iter().map(|client| client.refused).sum()
    }
}

/// Waits until a write is accepted; the last reply.
fn await_accepted(conn: &mut Conn) -> Value {
    let since = Instant::now();
    loop {
        let reply = conn.call(&["SET", "probe", "x"]);
        if !reply.is_error() || since.elapsed() > HEALED_MAX {
            return reply;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The files of the log.
fn segments(server: &Server) -> Vec<String> {
    let entries = std::fs::read_dir(server.data_dir().join("wal")).expect("list");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".log")).collect()
}

/// What has been left on the disk is in order.
fn verify(server: &Server) {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    let output = verify
        .arg("verify")
        .arg(server.data_dir())
        .output()
        .expect("lokikv verify");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Runs `body` for each of `items`, several at a time: they sleep most of the time.
pub fn in_parallel<T: Sync>(items: &[T], at_a_time: usize, body: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_a_time.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    body(item);
                }
            });
        }
    });
}
