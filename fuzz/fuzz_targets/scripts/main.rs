//! Scripts: arbitrary text, and what a grammar makes of arbitrary bytes. Nothing panics, each script has one
//! well-formed reply or is stopped, memory stays within its bound, and the next script finds Lua as it was.
//!
//! The first byte says where a script runs: in a `Vm` with a host that answers what the bytes say, and stops it when it
//! has asked often, or by `EVAL` in a session over an engine of every kind of collection, whose counts are right then.
//! A script of the latter kind comes from the grammar, which makes none that does not end: nobody is there to stop it.

#![no_main]

#[path = "../commands/bench.rs"]
mod bench;
#[path = "../commands/client.rs"]
mod client;
mod grammar;
mod host;
#[path = "../commands/recount.rs"]
mod recount;
#[path = "../commands/replies.rs"]
mod replies;

use std::cell::RefCell;

use bench::Bench;
use grammar::Grammar;
use host::StubHost;
use libfuzzer_sys::fuzz_target;
use lokikv::resp::{Proto, Reply};
use lokikv::script::{Callee, Settings, Sha1, Vm};

const MEMORY_BYTES_MAX: usize = 8 << 20;
/// What Lua itself may take beyond the limit while no memory may be refused, and its own library.
const SLACK_BYTES: usize = 4 << 20;
/// Scripts until a `Vm` is made anew.
const RUNS_MAX: u32 = 2_000;
/// What each input begins with: a key of every type.
const KEYS: &[u8] = b"FLUSHALL SYNC\r\n\
    SET s hello\r\n\
    SET n 9223372036854775806\r\n\
    RPUSH l a b c 1\r\n\
    SADD t a b 1\r\n\
    ZADD z 1 a inf b -inf c\r\n\
    HSET h f 1.7e308 g v\r\n\
    XADD x 1-1 f v\r\n\
    XGROUP CREATE x g 0\r\n";

/// What a script finds.
const CHECK: &[u8] = b"local n = 0 for _ in pairs(_G) do n = n + 1 end
    return {n, #KEYS, ('x'):upper(), cjson.encode({1, 0.1}), tostring(rawget(_G, 'a'))}";

const FIRST_LINES: [&str; 4] = ["", "#!lua\n", "#!lua flags=rollback\n", "#!lua flags=no-writes\n"];

struct Machine {
    vm: Vm,
    runs: u32,
    /// What [`CHECK`] answers at first.
    found: Option<Vec<u8>>,
}

impl Machine {
    fn new() -> Self {
        let vm = Vm::new(Settings {
            memory_bytes_max: MEMORY_BYTES_MAX,
            version: "8.2.3",
        });
        let mut machine = Self {
            vm,
            runs: 0,
            found: None,
        };
        machine.found = machine.check();
        assert!(machine.found.is_some());
        machine
    }

    fn check(&mut self) -> Option<Vec<u8>> {
        self.run(CHECK, &mut StubHost::new(b""), Proto::Resp2)
    }

    /// Runs a script; `None`: it is none, or was stopped.
    fn run(&mut self, script: &[u8], host: &mut StubHost<'_>, proto: Proto) -> Option<Vec<u8>> {
        let sha = Sha1::of(script);
        self.vm.load(sha, script).ok()?;
        self.vm.interrupter().arm();
        let mut reply = Reply::new(proto);
        let ran = self.vm.run(
            Callee::Script(sha),
            (&[b"k", b"l"], &[b"1", b"\xff\0"]),
            host,
            &mut reply,
        );
        ran.ok()?.expect("it is compiled");
        Some(reply.to_vec())
    }
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::new(Machine::new());
    static BENCH: Bench = Bench::new().expect("an engine");
}

fuzz_target!(|data: &[u8]| {
    let Some((&way, data)) = data.split_first() else { return };
    match way % 4 {
        0 => alone(data, data),
        1 | 2 => {
            let mut grammar = Grammar::new(data, true);
            let script = grammar.script();
            alone(script.as_bytes(), grammar.rest());
        }
        _ => in_a_session(&Grammar::new(data, false).script(), way),
    }
});

/// In a `Vm` alone; the host answers what `answers` says.
fn alone(script: &[u8], answers: &[u8]) {
    MACHINE.with_borrow_mut(|machine| {
        let proto = if answers.len() % 2 == 0 {
            Proto::Resp2
        } else {
            Proto::Resp3
        };
        if let Some(reply) = machine.run(script, &mut StubHost::new(answers), proto) {
            assert_eq!(replies::count(&reply), Some(1), "{:?}", String::from_utf8_lossy(&reply));
        }
        let bytes = machine.vm.memory_bytes();
        assert!(bytes < MEMORY_BYTES_MAX + SLACK_BYTES, "{bytes} bytes");
        let found = machine.check();
        assert_eq!(found, machine.found, "a script has left something behind");
        machine.runs += 1;
        if machine.runs >= RUNS_MAX {
            *machine = Machine::new();
        }
    });
}

/// By a client, perhaps in a transaction, under the locks of its keys or alone.
fn in_a_session(script: &str, way: u8) {
    BENCH.with(|bench| {
        bench.begin(KEYS);
        let script = format!("{}{script}", FIRST_LINES[usize::from(way >> 5) % FIRST_LINES.len()]);
        let keys: &[&str] = if way & 4 == 0 {
            &["s", "n", "l", "t", "z", "h", "x", "k"]
        } else {
            &[]
        };
        let count = keys.len().to_string();
        let mut words = vec!["EVAL", &script, &count];
        words.extend(keys);
        let (first, last): (&[u8], &[u8]) = match way >> 3 & 3 {
            0 => (b"MULTI\r\nINCR k\r\n", b"EXEC ROLLBACK\r\n"),
            1 => (b"MULTI\r\n", b"EXEC\r\n"),
            _ => (b"", b""),
        };
        let mut client = bench.client(1);
        client.send(first);
        client.send(&request(&words));
        client.send(last);
        client.go_on(bench);
        client.leave(bench);
        bench.check();
    });
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}
