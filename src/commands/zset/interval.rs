//! Ranges of a sorted set, by rank, score or name, as intervals of ranks.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use crate::commands::CmdError;
use crate::commands::support::number::parse_i64;
use crate::page::packed::Item;
use crate::page::zset::{Member, ZsetRef};
use crate::resp::double::parse_lenient;

/// Ranks that follow each other, counted from the lowest score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interval {
    /// The first one.
    pub start: u64,
    /// How many.
    pub len: u64,
}

impl Interval {
    /// From `start` up to but without `end`; nothing if that is not behind it.
    fn between(start: u64, end: u64) -> Self {
        Self {
            start,
            len: end.saturating_sub(start),
        }
    }

    /// From the place `start` to `stop`, both included, among `count`; negative places count from the other end.
    fn of_places(start: i64, stop: i64, count: u64, reverse: bool) -> Self {
        let from_end = |place: i64| {
            if place < 0 {
                place.saturating_add(count as i64)
            } else {
                place
            }
        };
        let (start, stop) = (from_end(start).max(0), from_end(stop).min(count as i64 - 1));
        if start > stop {
            return Self::default();
        }
        let (start, len) = (start as u64, (stop - start + 1) as u64);
        Self {
            start: if reverse { count - start - len } else { start },
            len,
        }
    }

    /// What is left of it behind its first `offset` members, at most `count` (negative: all); from its end if
    /// `reverse`.
    pub fn limited(self, reverse: bool, offset: i64, count: i64) -> Self {
        let offset = u64::try_from(offset).unwrap_or(u64::MAX).min(self.len);
        let left = self.len - offset;
        let len = u64::try_from(count).map_or(left, |count| count.min(left));
        Self {
            start: self.start + if reverse { left - len } else { offset },
            len,
        }
    }

    /// Visits its members, from the highest if `reverse`.
    pub fn visit<'a>(self, zset: ZsetRef<'a>, reverse: bool, mut visit: impl FnMut(Member<'a>)) {
        let Some(last) = self.len.checked_sub(1) else {
            return;
        };
        let mut left = self.len;
        let each = |member| {
            visit(member);
            left -= 1;
            if left == 0 {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let _ = if reverse {
            zset.for_each_back_from(self.start + last, each)
        } else {
            zset.for_each_from(self.start, each)
        };
    }
}

/// What a range goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// A range as its two arguments give it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bounds<'a> {
    /// Places from the end that is asked for, both included.
    Ranks(i64, i64),
    Scores(Score, Score),
    Names(Name<'a>, Name<'a>),
}

impl<'a> Bounds<'a> {
    /// Reads the arguments `min` and `max`.
    pub fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, CmdError> {
        match by {
            By::Rank => {
                let place = |argument| parse_i64(argument).ok_or(CmdError::NotInteger);
                Ok(Self::Ranks(place(min)?, place(max)?))
            }
            By::Score => {
                let bounds = Score::parse(min).zip(Score::parse(max));
                let (min, max) = bounds.ok_or(CmdError::text("ERR min or max is not a float"))?;
                Ok(Self::Scores(min, max))
            }
            By::Lex => {
                let bounds = Name::parse(min).zip(Name::parse(max));
                let (min, max) = bounds.ok_or(CmdError::text("ERR min or max not valid string range item"))?;
                Ok(Self::Names(min, max))
            }
        }
    }

    /// The members within. O(log n).
    pub fn interval(self, zset: ZsetRef<'_>, reverse: bool) -> Interval {
        match self {
            Self::Ranks(start, stop) => Interval::of_places(start, stop, zset.len(), reverse),
            Self::Scores(min, max) => Interval::between(
                zset.partition_point(|member| min.is_above(member.score)),
                zset.partition_point(|member| max.admits_up_to(member.score)),
            ),
            Self::Names(min, max) => Interval::between(
                zset.partition_point(|member| min.is_above(member.name)),
                zset.partition_point(|member| max.admits_up_to(member.name)),
            ),
        }
    }
}

/// A score that bounds a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    value: f64,
    exclusive: bool,
}

impl Score {
    fn parse(argument: &[u8]) -> Option<Self> {
        let (exclusive, number) = match argument {
            [b'(', number @ ..] => (true, number),
            number => (false, number),
        };
        let value = parse_lenient(number)?;
        Some(Self { value, exclusive })
    }

    /// As a lower bound: whether `score` is below it.
    fn is_above(self, score: f64) -> bool {
        score < self.value || self.exclusive && score == self.value
    }

    /// As an upper bound: whether `score` is not above it.
    fn admits_up_to(self, score: f64) -> bool {
        score < self.value || !self.exclusive && score == self.value
    }
}

/// A name that bounds a range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'a> {
    /// Before all names.
    Lowest,
    /// Behind all names.
    Highest,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
}

impl<'a> Name<'a> {
    fn parse(argument: &'a [u8]) -> Option<Self> {
        match argument {
            // Redis takes them for C strings.
            [b'-'] | [b'-', 0, ..] => Some(Self::Lowest),
            [b'+'] | [b'+', 0, ..] => Some(Self::Highest),
            [b'[', name @ ..] => Some(Self::Included(name)),
            [b'(', name @ ..] => Some(Self::Excluded(name)),
            _ => None,
        }
    }

    /// As a lower bound: whether `name` is below it.
    fn is_above(self, name: Item<'_>) -> bool {
        match self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Included(bound) => name.cmp_bytes(bound) == Ordering::Less,
            Self::Excluded(bound) => name.cmp_bytes(bound) != Ordering::Greater,
        }
    }

    /// As an upper bound: whether `name` is not above it.
    fn admits_up_to(self, name: Item<'_>) -> bool {
        match self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Included(bound) => name.cmp_bytes(bound) != Ordering::Greater,
            Self::Excluded(bound) => name.cmp_bytes(bound) == Ordering::Less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: u64, len: u64) -> Interval {
        Interval { start, len }
    }

    #[test]
    fn places_count_from_either_end() {
        assert_eq!(Interval::of_places(0, -1, 5, false), interval(0, 5));
        assert_eq!(Interval::of_places(1, 2, 5, true), interval(2, 2));
        assert_eq!(Interval::of_places(-2, 100, 5, false), interval(3, 2));
        assert_eq!(Interval::of_places(-100, -100, 5, false), Interval::default());
        assert_eq!(Interval::of_places(i64::MIN, i64::MAX, 5, true), interval(0, 5));
    }

    #[test]
    fn limits_count_from_where_the_reading_begins() {
        let five = interval(10, 5);
        assert_eq!(five.limited(false, 1, 2), interval(11, 2));
        assert_eq!(five.limited(true, 1, 2), interval(12, 2));
        assert_eq!(five.limited(false, 2, -1), interval(12, 3));
        assert_eq!(five.limited(true, 2, -1), interval(10, 3));
        assert_eq!(five.limited(false, -1, 2).len, 0);
        assert_eq!(five.limited(true, 9, 2).len, 0);
        assert_eq!(five.limited(false, 0, 0).len, 0);
    }

    #[test]
    fn bounds_as_they_are_written() {
        let scores = |min: &'static str, max: &'static str| Bounds::parse(By::Score, min.as_bytes(), max.as_bytes());
        assert!(scores("(1", "+inf").is_ok() && scores("", "2").is_ok() && scores("1e400", "(").is_ok());
        assert!(
            scores("nan", "1").is_err()
                && scores("1", "2x").is_err()
                && scores(" 1", "2").is_err()
                && scores("0x1", "2").is_err()
                && scores("[1", "2").is_err()
        );
        let names = |min: &'static [u8], max: &'static [u8]| Bounds::parse(By::Lex, min, max);
        assert!(names(b"-", b"+").is_ok() && names(b"[a", b"(").is_ok() && names(b"-\0x", b"+").is_ok());
        assert!(names(b"a", b"+").is_err() && names(b"-x", b"+").is_err() && names(b"", b"+").is_err());
    }
}
