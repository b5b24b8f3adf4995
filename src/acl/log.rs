//! ACL LOG: what was denied, the latest first.
//!
//! **Invariants**
//! - What is like one of the last ten, and less than a minute younger, is counted there.
//! - It has at most so many entries as `acllog-max-len` says; what an entry quotes is cut.

use std::collections::VecDeque;

use super::check::Reason;

/// Entries that a new one is compared with.
const COMPARED: usize = 10;
/// Entries that are further apart are different ones.
const SAME_MS: u64 = 60_000;
/// So much of a key, a name or a client's line is kept.
const QUOTED_BYTES_MAX: usize = 4096;

/// Where a call was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// As a request.
    TopLevel,
    /// In a transaction.
    Multi,
    /// In a script or a function.
    Lua,
}

impl Context {
    /// The word of ACL LOG.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// What was denied to whom.
pub struct Refused<'a> {
    /// Why.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, key, channel, or database.
    pub object: &'a [u8],
    /// Who asked.
    pub user: &'a [u8],
}

/// See the module.
pub struct Entry {
    /// How often.
    pub count: u64,
    /// Why.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, key, channel, or database.
    pub object: Box<[u8]>,
    /// Who asked.
    pub user: Box<[u8]>,
    /// The client, as CLIENT LIST shows it, when it happened last.
    pub client: Box<str>,
    /// A number, ascending.
    pub id: u64,
    /// When it happened first, Unix milliseconds.
    pub created_ms: u64,
    /// When it happened last.
    pub updated_ms: u64,
}

/// See the module.
#[derive(Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
    len_max: usize,
}

impl Log {
    /// Has at most so many entries from here on.
    pub fn set_len_max(&mut self, len_max: usize) {
        self.len_max = len_max;
        self.entries.truncate(len_max);
    }

    /// The entries, the latest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Adds what was denied, or counts it.
    pub fn add(&mut self, refused: &Refused<'_>, client: &str, now_ms: u64) {
        if self.len_max == 0 {
            return;
        }
        let (object, user) = (cut(refused.object), cut(refused.user));
        let is_like = |known: &Entry| {
            known.reason == refused.reason
                && known.context == refused.context
                && now_ms.abs_diff(known.updated_ms) <= SAME_MS
                && *known.object == *object
                && *known.user == *user
        };
        let at = self.entries.iter().take(COMPARED).position(is_like);
        if let Some(mut known) = at.and_then(|at| self.entries.remove(at)) {
            known.count += 1;
            known.client = client.into();
            known.updated_ms = now_ms;
            self.entries.push_front(known);
            return;
        }
        self.entries.truncate(self.len_max - 1);
        self.entries.push_front(Entry {
            count: 1,
            reason: refused.reason,
            context: refused.context,
            object: object.into(),
            user: user.into(),
            client: client.into(),
            id: self.next_id,
            created_ms: now_ms,
            updated_ms: now_ms,
        });
        self.next_id += 1;
    }
}

fn cut(text: &[u8]) -> &[u8] {
    text.get(..QUOTED_BYTES_MAX).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(log: &mut Log, object: &str, now_ms: u64) {
        let refused = Refused {
            reason: Reason::Key,
            context: Context::TopLevel,
            object: object.as_bytes(),
            user: b"u",
        };
        log.add(&refused, "client", now_ms);
    }

    fn shown(log: &Log) -> Vec<(String, u64, u64)> {
        let text = |entry: &Entry| String::from_utf8_lossy(&entry.object).into_owned();
        log.entries()
            .map(|entry| (text(entry), entry.count, entry.id))
            .collect()
    }

    #[test]
    fn like_entries_are_counted_for_a_minute() {
        let mut log = Log::default();
        add(&mut log, "a", 0);
        assert_eq!(log.entries().len(), 0);
        log.set_len_max(3);
        add(&mut log, "a", 0);
        add(&mut log, "b", 1);
        add(&mut log, "a", 2);
        assert_eq!(shown(&log), [("a".into(), 2, 0), ("b".into(), 1, 1)]);
        add(&mut log, "a", SAME_MS + 3);
        assert_eq!(
            shown(&log),
            [("a".into(), 1, 2), ("a".into(), 2, 0), ("b".into(), 1, 1)]
        );
        add(&mut log, "c", SAME_MS + 3);
        assert_eq!(shown(&log).len(), 3);
        log.set_len_max(1);
        assert_eq!(shown(&log), [("c".into(), 1, 3)]);
        log.clear();
        assert!(shown(&log).is_empty());
    }

    #[test]
    fn what_is_quoted_is_cut() {
        let mut log = Log::default();
        log.set_len_max(1);
        add(&mut log, &"x".repeat(QUOTED_BYTES_MAX + 1), 0);
        assert_eq!(shown(&log)[0].0.len(), QUOTED_BYTES_MAX);
    }
}
