//! What is known of a command: its spec. `COMMAND`, ACL categories, the compatibility table and the executor read it.
//!
//! **Invariants**
//! - A spec stands next to its handler; no other file knows the command's name.
//! - Whether a command reads or writes is its handler's type ([`Handler`]), so flags cannot lie about it. One
//!   exception: a [`Handler::Write`] marked [`flag::READONLY`] answers a question and only keeps what it computed
//!   beside the value (`PFCOUNT`), or may wait (`XREAD`); it is not refused as a write, so it asks
//!   [`is_frozen`](crate::engine::txn::Txn::is_frozen) before it keeps anything.

mod access;
mod command;
pub mod flag;
mod handler;
mod keys;
mod reach;

use super::redact::{self, IsSecret};

pub use access::Access;
pub use command::{Command, Table, assert_sorted};
pub use handler::{
    Across, BlockingHandler, BusyHandler, CmdResult, Handler, Maintenance, ScriptHandler, SessionHandler,
};
pub use keys::{
    Begin, Find, KeySpec, KeyUse, KeyUses, all_keys, counted_keys, first_key, key_at, key_behind, keys_behind,
};
pub use reach::{Channels, DatabaseUse, DatabaseUses, Databases};

/// Command groups, as in `COMMAND DOCS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Bit operations on strings.
    Bitmap,
    /// Redis Cluster.
    Cluster,
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
    /// Messages to whoever wants them.
    PubSub,
    /// Scripts and functions.
    Scripting,
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
    /// Vector sets.
    VectorSet,
}

impl Group {
    /// The name in `COMMAND DOCS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Collection => "collection",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
            // A module of Redis has them.
            Self::VectorSet => "module",
        }
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
    /// What it does with keys of the selected database that it does not name, as rights are asked for it.
    pub unnamed: Access,
    /// Its channels.
    pub channels: Channels,
    /// The databases that it touches.
    pub databases: Databases,
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
    /// Which of a request's arguments nobody else may see.
    pub is_secret: IsSecret,
    /// What runs.
    pub handler: Handler,
    /// What runs instead while a script keeps everybody out, of commands that do not wait for its end then.
    pub while_busy: Option<BusyHandler>,
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
            unnamed: Access::of(&[]),
            channels: Channels::None,
            databases: Databases::Usual,
            tips: &[],
            summary: "",
            complexity: "O(1)",
            syntax: "",
            support: Support::Full,
            is_secret: redact::nothing,
            handler,
            while_busy: None,
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
        let brief = if self.is_brief() { flag::BRIEF } else { 0 };
        self.flags | self.handler.flags(self.flags) | brief
    }

    const fn is_brief(&self) -> bool {
        let is_on_keys = matches!(self.handler, Handler::Read(_) | Handler::Write(_));
        self.flags & flag::FAST != 0 || (is_on_keys && matches!(self.complexity.as_bytes(), b"O(1)"))
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
}
