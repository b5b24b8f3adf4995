//! Ids of entries as arguments and in replies.

use crate::commands::CmdError;
use crate::commands::error::shown;
use crate::commands::support::number::parse_u64_lenient;
use crate::page::stream::{StreamId, ids_to_bytes};
use crate::resp::{Args, Reply};

const INVALID: CmdError = CmdError::text("ERR Invalid stream ID specified as stream command argument");
const BYTES_MAX: usize = 127;

/// An id whose number may have been left to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub id: StreamId,
    /// `ms-*`
    pub any_seq: bool,
}

/// An id; without a number, the number is `seq`.
pub(super) fn parse_id(argument: &[u8], seq: u64) -> Result<StreamId, CmdError> {
    let wanted = parse(argument, seq, false)?;
    Ok(wanted.id)
}

/// An id that may end in `-*`.
pub(super) fn parse_wanted(argument: &[u8]) -> Result<Wanted, CmdError> {
    parse(argument, 0, true)
}

fn parse(argument: &[u8], seq: u64, any_allowed: bool) -> Result<Wanted, CmdError> {
    if argument.len() > BYTES_MAX {
        return Err(INVALID);
    }
    let text = shown(argument, BYTES_MAX);
    let number = |text: &[u8]| parse_u64_lenient(text).ok_or(INVALID);
    let (ms, given) = match text.iter().position(|byte| *byte == b'-') {
        None => (text, None),
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
    };
    let ms = number(ms)?;
    let any_seq = any_allowed && given == Some(b"*");
    let seq = match given {
        None => seq,
        Some(_) if any_seq => 0,
        Some(given) => number(given)?,
    };
    Ok(Wanted {
        id: StreamId::new(ms, seq),
        any_seq,
    })
}

/// An id, or `-` for the least and `+` for the greatest one.
pub(super) fn parse_open_id(argument: &[u8], seq: u64) -> Result<StreamId, CmdError> {
    match shown(argument, usize::MAX) {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => parse_id(argument, seq),
    }
}

/// Where an interval begins; `(` leaves the id itself out.
pub(super) fn parse_start(argument: &[u8]) -> Result<StreamId, CmdError> {
    match argument {
        [b'(', id @ ..] if !id.is_empty() => parse_id(id, 0)?
            .next()
            .ok_or(CmdError::text("ERR invalid start ID for the interval")),
        _ => parse_open_id(argument, 0),
    }
}

/// Where an interval ends; `(` leaves the id itself out.
pub(super) fn parse_end(argument: &[u8]) -> Result<StreamId, CmdError> {
    match argument {
        [b'(', id @ ..] if !id.is_empty() => parse_id(id, u64::MAX)?
            .previous()
            .ok_or(CmdError::text("ERR invalid end ID for the interval")),
        _ => parse_open_id(argument, u64::MAX),
    }
}

/// All arguments as ids.
pub(super) fn parse_ids(args: Args<'_>) -> Result<Vec<StreamId>, CmdError> {
    args.iter().map(|argument| parse_id(argument, 0)).collect()
}

/// The ids as effects carry them.
pub(super) fn packed_ids(ids: &[StreamId]) -> Vec<u8> {
    ids_to_bytes(ids.iter().copied())
}

/// Answers with an id.
pub(super) fn reply_id(reply: &mut Reply, id: StreamId) {
    let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (ms, seq) = (ms.format(id.ms).as_bytes(), seq.format(id.seq).as_bytes());
    let mut text = smallvec::SmallVec::<[u8; 48]>::new();
    text.extend_from_slice(ms);
    text.push(b'-');
    text.extend_from_slice(seq);
    reply.bulk(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_does() {
        let id = |text: &[u8]| parse_id(text, 9).ok().map(|id| (id.ms, id.seq));
        assert_eq!(id(b"5"), Some((5, 9)));
        assert_eq!(id(b"5-7"), Some((5, 7)));
        assert_eq!(
            id(b"18446744073709551615-18446744073709551615"),
            Some((u64::MAX, u64::MAX))
        );
        assert_eq!(id(b"5\0-7"), Some((5, 9)));
        for wrong in [&b""[..], b"-", b"+", b"a", b"5-", b"-5", b"5-*", b"5-7-8", &[b'0'; 128]] {
            assert_eq!(id(wrong), None, "{wrong:?}");
        }
        assert!(parse_wanted(b"5-*").unwrap().any_seq);
        assert!(parse_wanted(b"*-5").is_err());
    }

    #[test]
    fn intervals() {
        assert_eq!(parse_start(b"(5-1"), Ok(StreamId::new(5, 2)));
        assert_eq!(parse_start(b"-"), Ok(StreamId::MIN));
        assert_eq!(parse_end(b"(5"), Ok(StreamId::new(5, u64::MAX - 1)));
        assert_eq!(parse_end(b"+"), Ok(StreamId::MAX));
        assert!(parse_start(b"(18446744073709551615-18446744073709551615").is_err());
        assert!(parse_end(b"(0-0").is_err());
        assert!(parse_start(b"(-").is_err() && parse_start(b"(").is_err());
    }
}
