//! Cells: rectangles of longitude and latitude, halved step by step, each step a bit of both.
//!
//! Bits of the latitude are the even ones of a cell's number, bits of the longitude the odd ones. With 26 steps a cell
//! has 52 bits, which a double holds exactly.

use super::{LATITUDE_MAX, LONGITUDE_MAX};

/// Steps of the cells that are stored.
pub const STEPS_MAX: u32 = 26;

/// A position, degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

/// From a least to a greatest coordinate, degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    pub min: f64,
    pub max: f64,
}

impl Extent {
    const fn around_zero(max: f64) -> Self {
        Self { min: -max, max }
    }

    fn size(self) -> f64 {
        self.max - self.min
    }

    /// Which of its 2^`steps` equal parts a coordinate is in.
    fn part_of(self, coordinate: f64, steps: u32) -> u32 {
        ((coordinate - self.min) / self.size() * (1_u64 << steps) as f64) as u32
    }

    /// The part with this number.
    fn part(self, number: u32, steps: u32) -> Self {
        let parts = (1_u64 << steps) as f64;
        let border = |number: u32| self.min + (f64::from(number) / parts) * self.size();
        Self {
            min: border(number),
            max: border(number.wrapping_add(1)),
        }
    }

    fn middle(self) -> f64 {
        (self.min + self.max) / 2.0
    }
}

/// A rectangle of longitude and latitude, which cells divide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// From west to east.
    pub(super) longitude: Extent,
    /// From south to north.
    pub(super) latitude: Extent,
}

/// A part of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its number.
    pub bits: u64,
    /// How often the frame was halved, both ways.
    pub steps: u32,
}

impl Frame {
    /// What is stored: the square of the Web Mercator projection.
    pub const MERCATOR: Self = Self {
        longitude: Extent::around_zero(LONGITUDE_MAX),
        latitude: Extent::around_zero(LATITUDE_MAX),
    };

    /// All latitudes, as geohash texts count them.
    const WHOLE: Self = Self {
        longitude: Extent::around_zero(LONGITUDE_MAX),
        latitude: Extent::around_zero(90.0),
    };

    /// The cell that a point within the frame is in.
    pub fn cell(&self, point: Point, steps: u32) -> Cell {
        let latitude = self.latitude.part_of(point.latitude, steps);
        let longitude = self.longitude.part_of(point.longitude, steps);
        Cell {
            bits: spread(latitude) | spread(longitude) << 1,
            steps,
        }
    }

    /// What a cell covers.
    pub(super) fn extent(&self, cell: Cell) -> Self {
        Self {
            longitude: self.longitude.part(gather(cell.bits >> 1), cell.steps),
            latitude: self.latitude.part(gather(cell.bits), cell.steps),
        }
    }
}

impl Cell {
    /// The scores of what is in it: from the first up to but without the second.
    pub fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEPS_MAX - self.steps);
        ((self.bits << shift) as f64, (self.bits.wrapping_add(1) << shift) as f64)
    }

    /// The neighbour so many cells to the east and to the north (each -1, 0 or 1); around the world at its edges.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let parts = 1_u32.checked_shl(self.steps).unwrap_or(0);
        // The northernmost latitude of all is a part too far; it stays so until it moves.
        let moved = |part: u32, by: i32| match by {
            0 => part,
            by => part.wrapping_add_signed(by) & parts.wrapping_sub(1),
        };
        let latitude = moved(gather(self.bits), north);
        let longitude = moved(gather(self.bits >> 1), east);
        Self {
            bits: spread(latitude) | spread(longitude) << 1,
            ..self
        }
    }
}

/// Puts the bits of a number on the even places of one twice as long.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// The number whose bits are on the even places.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

/// The score that stands for a point.
pub fn score_of_point(point: Point) -> f64 {
    Frame::MERCATOR.cell(point, STEPS_MAX).bits as f64
}

/// The point that a score stands for: the middle of its cell.
pub fn point_of_score(score: f64) -> Point {
    let cell = Cell {
        bits: bits_of_score(score),
        steps: STEPS_MAX,
    };
    let extent = Frame::MERCATOR.extent(cell);
    Point {
        longitude: extent.longitude.middle().clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
        latitude: extent.latitude.middle().clamp(-LATITUDE_MAX, LATITUDE_MAX),
    }
}

/// A score as an unsigned number. Any score may be asked for; those that are no cell come out as they do in C on the
/// machines of today: negative ones wrapped around, too large ones as 0 or 2^63.
fn bits_of_score(score: f64) -> u64 {
    const HALF: f64 = (1_u64 << 63) as f64;
    let whole = |value: f64| {
        if (-HALF..HALF).contains(&value) {
            value as i64
        } else {
            i64::MIN
        }
    };
    if score < HALF {
        whole(score) as u64
    } else {
        whole(score - HALF) as u64 ^ 1 << 63
    }
}

const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
const TEXT_BYTES: u32 = 11;

/// A point's geohash as it is written elsewhere: 11 characters, of which the last is always 0.
pub fn geohash_text(point: Point) -> String {
    let bits = Frame::WHOLE.cell(point, STEPS_MAX).bits;
    let letter = |at: u32| {
        let shift = (2 * STEPS_MAX).checked_sub((at + 1) * 5);
        let number = shift.map_or(0, |shift| bits >> shift & 31);
        ALPHABET.get(number as usize).copied().map_or('0', char::from)
    };
    (0..TEXT_BYTES).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(longitude: f64, latitude: f64) -> Point {
        Point { longitude, latitude }
    }

    #[test]
    fn palermo() {
        let palermo = point(13.361_389, 38.115_556);
        assert_eq!(score_of_point(palermo), 3_479_099_956_230_698.0);
        assert_eq!(geohash_text(point_of_score(3_479_099_956_230_698.0)), "sqc8b49rny0");
        let decoded = point_of_score(score_of_point(palermo));
        assert_eq!(decoded, point(13.361_389_338_970_184, 38.115_556_395_496_3));
    }

    #[test]
    fn bits_are_spread_and_gathered() {
        for number in [0, 1, 2, 0x5555_5555, 0xdead_beef, u32::MAX] {
            assert_eq!(gather(spread(number)), number);
            assert_eq!(gather(spread(number) << 1), 0);
        }
    }

    #[test]
    fn neighbours_go_around_the_world() {
        let cell = Cell { bits: 0, steps: 2 };
        assert_eq!(cell.neighbour(1, 0).bits, 0b10);
        assert_eq!(cell.neighbour(0, 1).bits, 0b01);
        assert_eq!(cell.neighbour(-1, 0).bits, 0b1010);
        assert_eq!(cell.neighbour(-1, -1).bits, 0b1111);
        assert_eq!(cell.neighbour(-1, -1).neighbour(1, 1), cell);
    }

    #[test]
    fn scores_that_are_no_cell() {
        assert_eq!(bits_of_score(-1.5), u64::MAX);
        assert_eq!(bits_of_score(2.5), 2);
        assert_eq!(bits_of_score(1e19), 10_000_000_000_000_000_000);
        assert_eq!(bits_of_score(f64::INFINITY), 0);
        assert_eq!(bits_of_score(f64::NEG_INFINITY), 1 << 63);
    }
}
