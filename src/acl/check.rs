//! What a call asks for, and why it may be denied.
//!
//! **Invariant:** of several selectors one has to allow all of the call; what each allows does not add up.

/// What is done with a key or a part of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Its value is read.
    pub read: bool,
    /// It is changed.
    pub write: bool,
}

impl Needs {
    pub(super) const ALL: Self = Self {
        read: true,
        write: true,
    };

    /// How many there are.
    pub(super) const COUNT: usize = 4;

    /// All that there are.
    pub(super) fn each() -> impl Iterator<Item = Self> {
        [(false, false), (true, false), (false, true), (true, true)]
            .into_iter()
            .map(|(read, write)| Self { read, write })
    }

    /// Its place among all.
    pub(super) const fn index(self) -> usize {
        self.read as usize | (self.write as usize) << 1
    }

    /// Whether nothing of it is beyond `given`.
    pub(super) const fn are_within(self, given: Self) -> bool {
        (given.read || !self.read) && (given.write || !self.write)
    }
}

/// Why a call is denied, in the order in which Redis prefers one reason to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The command, or what it begins with.
    Command,
    /// A database, or all.
    Database,
    /// A key.
    Key,
    /// A login.
    Auth,
    /// A channel.
    Channel,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Command, Self::Database, Self::Key, Self::Auth, Self::Channel];

    /// The word of ACL LOG.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Database => "database",
            Self::Key => "key",
            Self::Auth => "auth",
            Self::Channel => "channel",
        }
    }

    /// Its place among all.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A call that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub reason: Reason,
    /// The argument that it is because of; 0: the command.
    pub at: usize,
}

/// One database, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// All that there are.
    All,
    /// The one of this number.
    Number(u32),
    /// The one of this name, which may be a number.
    Name(&'a [u8]),
}

/// A call, as far as rights go. Numbers are those of arguments.
pub trait Request {
    /// The command's number.
    fn command(&self) -> u16;

    /// Whether everybody may run it.
    fn is_free(&self) -> bool;

    /// An argument.
    fn word(&self, at: usize) -> Option<&[u8]>;

    /// The argument behind the command's name, or its subcommand's.
    fn first_arg(&self) -> usize;

    /// The keys that are named, with what is done with them.
    fn keys(&self) -> impl Iterator<Item = (usize, Needs)>;

    /// What is done with keys that it does not name.
    fn unnamed_keys(&self) -> Needs;

    /// The channels, and whether they are patterns.
    fn channels(&self) -> (std::ops::Range<usize>, bool);

    /// Calls `allows` with the databases that it touches until that says no; the argument that it has said no to.
    fn denied_database(&self, allows: impl Fn(Place<'_>) -> bool) -> Option<usize>;
}
