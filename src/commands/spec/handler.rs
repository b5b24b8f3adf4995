//! How a command runs, and on what: the type of its handler.
//!
//! **Invariants**
//! - Whether a command reads or writes, locks keys, works alone or may wait follows from its handler's type.
//! - Only a [`Maintenance`] handler can take the gate or wait; inside a transaction it never runs.

use super::super::blocking::Attempt;
use super::super::context::{BusyCx, MaintenanceCx, PublishCx, Scripting, SessionCx};
use super::super::error::CmdError;
use super::super::flow::{Flow, Waiting};
use super::flag;
use crate::engine::across::AcrossTxn;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::ranges::RangeTxn;
use crate::engine::registry::{Registry, Slot};
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

/// What a handler returns; on an error whatever it wrote to the reply is dropped.
pub type CmdResult = Result<(), CmdError>;

/// A handler that may find nothing to answer yet.
pub type BlockingHandler = fn(&mut Txn<'_, '_>, Args<'_>, &mut Reply) -> Result<Attempt, CmdError>;

/// A handler that works on the connection or the server.
pub type SessionHandler = fn(&mut SessionCx<'_>, Args<'_>, &mut Reply) -> Result<Flow, CmdError>;

/// A handler that works while a script keeps everybody out: on the client, and on what all threads share but the data.
pub type BusyHandler = fn(&mut BusyCx<'_>, Args<'_>, &mut Reply) -> CmdResult;

/// A handler that works on scripts.
pub type ScriptHandler = fn(&mut dyn Scripting, Args<'_>, &mut Reply) -> CmdResult;

/// See the module.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Reads its keys, under their shards' locks.
    Read(fn(&mut ReadTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// Reads and changes its keys, under their shards' locks.
    Write(fn(&mut Txn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// As `Write`, but may find that it has to wait for its keys.
    Blocking(BlockingHandler),
    /// Reads and changes a key of the selected collection and one of another, under the locks of both.
    Across(&'static Across),
    /// Visits a whole collection, shard by shard.
    Keyspace(fn(&mut KeyspaceTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// As `Keyspace`, and may delete ranges.
    Range(fn(&mut RangeTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// Changes collections as such, while nobody else runs.
    Exclusive(fn(&mut ExclusiveTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult),
    /// Tells subscribers of something; needs no lock, and no part of the connection.
    Publish(fn(&PublishCx<'_>, Args<'_>, &mut Reply) -> CmdResult),
    /// Works on the connection or the server, under a pass or alone; never takes the gate and never waits.
    Session(SessionHandler),
    /// Compiles scripts, or runs one, whose commands run in the same place.
    Script(ScriptHandler),
    /// Takes the gate by itself, or waits.
    Maintenance(Maintenance),
    /// Only a container of subcommands.
    Container,
}

/// A command on keys of two collections.
pub struct Across {
    /// The other collection, from the selected one and the arguments.
    pub target: fn(&Registry, Slot, Args<'_>) -> Result<Slot, CmdError>,
    /// Which argument is the key in the selected collection.
    pub source_key: usize,
    /// Which argument is the key in the other one.
    pub target_key: usize,
    /// What runs.
    pub run: fn(&mut AcrossTxn<'_, '_>, Args<'_>, &mut Reply) -> CmdResult,
}

/// A command that takes the gate or waits.
#[derive(Clone, Copy)]
pub struct Maintenance {
    /// What runs, without a pass.
    pub run: fn(&mut MaintenanceCx<'_>, Args<'_>, &mut Reply) -> Result<Flow<Waiting>, CmdError>,
    /// What runs instead inside a transaction, where that is possible with these arguments; it is refused else.
    pub in_multi: Option<fn(Args<'_>) -> Option<SessionHandler>>,
}

impl Maintenance {
    /// A command that cannot be in a transaction.
    pub const fn new(run: fn(&mut MaintenanceCx<'_>, Args<'_>, &mut Reply) -> Result<Flow<Waiting>, CmdError>) -> Self {
        Self { run, in_multi: None }
    }
}

impl Handler {
    /// The flags that follow from the type, for a spec that gives `given`.
    pub const fn flags(&self, given: u32) -> u32 {
        match self {
            Self::Write(_) | Self::Blocking(_) if given & flag::READONLY != 0 => 0,
            Self::Write(_) | Self::Blocking(_) | Self::Across(_) | Self::Range(_) => flag::WRITE,
            Self::Read(_) | Self::Keyspace(_) => flag::READONLY,
            Self::Maintenance(Maintenance { in_multi: None, .. }) => flag::NO_MULTI,
            Self::Maintenance(_)
            | Self::Exclusive(_)
            | Self::Publish(_)
            | Self::Session(_)
            | Self::Script(_)
            | Self::Container => 0,
        }
    }

    /// What runs inside a transaction, if the command with these arguments may be in one.
    pub fn in_multi(&self, args: Args<'_>) -> Option<Self> {
        match self {
            Self::Maintenance(Maintenance { in_multi, .. }) => (*in_multi)?(args).map(Self::Session),
            other => Some(*other),
        }
    }

    /// Whether it works on keys that can be locked before it runs, all of the selected collection.
    const fn locks_keys(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Write(_) | Self::Blocking(_))
    }

    /// Whether it can run under locks that were taken before.
    pub const fn runs_locked(&self) -> bool {
        self.locks_keys() || matches!(self, Self::Publish(_))
    }

    /// Whether it works on the selected collection, and on nothing else.
    pub const fn is_on_selected(&self) -> bool {
        self.locks_keys() || matches!(self, Self::Keyspace(_) | Self::Range(_))
    }
}
