//! A harness for testing commands: specs from the real table, over a real engine, without a network.
//!
//! ```ignore
//! let mut server = Harness::new();
//! assert_eq!(server.run(&[b"SET", b"k", b"v"]), b"+OK\r\n");
//! assert_eq!(server.say("GET k"), "$1 v");
//! ```

use std::sync::Arc;

use super::blocking::Attempt;
use super::spec::{CmdResult, Handler, Spec};
use super::table::table;
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::index::Kind;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::ranges::RangeTxn;
use crate::engine::registry::{Registry, numbered_name};
use crate::engine::scope::Scope;
use crate::engine::txn::{ReadTxn, Txn};
use crate::engine::worker::Worker;
use crate::resp::{Args, OwnedRequest, Proto, Reply};
use crate::wal::Wal;

/// Where the harness's clock stands at first, Unix milliseconds.
pub const START_MS: u64 = 1_700_000_000_000;

/// One client of an engine with one numbered database.
pub struct Harness {
    engine: Engine,
    worker: Worker,
    proto: Proto,
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

impl Harness {
    /// An empty engine, spoken to in RESP2.
    pub fn new() -> Self {
        Self::of(Kind::Hmap)
    }

    /// The same with a collection of another kind.
    pub fn of(kind: Kind) -> Self {
        let engine = Engine::new(Registry::default(), Wal::disabled(1), 1, 0).unwrap();
        let mut worker = engine.worker().unwrap();
        worker.set_clock(START_MS);
        let pass = engine.exclusive();
        let mut scope = Scope::exclusive(&engine, &mut worker, &pass);
        ExclusiveTxn::new(&mut scope, 0)
            .create(Some(0), &numbered_name(0), kind)
            .unwrap();
        drop(scope);
        drop(pass);
        Self {
            engine,
            worker,
            proto: Proto::Resp2,
        }
    }

    /// The same in RESP3.
    pub fn resp3() -> Self {
        Self::of_resp3(Kind::Hmap)
    }

    /// The same with a collection of another kind.
    pub fn of_resp3(kind: Kind) -> Self {
        Self {
            proto: Proto::Resp3,
            ..Self::of(kind)
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The clock, Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.worker.now_ms()
    }

    /// Moves the clock on.
    pub fn advance_ms(&mut self, by_ms: u64) {
        self.worker.set_clock(self.worker.now_ms() + by_ms);
    }

    /// Lookups that found something, and that did not.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        let counters = self.worker.counters();
        (counters.hits.get(), counters.misses.get())
    }

    /// Runs a command and gives its reply's bytes.
    pub fn run(&mut self, args: &[&[u8]]) -> Vec<u8> {
        self.run_request(&OwnedRequest::from_slices(args))
    }

    /// Runs a command given as words; its reply with spaces between the parts instead of line ends.
    pub fn say(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split_ascii_whitespace().map(str::as_bytes).collect();
        let reply = self.run(&words);
        let reply = String::from_utf8_lossy(&reply);
        reply.strip_suffix("\r\n").unwrap_or(&reply).replace("\r\n", " ")
    }

    /// Runs a request.
    pub fn run_request(&mut self, request: &OwnedRequest) -> Vec<u8> {
        let mut reply = Reply::new(self.proto);
        let mark = reply.mark();
        if let Err(error) = self.execute(request.args(), &mut reply) {
            reply.truncate(mark);
            reply.error(&error.to_string());
        }
        reply.to_vec()
    }

    fn execute(&mut self, args: Args<'_>, reply: &mut Reply) -> CmdResult {
        let mut command = table().lookup(args.at(0)).expect("an unknown command");
        if matches!(command.spec.handler, Handler::Container) {
            command = table()
                .lookup_subcommand(command, args.at(1))
                .expect("an unknown subcommand");
        }
        let spec = command.spec;
        if !spec.accepts(args.len()) {
            return Err(super::CmdError::Arity(command.full_name()));
        }
        let collection = Arc::clone(&self.engine.registry().slot(0).unwrap().collection);
        if let Handler::Exclusive(handler) = spec.handler {
            let pass = self.engine.exclusive();
            let mut scope = Scope::exclusive(&self.engine, &mut self.worker, &pass);
            return handler(&mut ExclusiveTxn::new(&mut scope, 0), args, reply);
        }
        let _pass = self.engine.gate().enter(self.worker.cell());
        run_shared(&self.engine, &mut self.worker, &collection, spec, args, reply)
    }
}

fn run_shared(
    engine: &Engine,
    worker: &mut Worker,
    collection: &Collection,
    spec: &Spec,
    args: Args<'_>,
    reply: &mut Reply,
) -> CmdResult {
    if let Handler::Keyspace(handler) = spec.handler {
        let mut scope = Scope::visiting(engine, worker);
        return handler(&mut KeyspaceTxn::new(&mut scope, collection), args, reply);
    }
    if let Handler::Range(handler) = spec.handler {
        let mut scope = Scope::visiting(engine, worker);
        return handler(&mut RangeTxn::new(&mut scope, collection), args, reply);
    }
    let keys = spec.key_indices_or_all(args);
    let mut scope = match keys.as_slice() {
        [one] => Scope::for_key(engine, worker, collection, collection.key(&args[*one])),
        _ => Scope::for_keys(engine, worker, collection, keys.iter().map(|at| &args[*at])),
    };
    match spec.handler {
        Handler::Read(handler) => handler(&mut ReadTxn::new(&mut scope, collection, false), args, reply),
        Handler::Write(handler) => handler(&mut Txn::new(&mut scope, collection, false), args, reply),
        // As inside a transaction: nothing is waited for.
        Handler::Blocking(handler) => {
            if let Attempt::Wait(wait) = handler(&mut Txn::new(&mut scope, collection, false), args, reply)? {
                (wait.in_transaction)(reply);
            }
            Ok(())
        }
        _ => panic!("{} needs a session", spec.name),
    }
}
