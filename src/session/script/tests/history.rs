//! Histories: scripts that are ended at each of their points, one after the other, until they come to their ends;
//! alone, under the locks of their keys, as a part of a transaction. Checkpoints run beside them, and the power is cut.
//!
//! `LOKIKV_STEPS=1000 cargo test --release --lib -- --nocapture script::tests::history` ends so many scripts in
//! collections of each kind, each at all of its points.

use std::sync::Arc;

use super::bench::{Bench, Client, on_disk};
use super::written::{BY_HAND, Scripts};
use crate::commands::undo_tests::lines::FIRST;
use crate::commands::undo_tests::state::{Data, State};
use crate::engine::index::Kind;
use crate::storage::fault::FaultDisk;
use crate::test_histories::each;
use crate::wal::Lsn;

/// Scripts of a history, those by hand included.
const SCRIPTS: u64 = 10;
/// No script has so many points.
const POINTS_MAX: u64 = 2_000;
const KILLED: &str = "-ERR Script killed by user with SCRIPT KILL";
/// Keys of all names that random commands use.
const KEYS: &[(&str, usize)] = &[
    ("s", 6),
    ("n", 3),
    ("b", 3),
    ("p", 3),
    ("l", 5),
    ("t", 5),
    ("h", 5),
    ("z", 5),
    ("g", 2),
    ("x", 3),
];
/// What dies before each script: it is found dead by it, and there again.
const DYING: &[&str] = &[
    "SET s5 dying PX 1",
    "DEL l4 z4 h4 t4",
    "RPUSH l4 a b c",
    "PEXPIRE l4 1",
    "ZADD z4 1 a",
    "PEXPIRE z4 1",
    "HSET h4 f1 v f2 v f3 v",
    "HPEXPIRE h4 1 FIELDS 2 f1 f2",
    "SADDEX t4 PX 1 MEMBERS 2 f1 f2",
    "SADD t4 f3",
    "SET many:1 dying PX 1",
];
const WAITING: &[&str] = &[
    "BLPOP wanted:list 0",
    "BLMOVE wanted:list moved LEFT LEFT 0",
    "BZPOPMIN wanted:zset 0",
    "XREAD BLOCK 0 STREAMS wanted:stream $",
];

/// What those who wait change once they are served, each by a record of its own behind the script's.
const SERVED: &[&[u8]] = &[b"wanted:list", b"moved", b"wanted:zset"];

/// How a script is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Under the locks of all keys that it may use.
    Within,
    Alone,
    /// In a transaction that goes on.
    Exec,
    /// In the middle of one that is rolled back.
    Rollback,
}

const WAYS: [Way; 4] = [Way::Within, Way::Alone, Way::Exec, Way::Rollback];

/// Those who must not learn of what is taken back.
struct Audience {
    waiting: Vec<Client>,
    watcher: Client,
}

impl Audience {
    fn of(bench: &Bench) -> Self {
        let waiting = (10..).zip(WAITING).map(|(id, line)| {
            let mut client = bench.client(id);
            assert_eq!(client.say(bench, line), "", "{line} waits");
            client
        });
        let waiting = waiting.collect();
        let mut watcher = bench.client(3);
        watcher.say(bench, &format!("WATCH {} wanted:list new many:1", keys().join(" ")));
        bench.take_told();
        Self { waiting, watcher }
    }

    fn check(&mut self, bench: &Bench) {
        for (client, line) in self.waiting.iter_mut().zip(WAITING) {
            assert!(client.is_blocked(bench), "{line} was served");
        }
        assert!(!self.watcher.has_watched_change());
        assert_eq!(bench.take_told(), 0, "somebody was told of it");
    }

    fn leave(self, bench: &Bench) {
        self.waiting.into_iter().for_each(|client| client.leave(bench));
        self.watcher.leave(bench);
    }
}

fn keys() -> Vec<String> {
    let keys = KEYS
        .iter()
        .flat_map(|(name, count)| (0..*count).map(move |n| format!("{name}{n}")));
    keys.collect()
}

struct Run {
    kind: Kind,
    bench: Bench,
    conn: Client,
    scripts: Scripts,
    /// Up to which record all is on disk.
    durable: Lsn,
    killed: u64,
}

impl Run {
    fn new(seed: u64, kind: Kind) -> Self {
        let disk = FaultDisk::new(seed);
        let bench = Bench::start(&disk, kind);
        let conn = bench.client(1);
        let mut run = Self {
            kind,
            bench,
            conn,
            scripts: Scripts::new(seed),
            durable: Lsn::ZERO,
            killed: 0,
        };
        run.listen();
        run.fill();
        run
    }

    /// Somebody hears of everything.
    fn listen(&mut self) {
        let mut listener = self.bench.client(2);
        self.say("CONFIG SET notify-keyspace-events KEAnm");
        listener.say(&self.bench, "PSUBSCRIBE *");
        std::mem::forget(listener);
    }

    fn say(&mut self, line: &str) -> String {
        self.conn.say(&self.bench, line)
    }

    /// Puts something of each type there, big and small.
    fn fill(&mut self) {
        self.say("FLUSHALL");
        for line in FIRST {
            self.say(line);
        }
        for line in self.scripts.lines().big() {
            assert!(!self.say(&line).starts_with('-'), "{line}");
        }
        for _ in 0..150 {
            let line = self.scripts.lines().next();
            // Outside a script some block, and would be served by a record that no script wrote.
            if !["FLUSH", "SWAPDB", "DELCOL", "COLLECTION", "BL", "BZ"]
                .iter()
                .any(|name| line.starts_with(name))
            {
                self.say(&line);
            }
        }
    }

    /// Lets keys and fields die that a script may find.
    fn let_some_die(&mut self) {
        DYING.iter().for_each(|line| drop(self.say(line)));
        std::thread::sleep(std::time::Duration::from_millis(3));
    }

    /// Runs a script, which ends at its point `stop_at`; whether it was ended there.
    fn run(&mut self, script: &str, way: Way, stop_at: u64) -> bool {
        let stop_at = format!("stop-at:{stop_at}");
        let keys = if way == Way::Within { keys() } else { Vec::new() };
        let count = keys.len().to_string();
        let mut request: Vec<&[u8]> = vec![b"EVAL", script.as_bytes(), count.as_bytes()];
        request.extend(keys.iter().map(|key| key.as_bytes()));
        request.push(stop_at.as_bytes());
        let (conn, bench) = (&mut self.conn, &self.bench);
        match way {
            Way::Within | Way::Alone => conn.call(bench, &request).starts_with(KILLED),
            Way::Exec => {
                conn.say(bench, "MULTI");
                conn.call(bench, &request);
                conn.say(bench, "EXEC").contains(KILLED)
            }
            Way::Rollback => {
                conn.say(bench, "MULTI");
                conn.say(bench, "SET s1 first");
                conn.say(bench, "RPUSH wanted:list first");
                conn.call(bench, &request);
                conn.say(bench, "SET s2 last");
                let reply = conn.say(bench, "EXEC ROLLBACK");
                let is_back = reply.starts_with("-EXECABORT Transaction rolled back: command 3 of 4 failed: ");
                assert_eq!(is_back, reply.starts_with('-'), "{reply}");
                is_back && reply.contains(&KILLED[1..])
            }
        }
    }

    /// Ends a script at each of its points, and then lets it come to its end.
    fn script(&mut self, script: &str, way: Way) {
        self.let_some_die();
        let mut audience = Audience::of(&self.bench);
        let before = self.bench.state();
        self.bench.sync();
        self.durable = self.bench.last_lsn();
        let server = Arc::clone(&self.bench.cx.server);
        let checkpoint = std::thread::spawn(move || server.checkpoints.checkpoint_blocking());
        for nth in 1..POINTS_MAX {
            let lsn = self.bench.last_lsn();
            if !self.run(script, way, nth) {
                checkpoint.join().unwrap().unwrap();
                audience.leave(&self.bench);
                self.cut_power(&before.data(), lsn);
                self.killed += nth - 1;
                return;
            }
            let after = self.bench.state();
            assert!(
                before == after,
                "{way:?}, ended at {nth}: {}\n{script}",
                before.difference(&after)
            );
            audience.check(&self.bench);
        }
        panic!("the script has too many points: {script}");
    }

    /// What is there after a power cut, and after a kill: the data before the script, up to the record `lsn`, or that
    /// behind it. In between are the records of those who were served.
    fn cut_power(&mut self, before: &Data, lsn: Lsn) {
        let after = self.bench.state().data();
        let last_lsn = self.bench.last_lsn();
        let fork = self.bench.disk.fork();
        let (at, found) = on_disk(&fork.crash());
        assert!(at >= self.durable, "{at} of {}", self.durable);
        if at <= lsn {
            assert_same(&found, before, "after a power cut");
        } else if at < last_lsn {
            assert_same(
                &without_served(found),
                &without_served(after.clone()),
                "after a power cut",
            );
        } else {
            assert_same(&found, &after, "after a power cut");
        }
        self.bench.sync();
        let (_, found) = on_disk(&self.bench.disk.fork().kill());
        assert_same(&found, &after, "after a kill");
        if self.scripts.below(3) == 0 {
            self.start_again();
        }
    }

    fn start_again(&mut self) {
        let before = self.bench.state().data();
        let disk = self.bench.disk.crash();
        self.bench = Bench::start(&disk, self.kind);
        self.conn = self.bench.client(1);
        assert_same(&self.bench.state().data(), &before, "after a start");
        self.listen();
    }
}

fn without_served(mut data: Data) -> Data {
    for keys in data.values_mut() {
        keys.retain(|key, _| !SERVED.contains(&key.as_slice()));
    }
    data
}

fn assert_same(found: &Data, expected: &Data, what: &str) {
    assert!(found.keys().eq(expected.keys()), "{what}: other collections");
    for (name, keys) in expected {
        let found = &found[name];
        for key in keys.keys().chain(found.keys()) {
            let (was, is) = (keys.get(key), found.get(key));
            let shown = |value: Option<&Vec<u8>>| {
                let value = value.map(|value| value.iter().rev().take(200).rev().copied().collect::<Vec<u8>>());
                value.map_or("nothing".to_owned(), |value| value.escape_ascii().to_string())
            };
            assert!(
                was == is,
                "{what}: {name} {}: {}, {} expected",
                key.escape_ascii(),
                shown(is),
                shown(was)
            );
        }
    }
}

fn histories_of(kind: Kind) {
    each(|seed| {
        let mut run = Run::new(seed, kind);
        for number in 0..SCRIPTS {
            let way = WAYS[run.scripts.below(4) as usize];
            let script = match BY_HAND.get(number as usize) {
                Some(by_hand) => (*by_hand).to_owned(),
                None => run.scripts.next(way == Way::Within),
            };
            run.script(&script, way);
            if run.scripts.below(4) == 0 || script.contains("FLUSH") {
                run.fill();
            }
        }
        println!("ended {} times", run.killed);
        assert!(run.killed > SCRIPTS);
        SCRIPTS
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

/// What is compared does see a script, and those who must not learn of it would.
#[test]
fn what_stays_is_seen() {
    let mut run = Run::new(1, Kind::Hmap);
    let mut audience = Audience::of(&run.bench);
    let before: State = run.bench.state();
    assert!(!run.run(BY_HAND[3], Way::Alone, POINTS_MAX));
    assert!(run.bench.state() != before);
    let served = audience.waiting.iter_mut().map(|client| !client.is_blocked(&run.bench));
    assert_eq!(served.collect::<Vec<_>>(), [true, false, true, true]);
    assert!(audience.watcher.has_watched_change());
    assert!(run.bench.take_told() > 0);
}
