//! Distances on a sphere, by the haversine formula.

use super::cell::Point;

/// The radius that is taken for Earth's.
pub const EARTH_RADIUS_M: f64 = 6_372_797.560_856;

const RADIANS: f64 = std::f64::consts::PI / 180.0;

/// Degrees as radians.
pub fn radians(degrees: f64) -> f64 {
    degrees * RADIANS
}

/// Radians as degrees.
pub fn degrees(radians: f64) -> f64 {
    radians / RADIANS
}

/// The distance between two latitudes on a meridian.
pub fn latitude_distance_m(one: f64, other: f64) -> f64 {
    EARTH_RADIUS_M * (radians(other) - radians(one)).abs()
}

/// The distance between two points.
pub fn distance_m(one: Point, other: Point) -> f64 {
    let v = ((radians(other.longitude) - radians(one.longitude)) / 2.0).sin();
    if v == 0.0 {
        return latitude_distance_m(one.latitude, other.latitude);
    }
    let (from, to) = (radians(one.latitude), radians(other.latitude));
    let u = ((to - from) / 2.0).sin();
    let a = u * u + from.cos() * to.cos() * v * v;
    2.0 * EARTH_RADIUS_M * a.sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palermo_and_catania() {
        let palermo = Point {
            longitude: 13.361_389,
            latitude: 38.115_556,
        };
        let catania = Point {
            longitude: 15.087_269,
            latitude: 37.502_669,
        };
        assert!((distance_m(palermo, catania) - 166_274.15).abs() < 1.0);
        assert_eq!(distance_m(palermo, palermo), 0.0);
    }
}
