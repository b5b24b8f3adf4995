//! Long histories of containers, and strings, large enough to be in parts, compared with collections of the standard
//! library: through growth to some hundred KiB and back to nothing, copies, checkpoints (also while there are changes),
//! kills, power cuts (also within a checkpoint), restores, and all that brings whole collections in.
//!
//! One history for each type. `LOKIKV_STEPS=3000000 cargo test --release --lib -- --nocapture tests::containers::` asks
//! for three million steps of each. `LOKIKV_SEED` repeats a history, but for how far the changes got that are made
//! while a checkpoint or a conversion is under way.

mod change;
pub(super) mod check;
mod choice;
mod elements;
mod model;
mod records;
mod stream_change;
mod whole;

use std::sync::atomic::Ordering::Relaxed;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use self::choice::Way;
use self::model::{Model, NAMES, Name, Op, Place, Value};
use super::incremental::registry_of;
use super::*;
use crate::checkpoint::CheckpointDone;
use crate::engine::copying::Source;
use crate::engine::index::Kind;
use crate::page::Entry;
use crate::page::container::Kind as Type;
use crate::page::kind::ValueType;
use crate::test_histories::each;

/// Steps of a history: all that it ever logged is kept.
const STEPS: u64 = 1_000;
/// In one part of them containers grow, in the next they shrink, and so on.
const PHASES: u64 = 4;
/// A container of less may get parts anew by another name.
const LITTLE_BYTES: usize = 8 << 10;
/// A container is not made to grow beyond that.
const BYTES_MAX: usize = 400 << 10;
/// Containers in each collection.
const KEYS: u32 = 3;
/// Strings beside them.
const STRINGS: u32 = 300;
const KEPT: usize = 4;
/// Parts that one change in one place makes anew, at most: three where a part is divided between two leaves, and one
/// more where the container comes in parts by it.
const FRESH_MAX: usize = 4;

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn start(disk: &FaultDisk, kind: Kind) -> Server {
    let mut server = Server::start_of(disk, Some(Fsync::EverySec), kind);
    let settings = &server.checkpoints.shared.settings;
    settings.wal_keep_age_s.store(1 << 30, Relaxed);
    settings.keep_count.store(KEPT as u64, Relaxed);
    server.exclusive(|txn| {
        if txn.slot_named("side").is_none() {
            txn.create(None, "side", kind).unwrap();
        }
    });
    server
}

struct Run {
    kind: ValueType,
    index: Kind,
    disk: FaultDisk,
    server: Server,
    random: SmallRng,
    step: u64,
    model: Model,
    /// What no power cut can take, and what came after it.
    durable: (Lsn, Model),
    since: Vec<(Lsn, Vec<Op>)>,
    /// Moments to go back to.
    copies: BTreeMap<Lsn, Model>,
    taken: BTreeMap<u64, Model>,
    /// What `PERSIST` wrote.
    persisted: Option<Model>,
    /// Most parts that a checkpoint had.
    parts: usize,
}

impl Run {
    fn new(seed: u64, kind: ValueType) -> Self {
        let disk = FaultDisk::new(seed);
        let index = Kind::ALL[seed as usize % Kind::ALL.len()];
        let mut run = Self {
            kind,
            index,
            server: start(&disk, index),
            disk,
            random: SmallRng::seed_from_u64(seed),
            step: 0,
            model: Model::default(),
            durable: (Lsn::ZERO, Model::default()),
            since: Vec::new(),
            copies: BTreeMap::new(),
            taken: BTreeMap::new(),
            persisted: None,
            parts: 0,
        };
        run.sync();
        run
    }

    fn below(&mut self, n: u32) -> u32 {
        self.random.random_range(0..n)
    }

    fn last_lsn(&self) -> Lsn {
        self.server.engine.wal().last_lsn()
    }

    fn step(&mut self) {
        self.step += 1;
        match self.below(2_000) {
            0..1_930 => self.change(),
            1_930..1_950 => self.sync(),
            1_950..1_960 => drop(self.copies.insert(self.last_lsn(), self.model.clone())),
            1_960..1_966 => drop(self.checkpoint()),
            1_966..1_970 => self.change_once(),
            1_970..1_973 => self.checkpoint_beside(),
            1_973..1_975 => self.crash(),
            1_975..1_977 => self.crash_within(),
            1_977..1_979 => self.kill(),
            1_979..1_982 => self.restore(),
            1_982 if self.below(4) == 0 => self.flush(),
            1_983..1_985 => self.persist(),
            1_985..1_987 => self.load(),
            1_987..1_989 => self.copy_collection(),
            1_989..1_991 => self.convert(),
            1_991..1_993 => self.attach(),
            1_993..1_996 => self.diff(),
            1_996..1_999 => self.rename_once(),
            _ => {}
        }
    }

    fn name(&mut self) -> Name {
        // Most of it is in one collection, so that containers become large.
        let number = self.below(6) as usize;
        NAMES.get(number).copied().unwrap_or(NAMES[0])
    }

    fn container(&mut self) -> Place {
        let number = self.below(KEYS);
        (self.name(), format!("container:{number}").into_bytes())
    }

    fn ops(&mut self) -> Vec<Op> {
        match self.below(200) {
            0..150 => self.container_ops(),
            150..180 => self.string_op(),
            180..184 => vec![self.copy_op()],
            184..186 => {
                let (from, to) = (self.container(), self.container());
                let renames = from != to && self.model.get(&from).is_some();
                match self.below(4) {
                    _ if !renames => Vec::new(),
                    // To another collection, too.
                    0 => vec![Op::Copy(from.clone(), to), Op::Delete(from)],
                    _ if from.0 != to.0 => Vec::new(),
                    // And back within the record.
                    1 => vec![Op::Rename(from.clone(), to.1.clone()), Op::Rename(to, from.1)],
                    _ => vec![Op::Rename(from, to.1)],
                }
            }
            186..188 => vec![Op::Put(self.container(), b"a string now".to_vec())],
            188..192 => vec![Op::Expire(
                self.container(),
                4_000_000_000_000 + u64::from(self.step as u32),
            )],
            192 if !self.grows() => vec![Op::Delete(self.container())],
            193 => {
                // Of one container before, between and after changes of it, all in one record.
                let (before, copy) = (self.model.clone(), self.copy_op());
                let mut all = Vec::new();
                for nth in 0..4 {
                    let ops = if nth % 2 == 0 {
                        self.container_ops()
                    } else {
                        vec![copy.clone()]
                    };
                    ops.iter().for_each(|op| self.model.apply(op));
                    all.extend(ops);
                }
                self.model = before;
                all
            }
            _ => self.container_ops(),
        }
    }

    fn grows(&self) -> bool {
        (self.step / (STEPS / PHASES)).is_multiple_of(2)
    }

    fn container_ops(&mut self) -> Vec<Op> {
        let place = self.container();
        let odds = if self.grows() { 0.8 } else { 0.12 };
        let grows = self.random.random_bool(odds);
        self.changes_of(place, if grows { Way::Grow } else { Way::Shrink })
    }

    fn changes_of(&mut self, place: Place, way: Way) -> Vec<Op> {
        let value = self.model.get(&place);
        let bytes = value.map_or(0, Value::bytes);
        let way = match way {
            Way::Grow if bytes > BYTES_MAX => Way::Shrink,
            way => way,
        };
        let ValueType::Container(kind) = self.kind else {
            return vec![choice::string_op(&mut self.random, place, bytes, way)];
        };
        if let Some(Value::Str(_)) = value {
            return vec![Op::Delete(place)];
        }
        let changes = choice::changes(&mut self.random, kind, value, way);
        let op = |change| Op::Change(place.clone(), change);
        changes.into_iter().map(op).collect()
    }

    fn copy_op(&mut self) -> Op {
        let (from, to) = (self.container(), self.container());
        if from == to || self.model.get(&from).is_none() {
            return Op::Expire(from, 0);
        }
        Op::Copy(from, to)
    }

    fn string_op(&mut self) -> Vec<Op> {
        let place = (self.name(), format!("s:{}", self.below(STRINGS)).into_bytes());
        let len = [20, 60, 700][self.below(3) as usize];
        vec![match self.below(3) {
            0 => Op::Delete(place),
            _ => Op::Put(place, vec![b's'; self.random.random_range(0..len)]),
        }]
    }

    fn flush(&mut self) {
        let name = self.name();
        self.record(vec![Op::Flush(name)]);
    }

    fn sync(&mut self) {
        self.server.sync();
        self.settle();
    }

    /// All that there is cannot be lost any more.
    fn settle(&mut self) {
        self.durable = (self.last_lsn(), self.model.clone());
        self.since.clear();
    }

    fn compare(&self, what: &str) {
        let found = Model::of(&self.server.engine.registry());
        assert!(found == self.model, "{what}: {}", found.difference(&self.model));
    }

    fn checkpoint(&mut self) -> check::Fresh {
        let is_lz4 = self.random.random();
        self.server.checkpoints.shared.settings.is_lz4.store(is_lz4, Relaxed);
        let before = check::newest(&self.disk);
        let done = self.server.checkpoints.checkpoint_blocking().unwrap();
        assert_eq!(done.lsn, self.last_lsn());
        self.settle();
        self.taken(done, self.model.clone(), before)
    }

    /// Looks at a checkpoint that was just taken, and at another one that is kept.
    fn taken(&mut self, done: CheckpointDone, model: Model, before: Option<check::Newest>) -> check::Fresh {
        self.taken.insert(done.id, model);
        let fresh = check::check(&self.disk, done.id, before.as_ref());
        self.parts = self.parts.max(fresh.all_parts);
        let ids = manifest_ids(&self.disk);
        assert!(ids.len() <= KEPT && ids.last() == Some(&done.id), "{ids:?}");
        self.taken.retain(|id, _| ids.contains(id));
        let id = ids[self.random.random_range(0..ids.len())];
        self.compare_kept(id);
        fresh
    }

    fn compare_kept(&self, id: u64) {
        let (found, expected) = (Model::of(&registry_of(&self.disk, id)), &self.taken[&id]);
        assert!(found == *expected, "checkpoint {id}: {}", found.difference(expected));
    }

    /// Of one change in one place few rows are written.
    fn change_once(&mut self) {
        self.checkpoint();
        let place = self.container();
        let Some(value) = self.model.get(&place) else { return };
        if matches!(value, Value::Str(_)) != (self.kind == ValueType::Str) {
            return;
        }
        let ops = self.changes_of(place, Way::Once);
        let told = format!("{ops:?}");
        self.record(ops);
        let fresh = self.checkpoint();
        // A page may have been divided, too.
        assert!(fresh.pages <= 2 && fresh.parts <= FRESH_MAX, "{fresh:?} by {told}");
    }

    /// What gets another name is not written again, but for the pages that it was in and is in.
    fn rename_once(&mut self) {
        self.checkpoint();
        let (from, (_, to)) = (self.container(), self.container());
        let Some(bytes) = self.model.get(&from).map(Value::bytes) else {
            return;
        };
        if from.1 == to {
            return;
        }
        self.record(vec![Op::Rename(from, to)]);
        let fresh = self.checkpoint();
        // Little is written to the log once more, and so to parts.
        let parts_max = if bytes > LITTLE_BYTES { 0 } else { 2 };
        assert!(
            fresh.pages <= 4 && fresh.parts <= parts_max,
            "{fresh:?} of {bytes} bytes"
        );
    }

    /// A checkpoint while others write.
    fn checkpoint_beside(&mut self) {
        self.sync();
        let before = check::newest(&self.disk);
        let checkpoints = Arc::clone(&self.server.checkpoints);
        let first = self.since.len();
        let done = std::thread::scope(|scope| {
            let thread = scope.spawn(|| checkpoints.checkpoint_blocking().unwrap());
            self.change();
            while !thread.is_finished() {
                self.change();
            }
            thread.join().unwrap()
        });
        let mut model = self.durable.1.clone();
        let behind = self.since[first..].iter().filter(|(lsn, _)| *lsn <= done.lsn);
        behind.flat_map(|(_, ops)| ops).for_each(|op| model.apply(op));
        self.taken(done, model, before);
    }

    /// A power cut: what was synced is there, and of what came after it the first records.
    fn crash(&mut self) {
        let disk = self.disk.crash();
        self.start_again(disk);
        let lsn = self.last_lsn();
        let (durable, mut model) = std::mem::take(&mut self.durable);
        assert!(lsn >= durable, "LSN {lsn} after a power cut, {durable} was durable");
        let kept = std::mem::take(&mut self.since).into_iter();
        let kept = kept.take_while(|(at, _)| *at <= lsn).flat_map(|(_, ops)| ops);
        kept.for_each(|op| model.apply(&op));
        self.model = model;
        self.copies.split_off(&lsn.next());
        self.compare("after a power cut");
        self.sync();
    }

    /// A power cut while a checkpoint is written.
    fn crash_within(&mut self) {
        self.sync();
        self.disk.stop_at(u64::from(self.random.random_range(0..24_u32)));
        let outcome = self.server.checkpoints.checkpoint_blocking();
        let disk = self.disk.crash();
        self.start_again(disk);
        self.compare("after a power cut within a checkpoint");
        let newest = manifest_ids(&self.disk).last().copied();
        if let Some(id) = newest.filter(|id| !self.taken.contains_key(id)) {
            self.taken.insert(id, self.model.clone());
        }
        assert!(outcome.is_err() || newest == outcome.ok().map(|done| done.id));
        self.settle();
    }

    /// The process ends: what was written is there.
    fn kill(&mut self) {
        self.sync();
        let disk = self.disk.kill();
        self.start_again(disk);
        self.compare("after a kill");
    }

    fn start_again(&mut self, disk: FaultDisk) {
        self.server = start(&disk, self.index);
        self.disk = disk;
    }
}

/// What a key has.
fn taken(keys: &mut Txn<'_, '_>, key: &[u8]) -> Option<Entry> {
    let entry = keys.peek(key)?;
    Some(Entry::new(b"", entry.value(), entry.expire_at_ms(), 0))
}

/// What an operation does to the engine.
fn apply(txn: &mut ExclusiveTxn<'_, '_>, op: &Op) {
    let collection = |txn: &mut ExclusiveTxn<'_, '_>, name| txn.slot_named(name).unwrap().collection;
    match op {
        Op::Put((name, key), text) => {
            let of = collection(txn, name);
            put(&mut txn.keys(&of), key, text);
        }
        Op::Write((name, key), offset, bytes) => {
            let of = collection(txn, name);
            txn.keys(&of).write_range(key, *offset, bytes);
        }
        Op::Delete((name, key)) => {
            let of = collection(txn, name);
            txn.keys(&of).delete(key);
        }
        Op::Expire((name, key), at_ms) => {
            let of = collection(txn, name);
            let mut keys = txn.keys(&of);
            if keys.exists(key) {
                keys.expire_at(key, Some(*at_ms).filter(|at_ms| *at_ms > 0));
            }
        }
        Op::Change((name, key), change) => {
            let of = collection(txn, name);
            change.with_effect(key, |effect| txn.keys(&of).apply(effect));
        }
        Op::Copy((from, key), (to, to_key)) => {
            let (from, to) = (collection(txn, from), collection(txn, to));
            if let Some(entry) = taken(&mut txn.keys(&from), key) {
                let (collection, goes) = (from.logged_id(), false);
                let source = Source { collection, key, goes };
                txn.keys(&to)
                    .put_copy(to_key, entry.value(), entry.expire_at_ms(), source);
            }
        }
        Op::Rename((name, from), to) => {
            let of = collection(txn, name);
            let mut keys = txn.keys(&of);
            if let Some(entry) = taken(&mut keys, from) {
                let source = keys.leaving(from, to);
                keys.put_copy(to, entry.value(), entry.expire_at_ms(), source);
                keys.delete(from);
            }
        }
        Op::Flush(name) => {
            let id = collection(txn, name).id();
            txn.flush(id).unwrap();
        }
    }
}

fn histories_of(kind: ValueType) {
    each(|seed| {
        let mut run = Run::new(seed, kind);
        // Longer, where no checkpoint came while there was much.
        while run.step < STEPS || run.parts <= 1 && run.step < 10 * STEPS {
            run.step();
        }
        run.compare("at the end");
        run.checkpoint();
        manifest_ids(&run.disk).into_iter().for_each(|id| run.compare_kept(id));
        assert!(run.parts > 1, "at most {} parts", run.parts);
        run.step
    });
}

#[test]
fn lists_are_what_the_model_is() {
    histories_of(ValueType::Container(Type::List));
}

#[test]
fn sets_are_what_the_model_is() {
    histories_of(ValueType::Container(Type::Set));
}

#[test]
fn sorted_sets_are_what_the_model_is() {
    histories_of(ValueType::Container(Type::Zset));
}

#[test]
fn hashes_are_what_the_model_is() {
    histories_of(ValueType::Container(Type::Hash));
}

#[test]
fn streams_are_what_the_model_is() {
    histories_of(ValueType::Container(Type::Stream));
}

#[test]
fn long_strings_are_what_the_model_is() {
    histories_of(ValueType::Str);
}
