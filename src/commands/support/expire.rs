//! Expire times: from the argument of `SET … EX`, `GETEX`, `SETEX`, `EXPIRE` … to absolute milliseconds.
//!
//! **Invariants**: what comes out is absolute Unix time in milliseconds; "now" is an argument. An `EXPIRE` time may lie
//! in the past (the key is then deleted), a `SET` time is above zero. No arithmetic here can overflow unseen.

use super::number::{NOT_AN_INTEGER, parse_i64};

/// The unit of a time argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds: `EX`, `EXAT`, `EXPIRE`, `EXPIREAT`, `SETEX`.
    Seconds,
    /// Milliseconds: `PX`, `PXAT`, `PEXPIRE`, `PEXPIREAT`, `PSETEX`.
    Milliseconds,
}

/// From where a time argument counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBase {
    /// From now: `EX`, `PX`, `EXPIRE`, `PEXPIRE`, `SETEX`, `PSETEX`.
    Now,
    /// From the epoch: `EXAT`, `PXAT`, `EXPIREAT`, `PEXPIREAT`.
    Epoch,
}

/// Why an expire time was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireError {
    /// The argument is not an integer.
    NotAnInteger,
    /// The time is not one that the command takes, or overflows.
    Invalid,
}

impl ExpireError {
    /// The error reply, for the command of this (lower case) name.
    pub fn message(self, command: &str) -> String {
        match self {
            Self::NotAnInteger => NOT_AN_INTEGER.to_owned(),
            Self::Invalid => format!("ERR invalid expire time in '{command}' command"),
        }
    }
}

/// The expire time of `SET`, `GETEX`, `SETEX` and `PSETEX`: it must be above zero.
pub fn parse_positive_expire(text: &[u8], unit: TimeUnit, base: TimeBase, now_ms: i64) -> Result<i64, ExpireError> {
    let value = parse_i64(text).ok_or(ExpireError::NotAnInteger)?;
    if value <= 0 {
        return Err(ExpireError::Invalid);
    }
    absolute(value, unit, base, now_ms)
}

/// The expire time of `EXPIRE`, `PEXPIRE`, `EXPIREAT` and `PEXPIREAT`: it may be negative or past.
pub fn parse_expire(text: &[u8], unit: TimeUnit, base: TimeBase, now_ms: i64) -> Result<i64, ExpireError> {
    let value = parse_i64(text).ok_or(ExpireError::NotAnInteger)?;
    absolute(value, unit, base, now_ms)
}

fn absolute(value: i64, unit: TimeUnit, base: TimeBase, now_ms: i64) -> Result<i64, ExpireError> {
    let value_ms = match unit {
        TimeUnit::Seconds => value.checked_mul(1000).ok_or(ExpireError::Invalid)?,
        TimeUnit::Milliseconds => value,
    };
    match base {
        TimeBase::Now => value_ms.checked_add(now_ms).ok_or(ExpireError::Invalid),
        TimeBase::Epoch => Ok(value_ms),
    }
}

/// What is left of a key's life, as `PTTL` answers it: never below zero.
pub fn ttl_ms(expire_ms: i64, now_ms: i64) -> i64 {
    expire_ms.saturating_sub(now_ms).max(0)
}

/// A time left in milliseconds as `TTL` answers it: seconds, rounded to the nearest.
pub fn ttl_seconds(ttl_ms: i64) -> i64 {
    ttl_ms.saturating_add(500) / 1000
}

/// An absolute time in milliseconds as `EXPIRETIME` answers it: seconds, rounded to the nearest.
pub fn expire_time_seconds(expire_ms: i64) -> i64 {
    expire_ms.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use TimeBase::{Epoch, Now};
    use TimeUnit::{Milliseconds, Seconds};

    const NOW_MS: i64 = 1_700_000_000_000;

    #[test]
    fn set_times() {
        assert_eq!(parse_positive_expire(b"10", Seconds, Now, NOW_MS), Ok(NOW_MS + 10_000));
        assert_eq!(parse_positive_expire(b"10", Milliseconds, Now, NOW_MS), Ok(NOW_MS + 10));
        assert_eq!(parse_positive_expire(b"10", Seconds, Epoch, NOW_MS), Ok(10_000));
        for text in ["0", "-1", "9223372036854775807", "9223372036854776"] {
            assert_eq!(
                parse_positive_expire(text.as_bytes(), Seconds, Now, NOW_MS),
                Err(ExpireError::Invalid)
            );
        }
        assert_eq!(
            parse_positive_expire(b"9223372036854775807", Milliseconds, Now, NOW_MS),
            Err(ExpireError::Invalid)
        );
        assert_eq!(
            parse_positive_expire(b"9223372036854775807", Milliseconds, Epoch, NOW_MS),
            Ok(i64::MAX)
        );
        assert_eq!(
            parse_positive_expire(b"1.5", Seconds, Now, NOW_MS),
            Err(ExpireError::NotAnInteger)
        );
    }

    #[test]
    fn expire_times() {
        assert_eq!(parse_expire(b"-10", Seconds, Now, NOW_MS), Ok(NOW_MS - 10_000));
        assert_eq!(
            parse_expire(b"-9223372036854775808", Milliseconds, Epoch, NOW_MS),
            Ok(i64::MIN)
        );
        assert_eq!(
            parse_expire(b"-9223372036854775", Seconds, Now, NOW_MS),
            Ok(NOW_MS - 9_223_372_036_854_775_000)
        );
        assert_eq!(
            parse_expire(b"-9223372036854776", Seconds, Now, NOW_MS),
            Err(ExpireError::Invalid)
        );
        assert_eq!(
            parse_expire(b"9223372036854775", Seconds, Now, NOW_MS),
            Err(ExpireError::Invalid)
        );
    }

    #[test]
    fn messages_and_times_left() {
        assert_eq!(
            ExpireError::Invalid.message("set"),
            "ERR invalid expire time in 'set' command"
        );
        assert_eq!(ExpireError::NotAnInteger.message("set"), NOT_AN_INTEGER);
        assert_eq!(ttl_ms(NOW_MS - 5, NOW_MS), 0);
        assert_eq!(ttl_seconds(1499), 1);
        assert_eq!(ttl_seconds(1500), 2);
    }
}
