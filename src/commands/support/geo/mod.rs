//! Positions on Earth as sorted set scores: cells of 52 bits, distances, and the cells that cover an area.
//!
//! **Invariant:** every number is computed in the order in which Redis computes it, so that not only results but also
//! their last digits and the order in which a search finds them are the same.

mod cell;
mod cover;
mod distance;
mod polygon;

pub use cell::{Cell, Frame, Point, STEPS_MAX, geohash_text, point_of_score, score_of_point};
pub use cover::{Area, Shape};
pub use distance::{distance_m, latitude_distance_m};
pub use polygon::middle_of;

/// The greatest longitude, degrees; the least one is its negative.
pub const LONGITUDE_MAX: f64 = 180.0;
/// The greatest latitude that is taken, degrees: that of the Web Mercator projection.
pub const LATITUDE_MAX: f64 = 85.051_128_78;
