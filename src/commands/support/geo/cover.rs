//! Areas that are searched, and the cells that cover them.

use super::cell::{Cell, Frame, Point};
use super::distance::{EARTH_RADIUS_M, degrees, distance_m, latitude_distance_m, radians};
use super::polygon;
use super::{STEPS_MAX, point_of_score};

/// Half of Earth's girth in the Mercator projection.
const MERCATOR_MAX_M: f64 = 20_037_726.37;

/// The form of an area; sizes in the unit that the client chose.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// All within a distance.
    Circle {
        /// That distance.
        radius: f64,
    },
    /// A rectangle along meridians and parallels.
    Rectangle {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
    /// What lies within lines from each of these points to the next, and from the last one to the first: straight ones
    /// where longitudes and latitudes are the axes.
    Polygon {
        /// Its corners.
        corners: Vec<Point>,
    },
}

/// What is searched.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// Its middle.
    pub centre: Point,
    /// Its form.
    pub shape: Shape,
    /// Metres in the unit of its sizes.
    pub unit_m: f64,
}

/// How many cells an area is covered with: its own and those around it.
const CELLS: usize = 9;

/// Longitudes and latitudes that an area lies within.
pub(super) struct Bounds {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl Area {
    /// The distance from the centre to what a score stands for, if that is within, in metres.
    pub fn distance_within_m(&self, score: f64) -> Option<f64> {
        let point = point_of_score(score);
        match &self.shape {
            Shape::Circle { radius } => {
                let distance = distance_m(self.centre, point);
                // Opposite points may have no distance that is a number; Redis takes them for near.
                let is_beyond = distance > radius * self.unit_m;
                (!is_beyond).then_some(distance)
            }
            Shape::Rectangle { width, height } => {
                let across = height * self.unit_m / 2.0;
                if latitude_distance_m(point.latitude, self.centre.latitude) > across {
                    return None;
                }
                let beside = Point {
                    latitude: point.latitude,
                    ..self.centre
                };
                let is_beyond = distance_m(point, beside) > width * self.unit_m / 2.0;
                (!is_beyond).then(|| distance_m(self.centre, point))
            }
            Shape::Polygon { corners } => polygon::contains(corners, point).then(|| distance_m(self.centre, point)),
        }
    }

    /// The cells to look into, in this order. One may come twice where cells are so large that neighbours meet on the
    /// other side of Earth, as in Redis.
    pub fn cells(&self) -> Vec<Cell> {
        let bounds = self.bounds();
        let mut steps = steps_for(self.reach_m(), self.centre.latitude);
        // Once is enough for what lies evenly around its middle.
        let is_uneven = matches!(self.shape, Shape::Polygon { .. });
        let mut is_tried = false;
        while steps > 1 && (is_uneven || !is_tried) && self.is_too_large_for(steps, &bounds) {
            (steps, is_tried) = (steps - 1, true);
        }
        let centre = self.centre_cell(steps);
        let own = Frame::MERCATOR.extent(centre);
        let may_leave_out = steps >= 2;
        let (no_south, no_north) = (
            may_leave_out && own.latitude.min < bounds.south,
            may_leave_out && own.latitude.max > bounds.north,
        );
        let (no_west, no_east) = (
            may_leave_out && own.longitude.min < bounds.west,
            may_leave_out && own.longitude.max > bounds.east,
        );
        let around = [
            (0, 0),
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (-1, 1),
            (1, -1),
            (-1, -1),
        ];
        let mut cells: Vec<Cell> = Vec::with_capacity(CELLS);
        for (east, north) in around {
            let is_useless =
                north < 0 && no_south || north > 0 && no_north || east < 0 && no_west || east > 0 && no_east;
            if is_useless {
                continue;
            }
            let cell = centre.neighbour(east, north);
            // The centre itself is not compared with.
            if cells.len() < 2 || cells.last() != Some(&cell) {
                cells.push(cell);
            }
        }
        cells
    }

    fn centre_cell(&self, steps: u32) -> Cell {
        let centre = match self.shape {
            Shape::Polygon { .. } => polygon::with_cell(self.centre),
            _ => self.centre,
        };
        Frame::MERCATOR.cell(centre, steps)
    }

    /// The distance from the centre to the farthest point.
    fn reach_m(&self) -> f64 {
        let reach = match &self.shape {
            Shape::Circle { radius } => *radius,
            Shape::Polygon { corners } => polygon::reach_m(self.centre, &polygon::bounds_of(corners)),
            Shape::Rectangle { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        reach * self.unit_m
    }

    fn bounds(&self) -> Bounds {
        let (half_width, half_height) = match &self.shape {
            Shape::Circle { radius } => (*radius, *radius),
            Shape::Rectangle { width, height } => (width / 2.0, height / 2.0),
            Shape::Polygon { corners } => return polygon::bounds_of(corners),
        };
        let (half_width, half_height) = (self.unit_m * half_width, self.unit_m * half_height);
        let Point { longitude, latitude } = self.centre;
        let up = degrees(half_height / EARTH_RADIUS_M);
        // Meridians meet at the poles: the parallel nearer to one is where the area takes most of them.
        let outer = if latitude < 0.0 { latitude - up } else { latitude + up };
        let aside = degrees(half_width / EARTH_RADIUS_M / radians(outer).cos());
        Bounds {
            west: longitude - aside,
            south: latitude - up,
            east: longitude + aside,
            north: latitude + up,
        }
    }

    /// Whether the cells around the centre's do not reach as far as the area does.
    fn is_too_large_for(&self, steps: u32, bounds: &Bounds) -> bool {
        let centre = self.centre_cell(steps);
        let extent = |east, north| Frame::MERCATOR.extent(centre.neighbour(east, north));
        extent(0, 1).latitude.max < bounds.north
            || extent(0, -1).latitude.min > bounds.south
            || extent(1, 0).longitude.max < bounds.east
            || extent(-1, 0).longitude.min > bounds.west
    }
}

/// Into how small cells the world can be divided so that nine of them cover a circle.
fn steps_for(mut radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return STEPS_MAX;
    }
    let mut steps = 1_i32;
    while radius_m < MERCATOR_MAX_M {
        radius_m *= 2.0;
        steps += 1;
    }
    steps -= 2;
    // Towards the poles cells are narrower.
    if latitude.abs() > 66.0 {
        steps -= 1;
    }
    if latitude.abs() > 80.0 {
        steps -= 1;
    }
    steps.clamp(1, STEPS_MAX as i32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::support::geo::score_of_point;

    fn circle(longitude: f64, latitude: f64, radius: f64) -> Area {
        Area {
            centre: Point { longitude, latitude },
            shape: Shape::Circle { radius },
            unit_m: 1.0,
        }
    }

    #[test]
    fn steps_follow_the_radius() {
        assert_eq!(steps_for(0.0, 0.0), 26);
        assert_eq!(steps_for(1.0, 0.0), 24);
        assert_eq!(steps_for(1.0, 85.0), 22);
        assert_eq!(steps_for(1e9, 0.0), 1);
    }

    #[test]
    fn cells_cover_what_is_within() {
        for (longitude, latitude) in [(0.0, 0.0), (13.4, 52.5), (-70.0, -33.0), (150.0, 70.0)] {
            let area = circle(longitude, latitude, 50_000.0);
            let cells = area.cells();
            assert!((1..=CELLS).contains(&cells.len()));
            for (east, north) in [(0.3, 0.1), (-0.3, -0.2), (0.0, 0.44), (0.4, 0.0), (0.0, -0.4)] {
                let score = score_of_point(Point {
                    longitude: longitude + east,
                    latitude: latitude + north,
                });
                let is_covered = cells.iter().any(|cell| {
                    let (first, end) = cell.scores();
                    (first..end).contains(&score)
                });
                assert!(is_covered || area.distance_within_m(score).is_none());
            }
        }
    }
}
