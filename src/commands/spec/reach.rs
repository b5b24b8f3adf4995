//! What a command reaches beside the keys that its spec names, as rights are asked about it: channels, databases, and
//! keys that nobody names.

use smallvec::SmallVec;

use crate::resp::Args;

/// Which arguments are channels that a message is sent to, or that somebody subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// None.
    None,
    /// The first argument.
    First,
    /// All arguments.
    All,
    /// All arguments, which are patterns.
    Patterns,
}

/// A database that a call touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseUse {
    /// The selected one.
    Selected,
    /// Every one.
    All,
    /// The one whose number or name is this argument.
    At(usize),
    /// Likewise, if there is one of that name.
    IfAnyAt(usize),
}

/// The databases of a call.
pub type DatabaseUses = SmallVec<[DatabaseUse; 2]>;

/// Which databases a command touches.
#[derive(Clone, Copy)]
pub enum Databases {
    /// What follows from the rest: the selected one for commands on data, none else, all for those that change
    /// collections as such.
    Usual,
    /// None.
    None,
    /// The selected one.
    Selected,
    /// Every one.
    All,
    /// Those of these arguments.
    At(&'static [usize]),
    /// The selected one, and those that the function adds.
    SelectedAnd(fn(Args<'_>, &mut DatabaseUses)),
    /// Those that the function adds.
    Told(fn(Args<'_>, &mut DatabaseUses)),
}
