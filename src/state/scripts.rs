//! The scripts that all workers share: bodies by their SHA1 digest, as `EVALSHA` names them.
//!
//! A script that `EVAL` brought is let go of when it is the one that has not been used for the longest time of too
//! many; one that `SCRIPT LOAD` brought stays. Nothing here is compiled: each worker does that for itself.
//!
//! **Invariant:** what a digest names never changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::script::Sha1;

/// Scripts of `EVAL` that are kept, as in Redis.
const EVALED_MAX: usize = 500;
/// What a script takes beside its body.
const SCRIPT_BYTES: u64 = 128;

/// What a script says of itself in its first line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags {
    /// It changes nothing.
    pub no_writes: bool,
    /// It may run although there is no memory left.
    pub allow_oom: bool,
    /// It may run on stale data.
    pub allow_stale: bool,
    /// It does not run in a cluster.
    pub no_cluster: bool,
    /// It may use keys of several slots.
    pub allow_cross_slot_keys: bool,
    /// What it has done is taken back if it raises an error. Redis knows no such flag.
    pub rollback: bool,
}

impl ScriptFlags {
    /// Sets the flag with this name; whether there is such a one.
    pub fn set(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            b"no-writes" => &mut self.no_writes,
            b"allow-oom" => &mut self.allow_oom,
            b"allow-stale" => &mut self.allow_stale,
            b"no-cluster" => &mut self.no_cluster,
            b"allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            b"rollback" => &mut self.rollback,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// Whether there is a flag with this name.
    pub fn is_flag(name: &[u8]) -> bool {
        Self::default().set(name)
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let flags = [
            (self.no_writes, "no-writes"),
            (self.allow_oom, "allow-oom"),
            (self.allow_stale, "allow-stale"),
            (self.no_cluster, "no-cluster"),
            (self.allow_cross_slot_keys, "allow-cross-slot-keys"),
            (self.rollback, "rollback"),
        ];
        flags.into_iter().filter_map(|(is_set, name)| is_set.then_some(name))
    }
}

/// What a script or a function needs beside the keys that it is given, as far as that is known.
pub struct Needs {
    /// It may call commands.
    calls: bool,
    /// It has needed more than the keys that it was given.
    strays: AtomicBool,
}

impl Needs {
    /// Those of what is in this code.
    pub fn of(code: &[u8]) -> Self {
        Self {
            calls: memchr::memmem::find(code, b"call").is_some(),
            strays: AtomicBool::new(false),
        }
    }

    /// Whether it may be enough for it to have these many keys.
    pub fn may_run_beside(&self, keys: usize) -> bool {
        (keys > 0 || !self.calls) && !self.strays.load(Ordering::Relaxed)
    }

    /// Remembers that it has needed more than the keys that it was given.
    pub fn note_strayed(&self) {
        self.strays.store(true, Ordering::Relaxed);
    }
}

/// What values take in the machines of all workers.
#[derive(Default)]
pub struct MachineBytes(AtomicU64);

impl MachineBytes {
    /// Those of one machine took `before`, and take `now` bytes.
    pub fn note(&self, before: u64, now: u64) {
        if now > before {
            self.0.fetch_add(now - before, Ordering::Relaxed);
        } else if now < before {
            self.0.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// What they take.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A script.
pub struct Script {
    /// Its digest.
    pub sha: Sha1,
    /// All of it, the first line included.
    pub body: Box<[u8]>,
    /// What its first line says, if it has one that says something.
    pub flags: Option<ScriptFlags>,
    /// Where it has to run.
    pub needs: Needs,
    /// When it was last used, on the clock of [`Scripts`].
    used: AtomicU64,
}

impl Script {
    /// A script with this body.
    pub fn new(sha: Sha1, body: &[u8], flags: Option<ScriptFlags>) -> Self {
        Self {
            sha,
            body: body.into(),
            flags,
            needs: Needs::of(body),
            used: AtomicU64::new(0),
        }
    }

    fn bytes(&self) -> u64 {
        SCRIPT_BYTES + self.body.len() as u64
    }
}

struct Cached {
    script: Arc<Script>,
    /// `SCRIPT LOAD` brought it.
    stays: bool,
}

#[derive(Default)]
struct Cache {
    scripts: HashMap<Sha1, Cached>,
    /// How many of them `EVAL` brought.
    evaled: usize,
}

/// See the module.
#[derive(Default)]
pub struct Scripts {
    cache: Mutex<Cache>,
    /// Counts uses.
    clock: AtomicU64,
    bytes: AtomicU64,
    evicted: AtomicU64,
    flushes: AtomicU64,
    /// What values take in the machines of all workers.
    pub machines: MachineBytes,
}

impl Scripts {
    /// The script with this digest.
    pub fn get(&self, sha: Sha1) -> Option<Arc<Script>> {
        let cache = self.cache.lock();
        cache.scripts.get(&sha).map(|cached| Arc::clone(&cached.script))
    }

    /// Adds a script that `SCRIPT LOAD` (`stays`) or `EVAL` brought; the one that has its digest, if there is one
    /// already.
    pub fn add(&self, script: Script, stays: bool) -> Arc<Script> {
        let cache = &mut *self.cache.lock();
        if let Some(cached) = cache.scripts.get_mut(&script.sha) {
            if stays && !std::mem::replace(&mut cached.stays, true) {
                cache.evaled -= 1;
            }
            return Arc::clone(&cached.script);
        }
        if !stays && cache.evaled >= EVALED_MAX {
            self.evict(cache);
        }
        cache.evaled += usize::from(!stays);
        self.bytes.fetch_add(script.bytes(), Ordering::Relaxed);
        let script = Arc::new(script);
        self.note_use(&script);
        let cached = Cached {
            script: Arc::clone(&script),
            stays,
        };
        cache.scripts.insert(script.sha, cached);
        script
    }

    /// Lets go of what `EVAL` brought that has not been used for the longest time.
    fn evict(&self, cache: &mut Cache) {
        let evaled = cache.scripts.values().filter(|cached| !cached.stays);
        let oldest = evaled.min_by_key(|cached| cached.script.used.load(Ordering::Relaxed));
        if let Some(sha) = oldest.map(|cached| cached.script.sha)
            && let Some(gone) = cache.scripts.remove(&sha)
        {
            cache.evaled -= 1;
            self.bytes.fetch_sub(gone.script.bytes(), Ordering::Relaxed);
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that a script has been run.
    pub fn note_use(&self, script: &Script) {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        script.used.store(now, Ordering::Relaxed);
    }

    /// Lets go of all scripts.
    pub fn flush(&self) {
        let gone = std::mem::take(&mut *self.cache.lock());
        let bytes: u64 = gone.scripts.values().map(|cached| cached.script.bytes()).sum();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Release);
    }

    /// How often all were let go of: what a worker has compiled before then is void.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cache.lock().scripts.len()
    }

    /// What they take.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many were let go of to make room.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}
