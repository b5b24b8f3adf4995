//! What they are written with: `FIELDS numfields field …`, `MEMBERS nummembers member …`, conditions, times.

use super::Family;
use crate::commands::CmdError;
use crate::commands::support::expire::{TimeBase, TimeUnit};
use crate::commands::support::number::parse_i64;
use crate::resp::Args;

/// The latest time an element may die at, Unix milliseconds: what fits 46 bits, as in Redis.
const AT_MS_MAX: i64 = (1 << 46) - 1;

/// The arguments behind the family's word and their number, which begin at `at`. `no_count` is the error where that is
/// none.
pub fn counted<'a>(family: &Family, args: Args<'a>, at: usize, no_count: &'static str) -> Result<Args<'a>, CmdError> {
    if !args.get(at).is_some_and(|word| word.eq_ignore_ascii_case(family.word)) {
        return Err(CmdError::text(family.no_names));
    }
    let count = args.get(at + 1).and_then(parse_i64).filter(|count| *count > 0);
    let count = count.ok_or(CmdError::text(no_count))?;
    let rest = args.skip(at + 2);
    if count as usize != rest.len() {
        return Err(CmdError::text(family.not_all));
    }
    Ok(rest)
}

/// The absolute time that an argument gives, Unix milliseconds.
pub fn at_ms(argument: &[u8], (unit, base): (TimeUnit, TimeBase), now_ms: u64, command: &str) -> Result<u64, CmdError> {
    let invalid = || CmdError::from(format!("ERR invalid expire time in '{command}' command"));
    let time = parse_i64(argument).ok_or(CmdError::NotInteger)?;
    if time < 0 {
        return Err(CmdError::text("ERR invalid expire time, must be >= 0"));
    }
    let time_ms = match unit {
        TimeUnit::Seconds => time.checked_mul(1000),
        TimeUnit::Milliseconds => Some(time),
    };
    let since_ms = match base {
        TimeBase::Now => now_ms as i64,
        TimeBase::Epoch => 0,
    };
    let at_ms = time_ms.and_then(|time_ms| time_ms.checked_add(since_ms));
    at_ms
        .filter(|at_ms| *at_ms <= AT_MS_MAX)
        .map(|at_ms| at_ms as u64)
        .ok_or_else(invalid)
}

/// When an element's expiry is set at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is.
    Always,
    /// NX: it has none.
    Without,
    /// XX: it has one.
    With,
    /// GT: the new one is later; never is latest.
    Later,
    /// LT: the new one is earlier.
    Earlier,
}

impl Condition {
    /// The condition that a word names.
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" => Some(Self::Without),
            b"xx" => Some(Self::With),
            b"gt" => Some(Self::Later),
            b"lt" => Some(Self::Earlier),
            _ => None,
        }
    }

    /// Whether one that dies at `current_ms`, if it does, may die at `new_ms` instead.
    pub fn allows(self, current_ms: Option<u64>, new_ms: u64) -> bool {
        match (self, current_ms) {
            (Self::Always, _) => true,
            (Self::Without, current) => current.is_none(),
            (Self::With, current) => current.is_some(),
            (Self::Later, current) => current.is_some_and(|current| new_ms > current),
            (Self::Earlier, current) => current.is_none_or(|current| new_ms < current),
        }
    }
}

/// What becomes of the expiry of elements that are read or set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Nothing is said.
    Unsaid,
    /// It stays.
    Keep,
    /// There is none any more.
    Persist,
    /// It is at this time, Unix milliseconds.
    At(u64),
}

/// Reads `EX seconds | PX … | EXAT … | PXAT … | PERSIST | KEEPTTL` at argument `at`, if one of them is there; how many
/// arguments it takes.
pub fn expiry(args: Args<'_>, at: usize, now_ms: u64, command: &str) -> Result<Option<(Expiry, usize)>, CmdError> {
    let Some(word) = args.get(at) else { return Ok(None) };
    let time = match word.to_ascii_lowercase().as_slice() {
        b"ex" => (TimeUnit::Seconds, TimeBase::Now),
        b"px" => (TimeUnit::Milliseconds, TimeBase::Now),
        b"exat" => (TimeUnit::Seconds, TimeBase::Epoch),
        b"pxat" => (TimeUnit::Milliseconds, TimeBase::Epoch),
        b"persist" => return Ok(Some((Expiry::Persist, 1))),
        b"keepttl" => return Ok(Some((Expiry::Keep, 1))),
        _ => return Ok(None),
    };
    let argument = args.get(at + 1).ok_or(CmdError::Syntax)?;
    Ok(Some((Expiry::At(at_ms(argument, time, now_ms, command)?), 2)))
}
