//! Polygons whose corners are positions: their middle, what they lie within, and what is in them.
//!
//! Longitudes and latitudes are taken for the axes of a plane, so that no polygon crosses the line where the greatest
//! longitude meets the least one.

use super::cell::Point;
use super::cover::Bounds;
use super::distance::{degrees, distance_m, radians};
use super::{LATITUDE_MAX, LONGITUDE_MAX};

/// Degrees that are nothing on Earth, and something beside its greatest coordinates.
const SMALL: f64 = 1e-9;

/// The middle: where the mean of the corners lies, seen from Earth's centre.
pub fn middle_of(corners: &[Point]) -> Point {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for corner in corners {
        let (longitude, latitude) = (radians(corner.longitude), radians(corner.latitude));
        x += latitude.cos() * longitude.cos();
        y += latitude.cos() * longitude.sin();
        z += latitude.sin();
    }
    Point {
        longitude: degrees(f64::atan2(y, x)),
        latitude: degrees(f64::atan2(z, (x * x + y * y).sqrt())),
    }
}

/// The same or, where corners around a pole lead beyond what has cells, what is near and has one.
pub(super) fn with_cell(middle: Point) -> Point {
    // The greatest coordinates have none, either.
    let within = |coordinate: f64, max: f64| coordinate.clamp(-max, max - SMALL);
    Point {
        longitude: within(middle.longitude, LONGITUDE_MAX),
        latitude: within(middle.latitude, LATITUDE_MAX),
    }
}

/// The longitudes and latitudes that it lies within.
pub(super) fn bounds_of(corners: &[Point]) -> Bounds {
    let none = Bounds {
        west: LONGITUDE_MAX,
        south: LATITUDE_MAX,
        east: -LONGITUDE_MAX,
        north: -LATITUDE_MAX,
    };
    corners.iter().fold(none, |bounds, corner| Bounds {
        west: bounds.west.min(corner.longitude),
        south: bounds.south.min(corner.latitude),
        east: bounds.east.max(corner.longitude),
        north: bounds.north.max(corner.latitude),
    })
}

/// The distance from a point to the farthest corner of bounds.
pub(super) fn reach_m(from: Point, bounds: &Bounds) -> f64 {
    let distance = |longitude, latitude| distance_m(from, Point { longitude, latitude });
    [
        distance(bounds.west, bounds.north),
        distance(bounds.east, bounds.north),
        distance(bounds.west, bounds.south),
        distance(bounds.east, bounds.south),
    ]
    .into_iter()
    .fold(0.0, f64::max)
}

/// Whether a point is within: whether an odd number of sides lies east of it, at its latitude.
pub(super) fn contains(corners: &[Point], point: Point) -> bool {
    let mut is_within = false;
    let sides = corners
        .iter()
        .zip(corners.iter().cycle().skip(corners.len().saturating_sub(1)));
    for (to, from) in sides {
        let crosses = (to.latitude > point.latitude) != (from.latitude > point.latitude);
        // Only what crosses the latitude divides by a difference that is not zero.
        if crosses {
            let share = (from.longitude - to.longitude) * (point.latitude - to.latitude);
            let at = share / (from.latitude - to.latitude) + to.longitude;
            is_within ^= point.longitude < at;
        }
    }
    is_within
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners(numbers: &[(f64, f64)]) -> Vec<Point> {
        let point = |&(longitude, latitude): &(f64, f64)| Point { longitude, latitude };
        numbers.iter().map(point).collect()
    }

    #[test]
    fn within_and_beside() {
        let arrow = corners(&[(0.0, 0.0), (10.0, 10.0), (0.0, 5.0), (-10.0, 10.0)]);
        let is_in = |longitude, latitude| contains(&arrow, Point { longitude, latitude });
        assert!(is_in(0.0, 1.0) && is_in(5.0, 6.0) && is_in(-5.0, 6.0));
        assert!(!is_in(0.0, 6.0) && !is_in(0.0, -1.0) && !is_in(9.0, 1.0) && !is_in(20.0, 8.0));
        let line = corners(&[(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)]);
        assert!(!contains(&line, line[0]));
    }

    #[test]
    fn the_middle_has_a_cell() {
        let square = corners(&[(10.0, 10.0), (20.0, 10.0), (20.0, -10.0), (10.0, -10.0)]);
        let middle = middle_of(&square);
        assert!((middle.longitude - 15.0).abs() < 1e-9 && middle.latitude.abs() < 1e-9);
        let around_the_pole = corners(&[(0.0, 85.0), (120.0, 85.0), (-120.0, 85.0)]);
        let middle = middle_of(&around_the_pole);
        assert!(middle.latitude > 89.9);
        assert_eq!(with_cell(middle).latitude, LATITUDE_MAX - SMALL);
        let bounds = bounds_of(&square);
        assert_eq!(
            (bounds.west, bounds.south, bounds.east, bounds.north),
            (10.0, -10.0, 20.0, 10.0)
        );
    }
}
