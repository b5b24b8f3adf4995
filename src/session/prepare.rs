//! Readies a chunk of requests: memory latency is the cost of a lookup, so what they will look at is fetched in stages.
//!
//! First commands are identified, single keys hashed and their buckets prefetched; then the buckets are read and the
//! entries prefetched. (Fetching the elements of one big container the same way was tried, and gained nothing.)
//!
//! **Invariant:** nothing here shows but in time.

use std::ops::Range;

use smallvec::SmallVec;

use super::current::Pinned;
use crate::commands::spec::{Command, Table};
use crate::engine::collection::Collection;
use crate::resp::Batch;

/// Requests prepared together.
pub const CHUNK_REQUESTS: usize = 32;

/// What is known of a request before it runs.
#[derive(Clone, Copy)]
pub struct Prepared {
    /// The command, or the container, that its first argument names.
    pub command: Option<Command>,
    /// Hash of the single key, if there is one.
    pub hash: Option<u64>,
}

/// What the request before had: those of a pipeline often are alike.
struct Last<'b> {
    commands: &'static Table,
    command: Option<(&'b [u8], Command)>,
    hash: Option<(&'b [u8], u64)>,
}

impl<'b> Last<'b> {
    #[inline]
    fn command(&mut self, name: &'b [u8]) -> Option<Command> {
        if self.command.is_none_or(|(last, _)| last != name) {
            self.command = Some((name, self.commands.lookup(name)?));
        }
        self.command.map(|(_, command)| command)
    }

    #[inline]
    fn hash(&mut self, key: &'b [u8], find: impl FnOnce() -> u64) -> u64 {
        match self.hash {
            Some((last, hash)) if last == key => hash,
            _ => self.hash.insert((key, find())).1,
        }
    }
}

/// What is known of a chunk's requests.
pub(super) type Chunk = SmallVec<[Prepared; CHUNK_REQUESTS]>;

/// What a worker has found out of several connections' requests before they run.
#[derive(Default)]
pub struct Ahead(Vec<Prepared>);

/// One connection's share of that.
#[derive(Clone)]
pub struct Looked {
    range: Range<usize>,
    /// What it holds for.
    collection: Option<Pinned>,
}

impl Ahead {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many requests have been looked at.
    pub fn requests(&self) -> usize {
        self.0.len()
    }

    /// The first stage for the requests of a range of `batch`, which lie in `buf`. A pass is held.
    pub(super) fn look(
        &mut self,
        commands: &'static Table,
        batch: &Batch,
        buf: &[u8],
        range: Range<usize>,
        collection: Option<Pinned>,
    ) -> Looked {
        let start = self.0.len();
        find(commands, batch, buf, range, collection.as_deref(), true, |found| {
            self.0.push(found)
        });
        Looked {
            range: start..self.0.len(),
            collection,
        }
    }

    /// The second stage for one connection's. A pass is held.
    pub fn fetch(&self, looked: &Looked) {
        if let Some(collection) = &looked.collection {
            fetch_entries(self.of(looked), collection);
        }
    }

    /// What was found for `looked`, if that was for `collection`.
    pub(super) fn found(&self, looked: &Looked, collection: Option<&Collection>) -> Option<&[Prepared]> {
        let is_same = match (looked.collection.as_deref(), collection) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, None) => true,
            _ => false,
        };
        is_same.then(|| self.of(looked))
    }

    fn of(&self, looked: &Looked) -> &[Prepared] {
        self.0.get(looked.range.clone()).unwrap_or_default()
    }
}

/// Prepares the requests of a range of `batch`, which lie in `buf`, for one collection.
pub(super) fn prepare(
    commands: &'static Table,
    batch: &Batch,
    buf: &[u8],
    range: Range<usize>,
    collection: Option<&Collection>,
) -> Chunk {
    let mut prepared = Chunk::new();
    let fetches = range.len() > 1;
    find(commands, batch, buf, range, collection, fetches, |found| {
        prepared.push(found)
    });
    if let (true, Some(collection)) = (fetches, collection) {
        fetch_entries(&prepared, collection);
    }
    prepared
}

/// The first stage: the commands and the hashes of single keys; `fetches`: their buckets, too.
#[inline]
fn find(
    commands: &'static Table,
    batch: &Batch,
    buf: &[u8],
    range: Range<usize>,
    collection: Option<&Collection>,
    fetches: bool,
    mut push: impl FnMut(Prepared),
) {
    let mut last = Last {
        commands,
        command: None,
        hash: None,
    };
    for at in range {
        let args = batch.args(at, buf);
        let command = args.get(0).and_then(|name| last.command(name));
        let key = command
            .and_then(|command| command.single_key())
            .and_then(|at| args.get(at));
        let hash = key.zip(collection).map(|(key, collection)| {
            last.hash(key, || {
                let hash = collection.key(key).hash;
                if fetches {
                    collection.prefetch_page(hash);
                }
                hash
            })
        });
        push(Prepared { command, hash });
    }
}

/// The second stage: the entries.
fn fetch_entries(prepared: &[Prepared], collection: &Collection) {
    let mut last = None;
    for hash in prepared.iter().filter_map(|prepared| prepared.hash) {
        if last.replace(hash) != Some(hash) {
            collection.prefetch_entry(hash);
        }
    }
}
