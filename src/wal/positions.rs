//! Where records begin in the segment files: so that reading from an LSN need not begin at the start of its segment.
//!
//! **Invariants**
//! - A position is never wrong: segments only grow. It may be of a segment that is gone, and then is of no use.
//! - There are at most [`POSITIONS_MAX`]; those unused for longest go first.

use std::collections::BTreeMap;

use super::Lsn;

/// Bytes between the positions that are noted in passing.
pub(super) const SPACING_BYTES: u64 = 4 << 20;
/// With the spacing, enough for 16 GiB of log beside some thousand followers.
const POSITIONS_MAX: usize = 8192;

/// Where a record begins, or will begin when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// First LSN of the segment.
    pub segment: Lsn,
    /// Byte in its file.
    pub offset: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Positions {
    known: BTreeMap<Lsn, (Place, u64)>,
    clock: u64,
}

impl Positions {
    /// Record `lsn` is at `place`. O(log n), now and then O(n).
    pub fn note(&mut self, lsn: Lsn, place: Place) {
        self.clock += 1;
        self.known.insert(lsn, (place, self.clock));
        if self.known.len() > POSITIONS_MAX {
            self.forget_half();
        }
    }

    /// The nearest known record of `segment` at or before `lsn`. O(log n).
    pub fn find(&mut self, lsn: Lsn, segment: Lsn) -> Option<(Lsn, u64)> {
        let (known, (place, used)) = self.known.range_mut(..=lsn).next_back()?;
        if place.segment != segment {
            return None;
        }
        self.clock += 1;
        *used = self.clock;
        Some((*known, place.offset))
    }

    fn forget_half(&mut self) {
        let mut uses: Vec<u64> = self.known.values().map(|(_, used)| *used).collect();
        let middle = uses.len() / 2;
        let (_, median, _) = uses.select_nth_unstable(middle);
        let median = *median;
        self.known.retain(|_, (_, used)| *used >= median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_before_in_the_same_segment() {
        let mut positions = Positions::default();
        positions.note(
            Lsn::new(10),
            Place {
                segment: Lsn::FIRST,
                offset: 900,
            },
        );
        positions.note(
            Lsn::new(101),
            Place {
                segment: Lsn::FIRST,
                offset: 7000,
            },
        );
        assert_eq!(positions.find(Lsn::new(9), Lsn::FIRST), None);
        assert_eq!(positions.find(Lsn::new(10), Lsn::FIRST), Some((Lsn::new(10), 900)));
        assert_eq!(positions.find(Lsn::new(100), Lsn::FIRST), Some((Lsn::new(10), 900)));
        // The end of segment 1 is no place in segment 101.
        assert_eq!(positions.find(Lsn::new(150), Lsn::new(101)), None);
        assert_eq!(positions.find(Lsn::new(9), Lsn::new(20)), None);
    }

    #[test]
    fn what_is_used_stays() {
        let mut positions = Positions::default();
        positions.note(
            Lsn::new(5),
            Place {
                segment: Lsn::FIRST,
                offset: 32,
            },
        );
        for lsn in 10..20_000 {
            positions.note(
                Lsn::new(lsn),
                Place {
                    segment: Lsn::FIRST,
                    offset: lsn,
                },
            );
            assert_eq!(positions.find(Lsn::new(5), Lsn::FIRST), Some((Lsn::new(5), 32)));
        }
        assert!(positions.known.len() <= POSITIONS_MAX);
        assert_eq!(
            positions.find(Lsn::new(19_999), Lsn::FIRST),
            Some((Lsn::new(19_999), 19_999))
        );
    }
}
