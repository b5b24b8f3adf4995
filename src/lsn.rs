//! [`Lsn`]: the number of a record of the log, and with it a moment of the data.
//!
//! **Invariant:** on disk it is the bare `u64`: serde passes it through.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A log sequence number: contiguous, from 1; 0 is "before the first record".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lsn(u64);

impl Lsn {
    /// Before the first record; of a page: never changed by a record.
    pub const ZERO: Lsn = Lsn(0);
    /// The first record of a log.
    pub const FIRST: Lsn = Lsn(1);
    /// Beyond every record: no record has it.
    pub const MAX: Lsn = Lsn(u64::MAX);

    /// The LSN of this number.
    #[inline]
    pub const fn new(number: u64) -> Self {
        Lsn(number)
    }

    /// Its number.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// That of the record after this one. There is none after [`Lsn::MAX`], which no log reaches.
    #[inline]
    #[must_use]
    pub const fn next(self) -> Self {
        Lsn(self.0 + 1)
    }

    /// That of the record before this one; [`Lsn::ZERO`] stays.
    #[inline]
    #[must_use]
    pub const fn before(self) -> Self {
        self.saturating_sub(1)
    }

    /// That of the record `records` after this one, at most [`Lsn::MAX`].
    #[inline]
    #[must_use]
    pub const fn saturating_add(self, records: u64) -> Self {
        Lsn(self.0.saturating_add(records))
    }

    /// That of the record `records` before this one, at least [`Lsn::ZERO`].
    #[inline]
    #[must_use]
    pub const fn saturating_sub(self, records: u64) -> Self {
        Lsn(self.0.saturating_sub(records))
    }

    /// How many records there are after `earlier` up to this one; 0 if it is not earlier.
    #[inline]
    pub const fn records_since(self, earlier: Lsn) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Lsn {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::codec;

    #[test]
    fn it_is_stored_and_shown_as_its_number() {
        for number in [0, 1, 250, 251, 65_536, u64::MAX] {
            let lsn = Lsn::new(number);
            let (mut bare, mut wrapped) = (Vec::new(), Vec::new());
            codec::encode(&number, None, &mut bare);
            codec::encode(&lsn, None, &mut wrapped);
            assert_eq!(bare, wrapped);
            assert_eq!(lsn.to_string().parse(), Ok(lsn));
        }
        assert_eq!(format!("{:04}", Lsn::new(7)), "0007");
    }

    #[test]
    fn its_neighbours() {
        assert_eq!(Lsn::ZERO.next(), Lsn::FIRST);
        assert_eq!(Lsn::FIRST.before(), Lsn::ZERO);
        assert_eq!(Lsn::ZERO.before(), Lsn::ZERO);
        assert_eq!(Lsn::MAX.saturating_add(1), Lsn::MAX);
        assert_eq!(Lsn::new(9).records_since(Lsn::new(4)), 5);
        assert_eq!(Lsn::new(4).records_since(Lsn::new(9)), 0);
    }
}
