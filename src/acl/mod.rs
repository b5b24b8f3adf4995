//! Users, and what each of them may do (ACL).
//!
//! This layer knows neither connections nor handlers: commands are numbers of a [`Catalogue`], and what a call touches
//! is told by a [`Request`]. So the same check serves requests, transactions, scripts and `ACL DRYRUN`.
//!
//! **Invariants**
//! - All users are one value ([`Users`]), which is exchanged as a whole: a reader sees rules from before a change or
//!   from behind it, never a part of one.
//! - Passwords are kept as SHA-256 only, and are compared in a time that does not depend on what they are.
//! - Texts (`ACL LIST`, the ACL file) are in the form that Redis 8.2 writes, and lead to the same user again when read.

mod attempts;
mod catalogue;
mod check;
mod databases;
mod file;
mod log;
mod password;
mod pattern;
mod pattern_set;
mod rule;
mod selector;
#[cfg(test)]
mod tests;
mod user;
mod users;
mod words;

pub use attempts::{Attempts, Turn};
pub use catalogue::{CATEGORIES, Catalogue};
pub use check::{Denied, Needs, Place, Reason, Request};
pub use file::FileError;
pub use log::{Context, Entry, Log, Refused};
pub use rule::RuleError;
pub use selector::Selector;
pub use user::{User, UserId};
pub use users::{Acl, Login, Users};
pub use words::merge_selectors;
