//! Blocked clients served by others under load: while they run out of time, are told to stop, are killed or leave, and
//! while keys are renamed, swapped and change their type. What is taken is answered, and nothing is taken twice.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::blocking::await_blocked;
use crate::support::{Conn, Rng, Server, Value, seed};
use crate::{call, in_memory};

const CONSUMERS: usize = 6;
const PRODUCERS: usize = 2;
const ITEMS: usize = 1500;

fn try_call(conn: &mut Conn, line: &str) -> Option<Value> {
    conn.try_call(&line.split(' ').collect::<Vec<_>>()).ok()
}

/// A type whose elements are given out, each to one.
struct Family {
    /// Adds element `n`, one of several ways.
    push: fn(&mut Rng, usize) -> Vec<String>,
    /// A blocking command for the consumer with this number, with a timeout in milliseconds.
    pop: fn(&mut Rng, usize, usize) -> String,
    /// Takes out what nobody has got, in the selected database.
    rest: &'static str,
    /// Where elements are besides those that clients were given; empty: nowhere.
    moved_to: &'static str,
}

/// `own` is a key that only this element is at; `wrong`, which consumers look at as well, is a string at times.
fn push_list(random: &mut Rng, n: usize) -> Vec<String> {
    let lines: &[&str] = match random.below(5) {
        0 => &["LPUSH k N"],
        1 => &["MULTI", "RPUSH own N", "LMOVE own k LEFT RIGHT", "EXEC"],
        2 => &[
            "MULTI",
            "RPUSH own N",
            "RENAMENX own k",
            "LMOVE own k LEFT LEFT",
            "EXEC",
        ],
        3 => &["SET wrong x", "RPUSH k N", "DEL wrong"],
        _ => &["RPUSH k N"],
    };
    filled(lines, n)
}

fn filled(lines: &[&str], n: usize) -> Vec<String> {
    let fill = |line: &&str| line.replace(" N", &format!(" {n}")).replace("own", &format!("own:{n}"));
    lines.iter().map(fill).collect()
}

fn seconds(ms: usize) -> f64 {
    ms as f64 / 1000.0
}

fn pop_list(random: &mut Rng, _: usize, ms: usize) -> String {
    let timeout = seconds(ms);
    match random.below(4) {
        0 => format!("BLPOP k {timeout}"),
        1 => format!("BRPOP none k {timeout}"),
        2 => format!("BLMPOP {timeout} 2 none k LEFT COUNT 2"),
        _ => format!("BLPOP k wrong {timeout}"),
    }
}

fn move_list(random: &mut Rng, _: usize, ms: usize) -> String {
    let timeout = seconds(ms);
    match random.below(2) {
        0 => format!("BLMOVE k done LEFT RIGHT {timeout}"),
        _ => format!("BRPOPLPUSH k done {timeout}"),
    }
}

fn push_zset(random: &mut Rng, n: usize) -> Vec<String> {
    let lines: &[&str] = match random.below(4) {
        0 => &["MULTI", "ZADD own N N", "ZUNIONSTORE k 2 k own", "EXEC"],
        1 => &[
            "MULTI",
            "ZADD own N N",
            "RENAMENX own k",
            "ZUNIONSTORE k 2 k own",
            "EXEC",
        ],
        2 => &["SET wrong x", "ZADD k N N", "DEL wrong"],
        _ => &["ZADD k N N"],
    };
    filled(lines, n)
}

fn pop_zset(random: &mut Rng, _: usize, ms: usize) -> String {
    let timeout = seconds(ms);
    match random.below(4) {
        0 => format!("BZPOPMIN k {timeout}"),
        1 => format!("BZPOPMAX none k {timeout}"),
        2 => format!("BZMPOP {timeout} 2 none k MIN COUNT 2"),
        _ => format!("BZPOPMIN k wrong {timeout}"),
    }
}

fn push_stream(_: &mut Rng, n: usize) -> Vec<String> {
    vec![format!("XADD s * n {n}")]
}

fn pop_stream(_: &mut Rng, consumer: usize, ms: usize) -> String {
    format!("XREADGROUP GROUP g {consumer} COUNT 2 BLOCK {ms} NOACK STREAMS s >")
}

const LISTS: Family = Family {
    push: push_list,
    pop: pop_list,
    rest: "LPOP k 1000000",
    moved_to: "",
};
const MOVED: Family = Family {
    push: push_list,
    pop: move_list,
    rest: "LPOP k 1000000",
    moved_to: "done",
};
const ZSETS: Family = Family {
    push: push_zset,
    pop: pop_zset,
    rest: "ZPOPMIN k 1000000",
    moved_to: "",
};
const STREAMS: Family = Family {
    push: push_stream,
    pop: pop_stream,
    rest: "XREADGROUP GROUP g rest STREAMS s >",
    moved_to: "",
};

/// The elements in a reply, whatever its form: all that is a whole number and no name, id or (equal) score.
fn elements(value: &Value, found: &mut Vec<usize>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| elements(item, found)),
        Value::Bulk(_) => found.extend(value.text().parse::<usize>().ok()),
        _ => {}
    }
}

/// What goes on beside.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    /// Nobody loses a connection.
    Told,
    /// Clients are killed, and leave while they wait.
    Gone,
}

struct Run<'a> {
    server: &'a Server,
    family: &'a Family,
    trouble: Trouble,
    ids: Mutex<Vec<i64>>,
    given: Mutex<Vec<usize>>,
    /// Connections that went while they waited.
    gone: AtomicUsize,
    producing: AtomicUsize,
    ended: AtomicBool,
}

impl Run<'_> {
    fn connect(&self, database: usize) -> Conn {
        let mut conn = self.server.connect();
        let id = call(&mut conn, "CLIENT ID").int().expect("a number");
        call(&mut conn, &format!("SELECT {database}"));
        self.ids.lock().expect("ids").push(id);
        conn
    }

    fn produce(&self, mut random: Rng, numbers: std::ops::Range<usize>) {
        let mut conn = self.server.connect();
        for n in numbers {
            if random.one_in(4) {
                call(&mut conn, &format!("SELECT {}", random.below(2)));
            }
            for line in (self.family.push)(&mut random, n) {
                call(&mut conn, &line);
            }
            if random.one_in(8) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        self.producing.fetch_sub(1, Ordering::SeqCst);
    }

    fn consume(&self, mut random: Rng, number: usize) {
        let mut conn = self.connect(number % 2);
        let mut idle = 0;
        // What was there when the producers ended is left to whoever counts, at the latest.
        while self.producing.load(Ordering::SeqCst) > 0 || idle < 2 {
            let ms = [1, 2, 5, 50][random.below(4)];
            let line = (self.family.pop)(&mut random, number, ms);
            if self.trouble == Trouble::Gone && random.one_in(40) {
                let _ = conn.send(&line.split(' ').collect::<Vec<_>>());
                std::thread::sleep(Duration::from_millis(random.below(4) as u64));
                self.gone.fetch_add(1, Ordering::SeqCst);
                conn = self.connect(number % 2);
                continue;
            }
            let Some(reply) = try_call(&mut conn, &line) else {
                assert!(self.trouble == Trouble::Gone, "a connection ended");
                self.gone.fetch_add(1, Ordering::SeqCst);
                conn = self.connect(number % 2);
                continue;
            };
            let mut found = Vec::new();
            elements(&reply, &mut found);
            // Sorted sets tell the score, too, which is the same number.
            found.dedup();
            idle = if found.is_empty() { idle + 1 } else { 0 };
            self.given.lock().expect("given").extend(found);
        }
    }

    fn disturb(&self, mut random: Rng) {
        let mut conn = self.server.connect();
        while !self.ended.load(Ordering::SeqCst) {
            let ids = self.ids.lock().expect("ids");
            let id = ids[random.below(ids.len())];
            let newest = ids[ids.len() - 1 - random.below(CONSUMERS.min(ids.len()))];
            drop(ids);
            let line = match random.below(5) {
                0 => "SWAPDB 0 1".to_owned(),
                1 => format!("CLIENT UNBLOCK {newest} ERROR"),
                2 if self.trouble == Trouble::Gone => format!("CLIENT KILL ID {newest}"),
                _ => format!("CLIENT UNBLOCK {id}"),
            };
            call(&mut conn, &line);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn run(&self) {
        let seed = seed();
        std::thread::scope(|scope| {
            let consumers: Vec<_> = (0..CONSUMERS)
                .map(|n| scope.spawn(move || self.consume(Rng::new(seed + n as u64), n)))
                .collect();
            while self.ids.lock().expect("ids").len() < CONSUMERS {
                std::thread::sleep(Duration::from_millis(1));
            }
            for n in 0..PRODUCERS {
                let random = Rng::new(seed + 100 + n as u64);
                scope.spawn(move || self.produce(random, n * ITEMS..(n + 1) * ITEMS));
            }
            scope.spawn(move || self.disturb(Rng::new(seed + 200)));
            consumers
                .into_iter()
                .for_each(|consumer| consumer.join().expect("a consumer"));
            self.ended.store(true, Ordering::SeqCst);
        });
    }

    /// How often each element is somewhere.
    fn count(&self) -> BTreeMap<usize, usize> {
        let mut found = Vec::new();
        let mut conn = self.server.connect();
        for database in ["SELECT 0", "SELECT 1"] {
            call(&mut conn, database);
            let mut here = Vec::new();
            elements(&call(&mut conn, self.family.rest), &mut here);
            here.dedup();
            found.extend(here);
            if !self.family.moved_to.is_empty() {
                elements(
                    &call(&mut conn, &format!("LRANGE {} 0 -1", self.family.moved_to)),
                    &mut found,
                );
            }
        }
        if self.family.moved_to.is_empty() {
            found.extend(self.given.lock().expect("given").iter());
        }
        let mut counts = BTreeMap::new();
        found.into_iter().for_each(|n| *counts.entry(n).or_default() += 1);
        counts
    }
}

fn load(family: &Family, trouble: Trouble) {
    let server = in_memory();
    let mut conn = server.connect();
    for line in [
        "SELECT 0",
        "XGROUP CREATE s g $ MKSTREAM",
        "SELECT 1",
        "XGROUP CREATE s g $ MKSTREAM",
    ] {
        call(&mut conn, line);
    }
    let run = Run {
        server: &server,
        family,
        trouble,
        ids: Mutex::default(),
        given: Mutex::default(),
        gone: AtomicUsize::new(0),
        producing: AtomicUsize::new(PRODUCERS),
        ended: AtomicBool::new(false),
    };
    run.run();
    await_blocked(&server, 0);
    let counts = run.count();
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "taken twice: {twice:?}");
    let lost: Vec<usize> = (0..PRODUCERS * ITEMS).filter(|n| !counts.contains_key(n)).collect();
    // A reply to who has just gone is lost with what is in it: two elements at most.
    let gone = run.gone.load(Ordering::SeqCst);
    let lost_max = if family.moved_to.is_empty() { 2 * gone } else { 0 };
    assert!(lost.len() <= lost_max, "{gone} clients gone; lost: {lost:?}");
    if !family.moved_to.is_empty() {
        let given = run.given.lock().expect("given");
        assert!(
            given.iter().all(|n| counts.contains_key(n)) && given.len() > ITEMS,
            "{}",
            given.len()
        );
    }
}

#[test]
fn lists_are_given_out_once() {
    load(&LISTS, Trouble::Told);
}

#[test]
fn lists_are_given_out_once_though_clients_go() {
    load(&LISTS, Trouble::Gone);
}

#[test]
fn elements_are_moved_once() {
    load(&MOVED, Trouble::Told);
}

#[test]
fn elements_are_moved_once_though_clients_go() {
    load(&MOVED, Trouble::Gone);
}

#[test]
fn sorted_sets_are_given_out_once() {
    load(&ZSETS, Trouble::Told);
}

#[test]
fn sorted_sets_are_given_out_once_though_clients_go() {
    load(&ZSETS, Trouble::Gone);
}

#[test]
fn streams_are_given_out_once() {
    load(&STREAMS, Trouble::Told);
}

#[test]
fn streams_are_given_out_once_though_clients_go() {
    load(&STREAMS, Trouble::Gone);
}

/// Every reader of a stream without a group gets all of it, in order, whatever happens to its waiting.
#[test]
fn readers_of_a_stream_miss_nothing() {
    let server = in_memory();
    let ended = AtomicBool::new(false);
    let ids = Mutex::new(Vec::new());
    let read = |random: &mut Rng| {
        let (mut last, mut next) = ("0".to_owned(), 0);
        let mut conn = server.connect();
        ids.lock()
            .expect("ids")
            .push(call(&mut conn, "CLIENT ID").int().expect("a number"));
        while next < ITEMS {
            if random.one_in(30) {
                let line = format!("XREAD BLOCK 0 STREAMS none s $ {last}");
                let _ = conn.send(&line.split(' ').collect::<Vec<_>>());
                conn = server.connect();
            }
            let line = format!("XREAD COUNT 3 BLOCK {} STREAMS none s 0 {last}", random.range(1, 5));
            let Value::Array(streams) = call(&mut conn, &line) else {
                continue;
            };
            for entry in streams[0].items()[1].items() {
                let (id, fields) = (entry.items()[0].text(), entry.items()[1].items());
                assert_eq!(fields[1].text(), next.to_string());
                (last, next) = (id, next + 1);
            }
        }
    };
    let seed = seed();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|n| scope.spawn(move || read(&mut Rng::new(seed + n))))
            .collect();
        scope.spawn(|| {
            let (mut conn, mut random) = (server.connect(), Rng::new(seed + 50));
            while ids.lock().expect("ids").len() < 4 {
                std::thread::sleep(Duration::from_millis(1));
            }
            for n in 0..ITEMS {
                call(&mut conn, &format!("XADD s * n {n}"));
                let id = *random.pick(&ids.lock().expect("ids"));
                call(&mut conn, &format!("CLIENT UNBLOCK {id}"));
            }
            ended.store(true, Ordering::SeqCst);
        });
        readers.into_iter().for_each(|reader| reader.join().expect("a reader"));
    });
    assert!(ended.load(Ordering::SeqCst));
}

/// While a transaction serves many who have waited, others ask for the same: they get nothing of it.
#[test]
fn who_comes_while_others_are_served_waits_behind_them() {
    const KEYS: usize = 100;
    let server = in_memory();
    let mut waiting: Vec<Conn> = (0..KEYS).map(|_| server.connect()).collect();
    let seed = seed();
    for (push, pop, late) in [
        ("RPUSH", "BLPOP", "BRPOP"),
        ("RPUSH", "BLPOP", "BLMPOP"),
        ("ZADD", "BZPOPMIN", "BZPOPMAX"),
    ] {
        for round in 0..20 {
            for (n, conn) in waiting.iter_mut().enumerate() {
                conn.send(&[pop, &format!("k{n}"), "0"]).expect("send");
            }
            await_blocked(&server, KEYS);
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for thread in 0..2 {
                    let (server, is_over) = (&server, &is_over);
                    scope.spawn(move || {
                        let (mut conn, mut random) = (server.connect(), Rng::new(seed + thread + 2 * round));
                        while !is_over.load(Ordering::SeqCst) {
                            let key = format!("k{}", random.below(KEYS));
                            let reply = match late {
                                "BLMPOP" => call(&mut conn, &format!("BLMPOP 0.001 1 {key} LEFT")),
                                _ => call(&mut conn, &format!("{late} {key} 0.001")),
                            };
                            assert!(reply.is_null(), "{late} {key}: {reply}");
                        }
                    });
                }
                let mut conn = server.connect();
                call(&mut conn, "MULTI");
                for n in 0..KEYS {
                    let value = if push == "ZADD" { "1 v" } else { "v" };
                    call(&mut conn, &format!("{push} k{n} {value}"));
                }
                call(&mut conn, "EXEC");
                for (n, conn) in waiting.iter_mut().enumerate() {
                    let reply = conn.recv().expect("a reply").value.items();
                    assert_eq!(reply[0].text(), format!("k{n}"));
                }
                is_over.store(true, Ordering::SeqCst);
            });
        }
    }
}
