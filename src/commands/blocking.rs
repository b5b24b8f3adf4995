//! Commands that wait for a key: what their handlers answer, and what they have in common.
//!
//! A handler tries once. When there is nothing for it, it says what it waits for; it is called again, from its
//! beginning, whenever one of those keys has changed. Inside a transaction nothing is waited for.

use std::ops::Range;
use std::time::Duration;

use super::error::CmdError;
use super::support::number::parse_i64;
use crate::engine::blocked::Wanted;
use crate::engine::txn::{Txn, WrongType};
use crate::page::container::Kind;
use crate::page::value::ValueType;
use crate::resp::double::parse_f64;
use crate::resp::{Args, OwnedRequest, Reply};

/// What CLIENT UNBLOCK has a blocked command answer that is to fail.
pub const UNBLOCKED: CmdError = CmdError::text("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// What a blocking command's handler has come to.
pub enum Attempt {
    /// The reply is written.
    Done,
    /// There is nothing yet; nothing is written, and only what any other try would find gone has been removed.
    Nothing(Wait),
}

/// What a blocking command waits for.
pub struct Wait {
    /// Indices of the arguments that are the keys.
    pub keys: Vec<usize>,
    /// How long; `None` = without end.
    pub timeout: Option<Duration>,
    /// What to answer when that is over.
    pub on_timeout: fn(&mut Reply),
    /// What to answer at once inside a transaction.
    pub in_transaction: fn(&mut Reply),
    /// Which changes of its keys it is told of.
    pub wanted: Wanted,
    /// The request to try again with, where it is not the same (`$` of XREAD is what was last when it began).
    pub retry_as: Option<OwnedRequest>,
    /// When to try again though none of its keys has changed, Unix milliseconds.
    pub again_at_ms: Option<u64>,
}

impl Wait {
    /// For values of this kind at the keys that these arguments are: answers a null array when the time is over, and
    /// in a transaction.
    pub fn for_values(kind: Kind, keys: Range<usize>, timeout: Option<Duration>) -> Self {
        Self {
            keys: keys.collect(),
            timeout,
            on_timeout: Reply::null_array,
            in_transaction: Reply::null_array,
            wanted: Wanted::Value(ValueType::Container(kind)),
            retry_as: None,
            again_at_ms: None,
        }
    }
}

/// The first of the keys that these arguments are that has something to take, with its length. `len_of` tells the
/// length of what is at a key, if it is there.
///
/// # Errors
/// [`WrongType`] when a key before that one holds another type.
pub fn first_of<'a>(
    txn: &mut Txn<'_, '_>,
    args: Args<'a>,
    keys: Range<usize>,
    len_of: fn(&mut Txn<'_, '_>, &[u8]) -> Result<Option<u64>, WrongType>,
) -> Result<Option<(&'a [u8], u64)>, WrongType> {
    for key in keys.map(|at| args.at(at)) {
        if let Some(len) = len_of(txn, key)?
            && !txn.is_promised(key)
        {
            return Ok(Some((key, len)));
        }
    }
    Ok(None)
}

/// A timeout in seconds, with fractions; 0 = without end.
///
/// # Errors
/// With the texts of Redis.
pub fn timeout_s(argument: &[u8]) -> Result<Option<Duration>, CmdError> {
    const NOT_FLOAT: CmdError = CmdError::text("ERR timeout is not a float or out of range");
    let seconds = parse_f64(argument).ok_or(NOT_FLOAT)?;
    let millis = (seconds * 1000.0).ceil();
    // What no `i64` holds is out of range anyway.
    timeout_of(millis as i64)
}

/// A timeout in milliseconds; 0 = without end.
///
/// # Errors
/// With the texts of Redis.
pub fn timeout_ms(argument: &[u8]) -> Result<Option<Duration>, CmdError> {
    const NOT_INTEGER: CmdError = CmdError::text("ERR timeout is not an integer or out of range");
    timeout_of(parse_i64(argument).ok_or(NOT_INTEGER)?)
}

fn timeout_of(millis: i64) -> Result<Option<Duration>, CmdError> {
    let millis = u64::try_from(millis).map_err(|_| CmdError::text("ERR timeout is negative"))?;
    // Redis adds it to the present as a signed number.
    if millis > i64::MAX as u64 - crate::engine::worker::unix_ms() {
        return Err(CmdError::text("ERR timeout is out of range"));
    }
    Ok((millis > 0).then(|| Duration::from_millis(millis)))
}

/// Returns when the time is over, which may be never.
pub async fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        assert_eq!(timeout_s(b"0"), Ok(None));
        assert_eq!(timeout_s(b"0.0001"), Ok(Some(Duration::from_millis(1))));
        assert_eq!(timeout_s(b"1.5"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(timeout_ms(b"250"), Ok(Some(Duration::from_millis(250))));
        for wrong in [&b"-1"[..], b"x", b"", b"1e300", b"9223372036854775"] {
            assert!(timeout_s(wrong).is_err(), "{wrong:?}");
        }
        assert!(timeout_ms(b"-5").is_err() && timeout_ms(b"1.5").is_err());
    }
}
