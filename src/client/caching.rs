//! How a client caches what it has read: CLIENT TRACKING.
//!
//! **Invariant:** its own worker alone changes it, but for two marks: whoever finds the redirection broken says so, and
//! whoever answers its blocked command does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::Client;
use crate::engine::tracking::Tracking;

const ON: u8 = 1;
const BROADCAST: u8 = 2;
const OPT_IN: u8 = 4;
const OPT_OUT: u8 = 8;
const NO_LOOP: u8 = 16;
const SAID: u8 = 32;
const BROKEN: u8 = 64;

/// So many prefixes are forgotten at a time.
const FORGOTTEN_MAX: usize = 1024;

/// What a prefix takes beside its bytes, which are kept three times.
const PREFIX_BYTES: u64 = 300;

/// Which keys a client is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CachingMode {
    /// Those that it has read.
    #[default]
    Read,
    /// Those that it has read after CLIENT CACHING YES.
    OptIn,
    /// Those that it has read, but not after CLIENT CACHING NO.
    OptOut,
    /// All with its prefixes.
    Broadcast,
}

/// What CLIENT TRACKING ON asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Desired {
    /// Which keys.
    pub mode: CachingMode,
    /// Not those that it has changed itself.
    pub no_loop: bool,
    /// The client that is told in its place; 0 = none.
    pub redirect: u64,
}

/// See the module.
#[derive(Default)]
pub struct Caching {
    bits: AtomicU8,
    redirect: AtomicU64,
    /// The answer to its blocked command is on its way.
    is_answered: AtomicBool,
}

impl Caching {
    fn has(&self, bit: u8) -> bool {
        self.bits.load(Ordering::Relaxed) & bit != 0
    }

    /// Whether it caches.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.has(ON)
    }

    /// Which keys it is told of.
    pub fn mode(&self) -> CachingMode {
        let bits = self.bits.load(Ordering::Relaxed);
        match bits & (BROADCAST | OPT_IN | OPT_OUT) {
            BROADCAST => CachingMode::Broadcast,
            OPT_IN => CachingMode::OptIn,
            OPT_OUT => CachingMode::OptOut,
            _ => CachingMode::Read,
        }
    }

    /// Whether it is not told of what it changes itself.
    pub fn is_no_loop(&self) -> bool {
        self.has(NO_LOOP)
    }

    /// Whether its redirection was found broken.
    pub fn is_broken(&self) -> bool {
        self.has(BROKEN)
    }

    /// Whether CLIENT CACHING has been said.
    pub fn is_said(&self) -> bool {
        self.has(SAID)
    }

    /// The client that is told in its place, if it caches; 0 = none.
    pub fn redirect(&self) -> Option<u64> {
        self.is_on().then(|| self.redirect.load(Ordering::Relaxed))
    }

    /// The client that is told in its place, or was when it cached last; `None` = nobody.
    pub(super) fn stand_in(&self) -> Option<u64> {
        Some(self.redirect.load(Ordering::Relaxed)).filter(|client| *client != 0)
    }

    /// Whether it is told of keys that it reads now.
    #[inline]
    pub fn remembers(&self) -> bool {
        self.is_on() && self.remembers_now()
    }

    fn remembers_now(&self) -> bool {
        match self.mode() {
            CachingMode::Read => true,
            CachingMode::OptIn => self.is_said(),
            CachingMode::OptOut => !self.is_said(),
            CachingMode::Broadcast => false,
        }
    }

    /// The client that it redirects to is gone.
    pub(super) fn note_broken(&self) {
        self.bits.fetch_or(BROKEN, Ordering::Relaxed);
    }

    /// Its blocked command has been answered, under the locks that it has read with; or it has taken the answer.
    pub fn set_answered(&self, is_answered: bool) {
        self.is_answered.store(is_answered, Ordering::Release);
    }

    /// Whether the answer to its blocked command is on its way.
    pub fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Acquire)
    }
}

impl Client {
    /// Begins to cache, or goes on otherwise.
    pub fn begin_caching(&mut self, tracking: &Tracking, desired: Desired, prefixes: &[&[u8]]) {
        tracking.join(self.handle.id);
        self.has_cached = true;
        let mode = match desired.mode {
            CachingMode::Read => 0,
            CachingMode::OptIn => OPT_IN,
            CachingMode::OptOut => OPT_OUT,
            CachingMode::Broadcast => BROADCAST,
        };
        let no_loop = if desired.no_loop { NO_LOOP } else { 0 };
        let said = if self.caching_said { SAID } else { 0 };
        let caching = &self.handle.caching;
        caching.redirect.store(desired.redirect, Ordering::Relaxed);
        caching.bits.store(ON | mode | no_loop | said, Ordering::Relaxed);
        for prefix in prefixes {
            if self.prefixes.insert(Box::from(*prefix)) {
                tracking.add_prefix(prefix, self.handle.id);
                self.handle.keep(bytes_of(prefix));
            }
        }
    }

    /// Caches no longer. What it has read it may still be told of if it begins again, as in Redis.
    pub fn end_caching(&mut self, tracking: &Tracking) {
        while !self.forget_some_prefixes(tracking) {}
        self.handle.caching.bits.store(0, Ordering::Relaxed);
        self.caching_said = false;
    }

    /// The client goes: caches no longer, and is forgotten a little at a time; whether all of it is.
    pub fn forget_some_caching(&mut self, tracking: &Tracking) -> bool {
        let is_all = self.forget_some_prefixes(tracking);
        if is_all && std::mem::take(&mut self.has_cached) {
            self.handle.caching.bits.store(0, Ordering::Relaxed);
            tracking.leave(self.handle.id);
        }
        is_all
    }

    fn forget_some_prefixes(&mut self, tracking: &Tracking) -> bool {
        for _ in 0..FORGOTTEN_MAX {
            let Some(prefix) = self.prefixes.pop_last() else {
                self.prefixes = BTreeSet::new();
                return true;
            };
            tracking.remove_prefix(&prefix, self.handle.id);
            self.handle.let_go(bytes_of(&prefix));
        }
        false
    }

    /// CLIENT CACHING holds for the next command, or for the transaction.
    pub fn say_caching(&mut self) {
        self.caching_said = true;
        self.handle.caching.bits.fetch_or(SAID, Ordering::Relaxed);
    }

    /// That is over.
    #[cold]
    pub fn end_said(&mut self) {
        self.caching_said = false;
        self.handle.caching.bits.fetch_and(!SAID, Ordering::Relaxed);
    }
}

/// What a prefix takes of memory, roughly.
fn bytes_of(prefix: &[u8]) -> u64 {
    PREFIX_BYTES + 3 * prefix.len() as u64
}
