//! What is known of a command: its spec. `COMMAND`, ACL categories, the compatibility table and the executor read it.
//!
//! **Invariants**
//! - A spec stands next to its handler; no other file knows the command's name.
//! - Whether a command reads or writes is its handler's type ([`Handler`]), so flags cannot lie about it. One exception:
//!   a [`Handler::Write`] marked [`flag::READONLY`] answers a question and only keeps what it computed beside the value
//!   (`PFCOUNT`), or may wait (`XREAD`); it is not refused as a write, so it asks [`Txn::is_frozen`] before it keeps anything.

use super::blocking::Attempt;
use super::context::SessionCx;
use super::error::CmdError;
use super::flow::Flow;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::ranges::RangeTxn;
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

/// What a handler returns; on an error whatever it wrote to the reply is dropped.
pub type CmdResult = Result<(), CmdError>;

/// A handler that may find nothing to answer yet.
pub type BlockingHandler = fn(&mut Txn<'_, '_>, Args<'_>, &mut Reply) -> Result<Attempt, CmdError>;

/// How a command runs, and on what.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Reads its keys, under their shards' locks.
    Read(fn(&mut ReadTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// Reads and changes its keys, under their shards' locks.
    Write(fn(&mut Txn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// As `Write`, but may find that it has to wait for its keys.
    Blocking(BlockingHandler),
    /// Visits a whole collection, shard by shard.
    Keyspace(fn(&mut KeyspaceTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// As `Keyspace`, and may delete ranges.
    Range(fn(&mut RangeTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// Changes collections as such, or keys in several of them, while nobody else runs.
    Exclusive(fn(&mut ExclusiveTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// Works on the connection or the server, not on data.
    Session(fn(&mut SessionCx<'_>, Args<'_>, &mut Reply) -> Result<Flow, CmdError>),
    /// Only a container of subcommands.
    Container,
}

/// Command groups, as in `COMMAND DOCS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Bit operations on strings.
    Bitmap,
    /// LokiKV's collections, checkpoints and persisting.
    Collection,
    /// The connection.
    Connection,
    /// Keys of any type.
    Generic,
    /// Geographic positions in sorted sets.
    Geo,
    /// Hashes.
    Hash,
    /// HyperLogLog.
    HyperLogLog,
    /// Lists.
    List,
    /// The server.
    Server,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Streams.
    Stream,
    /// Strings.
    String,
    /// MULTI and what belongs to it.
    Transactions,
}

impl Group {
    /// The name in `COMMAND DOCS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Collection => "collection",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

/// Command flags; names as in `COMMAND INFO`.
pub mod flag {
    /// `denyoom`: refused when memory is over its limit.
    pub const DENY_OOM: u32 = 1;
    /// `admin`
    pub const ADMIN: u32 = 1 << 1;
    /// `pubsub`
    pub const PUBSUB: u32 = 1 << 2;
    /// `noscript`
    pub const NO_SCRIPT: u32 = 1 << 3;
    /// `blocking`
    pub const BLOCKING: u32 = 1 << 4;
    /// `loading`: allowed while data is loading.
    pub const LOADING: u32 = 1 << 5;
    /// `stale`
    pub const STALE: u32 = 1 << 6;
    /// `skip_monitor`
    pub const SKIP_MONITOR: u32 = 1 << 7;
    /// `skip_slowlog`
    pub const SKIP_SLOWLOG: u32 = 1 << 8;
    /// `fast`
    pub const FAST: u32 = 1 << 9;
    /// `no_auth`: allowed before authentication.
    pub const NO_AUTH: u32 = 1 << 10;
    /// `may_replicate`
    pub const MAY_REPLICATE: u32 = 1 << 11;
    /// `movablekeys`
    pub const MOVABLE_KEYS: u32 = 1 << 12;
    /// `no_async_loading`
    pub const NO_ASYNC_LOADING: u32 = 1 << 13;
    /// `no_multi`
    pub const NO_MULTI: u32 = 1 << 14;
    /// `no_mandatory_keys`
    pub const NO_MANDATORY_KEYS: u32 = 1 << 15;
    /// `allow_busy`
    pub const ALLOW_BUSY: u32 = 1 << 16;
    /// `write`, for handlers whose type does not say so (`PERSIST` and the like are [`super::Handler::Exclusive`]).
    pub const WRITE: u32 = 1 << 17;
    /// `readonly`, likewise.
    pub const READONLY: u32 = 1 << 18;
    /// Ours: the command runs at once even inside MULTI (EXEC, DISCARD, MULTI, WATCH, QUIT, RESET).
    pub const NOT_QUEUED: u32 = 1 << 19;

    /// Ours: the command runs what MULTI queued (EXEC), so the queue's needs are its own.
    pub const RUNS_QUEUE: u32 = 1 << 20;

    /// Ours: the command ends a transaction (EXEC, DISCARD, RESET), so that it is not refused for want of memory.
    pub const ENDS_MULTI: u32 = 1 << 21;

    /// All flags that `COMMAND INFO` shows, with their names; Redis does not show `may_replicate`.
    pub const NAMES: &[(u32, &str)] = &[
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENY_OOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NO_SCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (MOVABLE_KEYS, "movablekeys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

/// Where a command's keys begin.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// At this argument (0 is the command itself).
    Index(usize),
    /// Behind this word, which options may stand before.
    Keyword {
        /// The word, in capitals.
        word: &'static str,
        /// From which argument on clients may look for it.
        from: usize,
        /// The options, with how many arguments each has.
        options: &'static [(&'static str, usize)],
    },
    /// Behind this word, where it is given. Where it is more than once, the command may mean any of those places.
    Optional {
        /// The word, in capitals.
        word: &'static str,
        /// Index of the first argument that may be the word.
        from: usize,
    },
    /// Where the function says, if anywhere; `COMMAND INFO` calls it unknown.
    Unknown(fn(Args<'_>) -> Option<usize>),
}

impl Begin {
    /// Which of these arguments it is, if that can be told.
    fn place(self, args: Args<'_>) -> Option<usize> {
        let Self::Keyword { word, options, .. } = self else {
            let Self::Index(at) = self else { return None };
            return Some(at);
        };
        let mut at = 1;
        loop {
            let argument = args.get(at)?;
            let is = |name: &str| argument.eq_ignore_ascii_case(name.as_bytes());
            if is(word) {
                return (at + 1 < args.len()).then_some(at + 1);
            }
            at += 1 + options.iter().find(|(name, _)| is(name))?.1;
        }
    }
}

/// How the keys go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Every `step`-th argument up to `last` (relative to the begin; negative counts from the end, -1 the last one).
    Range {
        /// Last key.
        last: i32,
        /// Distance between keys.
        step: usize,
        /// Divides what is left when `last` is -1 (as in Redis); 0 or 1 = all of it.
        limit: usize,
    },
    /// An argument at `count_at` gives their number, the first at `first` (both relative to the begin).
    Count {
        /// Where the number is.
        count_at: usize,
        /// Where the first key is.
        first: usize,
        /// Distance between keys.
        step: usize,
    },
}

/// One run of keys and what the command does with them.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Flag names as in `COMMAND INFO` (`RO`, `access`, …).
    pub flags: &'static [&'static str],
    /// Where it begins.
    pub begin: Begin,
    /// How it goes on.
    pub find: Find,
    /// Remark shown by `COMMAND INFO`.
    pub notes: Option<&'static str>,
    /// The flags of one call, of a command whose options decide what it does with its keys (`variable_flags`).
    pub flags_of: Option<fn(Args<'_>) -> &'static [&'static str]>,
}

/// A single key as first argument, the usual case.
pub const fn first_key(flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Index(1),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        notes: None,
        flags_of: None,
    }
}

/// A single key as argument `at`.
pub const fn key_at(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        ..first_key(flags)
    }
}

/// A single key behind a word that may stand from argument `from` on. Where the word comes more than once, the command
/// may mean any of those keys.
pub const fn key_behind(word: &'static str, from: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Optional { word, from },
        ..first_key(flags)
    }
}

/// Argument `at` is a number, and so many keys follow.
pub const fn counted_keys(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Count {
            count_at: 0,
            first: 1,
            step: 1,
        },
        ..first_key(flags)
    }
}

/// All arguments from `begin` on, every `step`-th, are keys.
pub const fn all_keys(flags: &'static [&'static str], begin: usize, step: usize) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Index(begin),
        find: Find::Range {
            last: -1,
            step,
            limit: 0,
        },
        notes: None,
        flags_of: None,
    }
}

/// How far we support a command, for redis-compat.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As Redis, or ours in full.
    Full,
    /// With a difference, which the text names.
    Partial(&'static str),
}

/// See the module. Everything not given has a default in [`Spec::new`].
#[derive(Clone, Copy)]
pub struct Spec {
    /// Lower-case name; of a subcommand only its own part.
    pub name: &'static str,
    /// Group.
    pub group: Group,
    /// Redis version that introduced it, or ours (`0.1.0`) for our own.
    pub since: &'static str,
    /// Arguments including the name(s); negative = at least.
    pub arity: i32,
    /// Bits of [`flag`], those that follow from the handler apart.
    pub flags: u32,
    /// ACL categories beside those that follow from flags (`@string`, `@keyspace`, …), without `@`.
    pub acl: &'static [&'static str],
    /// Its keys.
    pub keys: &'static [KeySpec],
    /// Tips for clients, as in `COMMAND INFO`.
    pub tips: &'static [&'static str],
    /// One line.
    pub summary: &'static str,
    /// Documented complexity.
    pub complexity: &'static str,
    /// Arguments in Redis's notation (`key [NX | XX] …`), the name left out.
    pub syntax: &'static str,
    /// How far we support it.
    pub support: Support,
    /// What runs.
    pub handler: Handler,
    /// Subcommands of a container.
    pub subcommands: &'static [Spec],
}

impl Spec {
    /// A spec with the given essentials; set the rest by `Spec { flags: …, ..Spec::new(…) }`.
    pub const fn new(name: &'static str, group: Group, arity: i32, handler: Handler) -> Self {
        Self {
            name,
            group,
            since: "1.0.0",
            arity,
            flags: 0,
            acl: &[],
            keys: &[],
            tips: &[],
            summary: "",
            complexity: "O(1)",
            syntax: "",
            support: Support::Full,
            handler,
            subcommands: &[],
        }
    }

    /// Whether any of `flags` is set.
    #[inline]
    pub const fn has(&self, flags: u32) -> bool {
        self.all_flags() & flags != 0
    }

    /// Flags including those that follow from the handler.
    #[inline]
    pub const fn all_flags(&self) -> u32 {
        self.flags
            | match self.handler {
                Handler::Write(_) | Handler::Blocking(_) if self.flags & flag::READONLY != 0 => 0,
                Handler::Write(_) | Handler::Blocking(_) => flag::WRITE,
                Handler::Range(_) => flag::WRITE,
                Handler::Read(_) | Handler::Keyspace(_) => flag::READONLY,
                Handler::Exclusive(_) | Handler::Session(_) | Handler::Container => 0,
            }
    }

    /// Whether `count` arguments (name included) fit.
    #[inline]
    pub const fn accepts(&self, count: usize) -> bool {
        if self.arity >= 0 {
            count == self.arity as usize
        } else {
            count >= self.arity.unsigned_abs() as usize
        }
    }

    /// Whether it changes data, so that it is refused when the log has failed.
    #[inline]
    pub const fn is_write(&self) -> bool {
        self.has(flag::WRITE)
    }

    /// Indices of the keys among `args`.
    ///
    /// # Errors
    /// When a key count among the arguments is not a number that fits.
    pub fn key_indices(&self, args: Args<'_>) -> Result<Vec<usize>, CmdError> {
        let mut indices = Vec::new();
        for spec in self.keys {
            spec.collect(args, &mut indices)?;
        }
        Ok(indices)
    }

    /// Indices of the keys among `args`, for locking them. Where a key count is wrong, of all arguments: the handler will
    /// say what is wrong in its own words, and whatever it looks at before that is locked.
    pub fn key_indices_or_all(&self, args: Args<'_>) -> Vec<usize> {
        self.key_indices(args).unwrap_or_else(|_| (1..args.len()).collect())
    }

    /// The only key's index, if the spec says that there is exactly one at a fixed place.
    #[inline]
    pub fn single_key(&self) -> Option<usize> {
        match self.keys {
            [
                KeySpec {
                    begin: Begin::Index(at),
                    find: Find::Range { last: 0, .. },
                    ..
                },
            ] => Some(*at),
            _ => None,
        }
    }
}

fn invalid() -> CmdError {
    CmdError::text("ERR Invalid arguments specified for command")
}

impl KeySpec {
    /// Adds the indices of these keys among `args`.
    ///
    /// # Errors
    /// As for [`Spec::key_indices`].
    pub fn collect(&self, args: Args<'_>, indices: &mut Vec<usize>) -> Result<(), CmdError> {
        match self.begin {
            Begin::Optional { word, from } => {
                let is_word = |at: &usize| {
                    args.get(*at)
                        .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
                };
                let mut words = (from..args.len().saturating_sub(1)).filter(is_word);
                words.try_for_each(|at| self.collect_from(at + 1, args, indices))
            }
            Begin::Unknown(find) => {
                indices.extend(find(args));
                Ok(())
            }
            Begin::Index(_) | Begin::Keyword { .. } => {
                let begin = self.begin.place(args).ok_or_else(invalid)?;
                self.collect_from(begin, args, indices)
            }
        }
    }

    fn collect_from(&self, begin: usize, args: Args<'_>, indices: &mut Vec<usize>) -> Result<(), CmdError> {
        match self.find {
            Find::Range { limit, .. } if limit > 1 && !(args.len() - begin).is_multiple_of(limit) => {
                return Err(invalid());
            }
            Find::Range { last, step, limit } => {
                let last = if last >= 0 {
                    begin + last as usize
                } else if limit <= 1 {
                    args.len().saturating_sub(last.unsigned_abs() as usize)
                } else {
                    begin + args.len().saturating_sub(begin) / limit - 1
                };
                indices.extend((begin..=last).step_by(step.max(1)).filter(|at| *at < args.len()));
            }
            Find::Count { count_at, first, step } => {
                let count = args.get(begin + count_at).ok_or_else(invalid)?;
                let count = std::str::from_utf8(count)
                    .ok()
                    .and_then(|text| text.parse::<usize>().ok());
                let count = count.ok_or_else(invalid)?;
                let start = begin + first;
                // Compared with the keys that there is room for: any number may stand here, and `count * step` may wrap.
                let room = args.len().saturating_sub(start).div_ceil(step.max(1));
                if count == 0 || count > room {
                    return Err(invalid());
                }
                indices.extend((0..count).map(|n| start + n * step));
            }
        }
        Ok(())
    }
}
