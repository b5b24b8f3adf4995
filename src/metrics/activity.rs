//! What a worker is at, for whoever watches that it gets on.
//!
//! **Invariant:** the worker alone writes, a plain store: it costs it nothing that can be measured.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers below stand for no command.
const COMMANDS_FROM: u64 = 8;
const RESTS: u64 = 0;
const SERVES: u64 = 1;
const WRITES_LOG: u64 = 2;
/// Bits of what it is at; those above count.
const WHAT_BITS: u32 = 20;
const WHAT: u64 = (1 << WHAT_BITS) - 1;

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It waits for clients, or is no worker.
    Rests,
    /// Its connections: it receives, sends, or waits for leave to touch the data.
    Serves,
    /// The log.
    WritesLog,
    /// A command, by its number in the command table.
    Command(u16),
}

/// A moment of what a worker did: two that are equal are one and the same doing.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Moment(u64);

impl Moment {
    /// What it was at.
    pub fn doing(self) -> Doing {
        match self.0 & WHAT {
            RESTS => Doing::Rests,
            SERVES => Doing::Serves,
            WRITES_LOG => Doing::WritesLog,
            command => Doing::Command(command.saturating_sub(COMMANDS_FROM) as u16),
        }
    }
}

/// See the module.
#[derive(Default, Debug)]
pub struct Activity {
    word: AtomicU64,
    /// The thread, once it has begun.
    name: OnceLock<String>,
}

impl Activity {
    /// The worker begins with something else. Only its own thread calls this.
    #[inline]
    pub fn note(&self, doing: Doing) {
        let what = match doing {
            Doing::Rests => RESTS,
            Doing::Serves => SERVES,
            Doing::WritesLog => WRITES_LOG,
            Doing::Command(id) => u64::from(id) + COMMANDS_FROM,
        };
        let count = (self.word.load(Ordering::Relaxed) >> WHAT_BITS).wrapping_add(1);
        self.word.store(count << WHAT_BITS | what, Ordering::Relaxed);
    }

    /// The worker is the calling thread.
    pub fn name_after_thread(&self) {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = self.name.set(name);
    }

    /// What the worker is called.
    pub fn name(&self) -> &str {
        self.name.get().map_or("", String::as_str)
    }

    /// What it is at now.
    pub fn now(&self) -> Moment {
        Moment(self.word.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_again_is_something_else() {
        let activity = Activity::default();
        assert_eq!(activity.now().doing(), Doing::Rests);
        let mut before = activity.now();
        for doing in [
            Doing::Serves,
            Doing::Command(0),
            Doing::Command(0),
            Doing::Command(u16::MAX),
            Doing::WritesLog,
            Doing::Rests,
        ] {
            activity.note(doing);
            assert_eq!(activity.now().doing(), doing);
            assert_ne!(activity.now(), before);
            before = activity.now();
        }
    }
}
