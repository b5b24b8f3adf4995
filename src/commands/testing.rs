//! A harness for testing commands: specs from the real table, over a real engine, without a network.
//!
//! ```ignore
//! let mut server = Harness::new();
//! assert_eq!(server.run(&[b"SET", b"k", b"v"]), b"+OK\r\n");
//! assert_eq!(server.say("GET k"), "$1 v");
//! ```

use std::convert::Infallible;

use super::error::CmdError;
use super::spec::{Across, CmdResult, Command, KeyUses, Spec};
use super::table::table;
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::gate::ExclusivePass;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::locks::lock_all;
use crate::engine::registry::{Registry, Slot, numbered_name};
use crate::engine::scope::Scope;
use crate::engine::worker::{Kit, Worker};
use crate::resp::{Args, OwnedRequest, Proto, Reply};
use crate::session::call::{Call, Keys};
use crate::session::executor::{Place, execute};
use crate::session::prepare::Prepared;
use crate::wal::{Lsn, Wal};

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
        Self::with(kind, Wal::disabled(Lsn::FIRST))
    }

    /// An empty engine that logs to `wal`.
    pub fn over(wal: Wal) -> Self {
        Self::with(Kind::Hmap, wal)
    }

    fn with(kind: Kind, wal: Wal) -> Self {
        let engine = Engine::new(Registry::default(), wal, 1, 0).unwrap();
        let mut worker = engine.worker().unwrap();
        worker.set_clock(START_MS);
        let pass = engine.exclusive(&mut worker);
        let mut scope = Scope::exclusive(&engine, &mut worker, &pass);
        ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT)
            .create(Some(DatabaseId::DEFAULT), &numbered_name(DatabaseId::DEFAULT), kind)
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
        let now_ms = self.worker.now_ms() + by_ms;
        self.worker.set_clock(now_ms);
    }

    /// Runs `body`, all of whose commands are one record, as those of a transaction are.
    pub fn as_transaction(&mut self, body: impl FnOnce(&mut Self)) {
        self.worker.begin_transaction();
        body(self);
        self.worker.end_transaction();
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
        let command = table().lookup(request.args().at(0)).expect("an unknown command");
        self.reply_to(command, request)
    }

    /// Runs a command that is not in the table.
    pub fn run_spec(&mut self, spec: &'static Spec, args: &[&[u8]]) -> Vec<u8> {
        self.reply_to(Command::new(0, spec, None), &OwnedRequest::from_slices(args))
    }

    /// Runs `body` as a part of a record, which is taken back if `body` says no; while nobody else runs, or with all
    /// keys of the database locked.
    pub fn attempt(&mut self, is_alone: bool, body: impl FnOnce(&mut Attempted<'_, '_>) -> bool) -> bool {
        let (engine, proto) = (&self.engine, self.proto);
        let attempt = |scope: &mut Scope<'_>| {
            let ran = scope.attempt(|scope| {
                let mut attempted = Attempted { engine, scope, proto };
                if body(&mut attempted) { Ok(()) } else { Err(()) }
            });
            ran.is_ok()
        };
        if is_alone {
            let kit_and_gate =
                |kit: &mut Kit, gate: &ExclusivePass<'_>| attempt(&mut Scope::exclusive(engine, kit, gate));
            self.worker.with_exclusive(engine, kit_and_gate)
        } else {
            let _pass = self.worker.enter(engine);
            let collection = engine.registry().slot(DatabaseId::DEFAULT).unwrap().collection.clone();
            attempt(&mut Scope::for_all(engine, &mut self.worker, &collection))
        }
    }

    /// Makes numbered databases, so that there are `count`.
    pub fn create_numbered(&mut self, count: u32) {
        let engine = &self.engine;
        let create = |kit: &mut Kit, gate: &ExclusivePass<'_>| {
            let mut scope = Scope::exclusive(engine, kit, gate);
            ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT).create_numbered(count)
        };
        self.worker.with_exclusive(engine, create).unwrap();
    }

    fn reply_to(&mut self, command: Command, request: &OwnedRequest) -> Vec<u8> {
        let mut place = Tested {
            engine: &self.engine,
            worker: &mut self.worker,
        };
        reply_to(&mut place, self.proto, command, request)
    }
}

fn reply_to(place: &mut impl Place, proto: Proto, command: Command, request: &OwnedRequest) -> Vec<u8> {
    let mut reply = Reply::new(proto);
    let mark = reply.mark();
    if let Err(error) = run_call(place, command, request.args(), &mut reply) {
        reply.truncate(mark);
        reply.error(&error.to_string());
    }
    reply.to_vec()
}

fn run_call(place: &mut impl Place, command: Command, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let prepared = Prepared {
        command: Some(command),
        hash: None,
    };
    let mut room = KeyUses::new();
    let call = Call::resolve(table(), prepared, args, &mut room).map_err(|(_, error)| error)?;
    execute(place, &call, reply).map(drop)
}

/// Where commands run within an attempt: as in a transaction.
pub struct Attempted<'s, 'e> {
    engine: &'s Engine,
    scope: &'s mut Scope<'e>,
    proto: Proto,
}

impl Attempted<'_, '_> {
    /// Runs a command given as words; its reply.
    pub fn say(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split_ascii_whitespace().map(str::as_bytes).collect();
        let request = OwnedRequest::from_slices(&words);
        let command = table().lookup(request.args().at(0)).expect("an unknown command");
        let proto = self.proto;
        let reply = reply_to(self, proto, command, &request);
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn slot(&self) -> Slot {
        self.engine.registry().slot(DatabaseId::DEFAULT).unwrap().clone()
    }

    /// Whether nobody else runs.
    pub fn is_alone(&self) -> bool {
        self.scope.is_exclusive()
    }

    fn needs_all(&self) -> CmdResult {
        if self.is_alone() {
            Ok(())
        } else {
            Err(CmdError::text("ERR more would have to be locked"))
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.engine
    }

    /// The same as a part that may be taken back alone.
    pub fn attempt(&mut self, body: impl FnOnce(&mut Attempted<'_, '_>) -> bool) -> bool {
        let (engine, proto) = (self.engine, self.proto);
        let ran = self.scope.attempt(|scope| {
            let mut attempted = Attempted { engine, scope, proto };
            if body(&mut attempted) { Ok(()) } else { Err(()) }
        });
        ran.is_ok()
    }
}

impl Place for Attempted<'_, '_> {
    fn on_keys<R>(
        &mut self,
        _: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        let slot = self.slot();
        body(self.scope, &slot.collection, false)
    }

    fn across(
        &mut self,
        call: &Call<'_>,
        across: &Across,
        body: impl FnOnce(&mut Scope<'_>, &Slot, &Slot, bool) -> CmdResult,
    ) -> CmdResult {
        self.needs_all()?;
        let slot = self.slot();
        let target = (across.target)(&self.engine.registry(), slot.clone(), call.args)?;
        body(self.scope, &slot, &target, false)
    }

    fn on_collection(
        &mut self,
        _: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection) -> CmdResult,
    ) -> CmdResult {
        self.needs_all()?;
        let slot = self.slot();
        body(self.scope, &slot.collection)
    }

    fn alone(&mut self, body: impl FnOnce(&mut Scope<'_>, DatabaseId) -> CmdResult) -> CmdResult {
        self.needs_all()?;
        body(self.scope, DatabaseId::DEFAULT)
    }
}

/// Where commands run under test: as requests do, but nothing is waited for.
struct Tested<'h> {
    engine: &'h Engine,
    worker: &'h mut Worker,
}

impl Tested<'_> {
    fn slot(&self) -> Slot {
        self.engine.registry().slot(DatabaseId::DEFAULT).unwrap().clone()
    }
}

impl Place for Tested<'_> {
    fn on_keys<R>(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError> {
        let (slot, _pass) = (self.slot(), self.worker.enter(self.engine));
        let collection = &*slot.collection;
        let keys: Vec<&[u8]> = call.key_uses().map(|(key, _)| key).collect();
        let mut scope = match (call.keys, keys.as_slice()) {
            (Keys::Untold(_), _) => Scope::for_all(self.engine, self.worker, collection),
            (_, [one]) => Scope::for_key(self.engine, self.worker, collection, collection.key(one)),
            (_, keys) => Scope::for_keys(self.engine, self.worker, collection, keys.iter().copied()),
        };
        body(&mut scope, collection, false)
    }

    fn across(
        &mut self,
        call: &Call<'_>,
        across: &Across,
        body: impl FnOnce(&mut Scope<'_>, &Slot, &Slot, bool) -> CmdResult,
    ) -> CmdResult {
        let (source, engine) = (self.slot(), self.engine);
        let target = (across.target)(&engine.registry(), source.clone(), call.args)?;
        let _pass = self.worker.enter(engine);
        let places = [(&source, across.source_key), (&target, across.target_key)];
        let places = places.map(|(slot, at)| slot.collection.place_of(call.args.at(at)));
        let Ok(guards) = lock_all(places.into_iter(), |shard| Ok::<_, Infallible>(shard.lock()));
        let mut scope = Scope::locked(engine, self.worker, guards);
        body(&mut scope, &source, &target, false)
    }

    fn on_collection(
        &mut self,
        _: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection) -> CmdResult,
    ) -> CmdResult {
        let (slot, _pass) = (self.slot(), self.worker.enter(self.engine));
        body(&mut Scope::visiting(self.engine, self.worker), &slot.collection)
    }

    fn alone(&mut self, body: impl FnOnce(&mut Scope<'_>, DatabaseId) -> CmdResult) -> CmdResult {
        let engine = self.engine;
        self.worker.with_exclusive(engine, |kit, gate| {
            body(&mut Scope::exclusive(engine, kit, gate), DatabaseId::DEFAULT)
        })
    }
}
