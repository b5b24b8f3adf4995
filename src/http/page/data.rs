//! What the page shows, as plain data: gathered in one go, then drawn without a look at the server.
//!
//! **Invariant:** every list is bounded where it is gathered, and every text that comes from outside is made fit to be
//! shown there (`printable`), so that the page has a greatest size.

use std::time::Instant;

use crate::metrics::history::{Mark, Sample};

/// Checkpoints shown.
pub const SNAPSHOTS_MAX: usize = 30;
/// Collections shown.
pub const COLLECTIONS_MAX: usize = 40;
/// Slow commands shown.
pub const SLOW_MAX: usize = 10;
/// Clients shown.
pub const CLIENTS_MAX: usize = 25;
/// Warnings shown.
pub const WARNINGS_MAX: usize = 12;
/// Letters of a name that clients choose that are shown.
pub const NAME_LETTERS_MAX: usize = 32;
/// Letters of a line (a slow command, a warning) that are shown.
pub const LINE_LETTERS_MAX: usize = 160;

/// Letters of an address that are shown.
pub const ADDRESS_LETTERS_MAX: usize = 64;
/// What is wrong, at most so many things.
pub const PROBLEMS_MAX: usize = 6;

/// All of it.
pub struct PageData {
    /// When it was gathered.
    pub now: Instant,
    /// The same by the wall clock, Unix milliseconds.
    pub now_ms: u64,
    /// What is wrong, worst first.
    pub problems: Vec<String>,
    /// The figures of this moment.
    pub figures: Figures,
    /// The samples of the last hour, oldest first.
    pub samples: Vec<Sample>,
    /// The checkpoints of the last hour, oldest first.
    pub marks: Vec<Mark>,
    /// Checkpoints that are kept.
    pub snapshots: Snapshots,
    /// Collections.
    pub collections: Collections,
    /// Slow commands, newest first.
    pub slow: Vec<SlowCommand>,
    /// From how many microseconds on a command is slow; negative: none is.
    pub slow_from_us: i64,
    /// Clients.
    pub clients: Vec<Client>,
    /// Lines of the log from warnings up, newest first.
    pub warnings: Vec<WarningLine>,
    /// What the reader has chosen.
    pub choice: Choice,
    /// What the reader may see.
    pub may: May,
}

/// What a reader may see beside figures: what commands would show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct May {
    /// What others have sent, and what the log says of them: `SLOWLOG GET`.
    pub see_slow_commands: bool,
    /// Who is connected: `CLIENT LIST`.
    pub see_clients: bool,
}

/// What the reader has chosen by links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// How collections are sorted.
    pub sort: super::sort::Sort,
    /// Whether the page is to come again by itself.
    pub is_refreshed: bool,
}

/// Figures of one moment.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// LokiKV's version.
    pub version: String,
    /// Redis's version that is served.
    pub redis_version: String,
    /// What the server does: it is ready, or loads.
    pub state: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Requests per second at present.
    pub requests_per_s: u64,
    /// Memory in use.
    pub used_bytes: u64,
    /// The most it has been.
    pub peak_bytes: u64,
    /// Memory of the process.
    pub rss_bytes: u64,
    /// `memory.max_bytes`; 0: no limit.
    pub max_bytes: u64,
    /// Keys in all collections.
    pub keys: u64,
    /// Connected clients.
    pub clients: u64,
    /// Requests executed since the start.
    pub requests: u64,
    /// Lookups that found a key.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Of the log; `None`: there is none.
    pub log: Option<LogFigures>,
}

/// Figures of the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogFigures {
    /// The last record.
    pub lsn: u64,
    /// Records that would not survive a power cut.
    pub lag_records: u64,
    /// Bytes of its files.
    pub disk_bytes: u64,
    /// `always`, `everysec` or `no`.
    pub fsync: &'static str,
}

/// The checkpoints that are kept.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    /// The newest, oldest first.
    pub kept: Vec<SnapshotRow>,
    /// How many there are.
    pub count: usize,
    /// Which there are is not known yet: the checkpointer has been busy since the start.
    pub is_unknown: bool,
    /// From this moment on, Unix milliseconds, every moment can be restored; `None`: none can but those of checkpoints,
    /// and what is in `whole`.
    pub log_from_ms: Option<u64>,
    /// Between these moments every one can be restored, newest first.
    pub whole: Vec<(u64, u64)>,
}

/// A checkpoint.
#[derive(Clone, Debug, Default)]
pub struct SnapshotRow {
    /// Its identity.
    pub id: u64,
    /// Its instant in the log.
    pub lsn: u64,
    /// Its instant, Unix milliseconds.
    pub wall_ms: u64,
    /// Keys in it.
    pub keys: u64,
    /// Bytes written for it.
    pub new_bytes: u64,
    /// Bytes that it shares with those before.
    pub shared_bytes: u64,
    /// It stays until it is unpinned.
    pub is_pinned: bool,
    /// How long it stays at least.
    pub kept: Kept,
    /// What can be restored with it.
    pub restores: Restores,
}

/// Which moments a checkpoint restores, with the log behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restores {
    /// Its own alone.
    #[default]
    Instant,
    /// Every one up to this LSN, behind which records are missing.
    AnyTo(u64),
    /// Every one since.
    AnySince,
}

/// How long a checkpoint that is not pinned stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// It is among the newest that are always kept, and goes with this many more at the soonest.
    Newest(u64),
    /// By its age, until then (Unix milliseconds) and the next checkpoint.
    Until(u64),
    /// Until the next checkpoint.
    #[default]
    Next,
}

/// The collections.
#[derive(Clone, Debug, Default)]
pub struct Collections {
    /// The first of them in the order chosen.
    pub rows: Vec<CollectionRow>,
    /// How many there are.
    pub count: usize,
}

/// A collection.
#[derive(Clone, Debug, Default)]
pub struct CollectionRow {
    /// Its name.
    pub name: String,
    /// How it keeps keys.
    pub kind: &'static str,
    /// Whether it shows a checkpoint, read-only.
    pub is_attached: bool,
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Bytes in memory.
    pub bytes: u64,
    /// Lookups.
    pub reads: u64,
    /// Changes.
    pub writes: u64,
    /// Keys that were evicted.
    pub evicted: u64,
}

/// A slow command.
#[derive(Clone, Debug, Default)]
pub struct SlowCommand {
    /// When it ended, Unix seconds.
    pub at_s: u64,
    /// How long it took, microseconds.
    pub micros: u64,
    /// Its arguments, shortened, without secrets.
    pub line: String,
    /// Its client's address.
    pub addr: String,
    /// The name that its client gave itself.
    pub name: String,
}

/// A client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Its number.
    pub id: u64,
    /// Where it comes from.
    pub addr: String,
    /// The name it gave itself.
    pub name: String,
    /// Its user.
    pub user: String,
    /// The database it has selected.
    pub database: u32,
    /// How long it has been connected.
    pub age_s: u64,
    /// Since when it has sent nothing.
    pub idle_s: u64,
    /// What it holds.
    pub held_bytes: u64,
    /// Its commands.
    pub requests: u64,
    /// Its last command.
    pub command: String,
}

/// A line of the log.
#[derive(Clone, Debug, Default)]
pub struct WarningLine {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// `WARN` or `ERROR`.
    pub level: &'static str,
    /// What it says.
    pub text: String,
}
