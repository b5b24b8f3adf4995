//! One chart of the last hour, drawn as SVG by hand: a few paths, whose colours the style sheet gives, so that they
//! follow the reader's light or dark.
//!
//! The drawing is stretched to the width that there is, so it holds no text; that stands around it. What is under
//! the pointer tells its numbers by a `<title>`, without a script.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};

use super::data::PageData;
use super::text;
use crate::metrics::history::{Outcome, PERIOD, SAMPLES_MAX, SPAN};

/// Units across: one for each sample.
pub const WIDTH: u32 = SAMPLES_MAX as u32;
const HEIGHT: u32 = 100;
/// Units of the stretch whose numbers the pointer is told: two minutes.
const STRETCH: u32 = WIDTH / 30;
/// Where samples are further apart than this, the server stood still, and no line joins them.
const GAP_UNITS: u32 = 3;
/// A bound further above the curves than this would press them flat, and is not drawn.
const BOUND_FAR: f64 = 4.0;

/// What is drawn, which decides on the scale and the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// So many a second.
    PerSecond,
    /// Nanoseconds, on a logarithmic scale: a single long one leaves the others to be seen.
    Nanos,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
}

impl Unit {
    fn show(self, value: f64) -> String {
        let whole = value.round() as u64;
        match self {
            Self::PerSecond => format!("{}/s", text::count(whole)),
            Self::Nanos => text::nanos(whole),
            Self::Bytes => text::bytes(whole),
            Self::BytesPerSecond => format!("{}/s", text::bytes(whole)),
        }
    }

    /// The next number up that reads well at the top of an axis.
    fn top(self, highest: f64) -> f64 {
        let highest = highest.max(1.0);
        if self != Self::PerSecond {
            return 2_f64.powi(highest.log2().ceil() as i32).max(2.0);
        }
        let decade = 10_f64.powi(highest.log10().floor() as i32);
        let steps = [1.0, 2.0, 5.0, 10.0];
        let fitting = steps.into_iter().find(|step| step * decade >= highest);
        fitting.unwrap_or(10.0) * decade
    }

    /// How high a value stands, 0 to 1.
    fn height(self, value: f64, top: f64) -> f64 {
        let share = match self {
            Self::Nanos => value.max(1.0).log2() / top.log2(),
            _ => value / top,
        };
        share.clamp(0.0, 1.0)
    }
}

/// A curve.
pub struct Line {
    /// What it shows.
    pub name: &'static str,
    /// A value for each sample; `None`: there was nothing to measure.
    pub values: Vec<Option<f64>>,
}

/// A chart.
pub struct Chart {
    /// What is shown.
    pub title: &'static str,
    /// Of all its lines.
    pub unit: Unit,
    /// At most two.
    pub lines: Vec<Line>,
    /// A line across that should not be crossed.
    pub bound: Option<(&'static str, f64)>,
}

/// The classes by which lines are told apart.
const CLASSES: [&str; 2] = ["a", "b"];

/// Draws it.
pub fn draw(chart: &Chart, data: &PageData) -> Markup {
    let xs: Vec<u32> = data.samples.iter().map(|sample| x_of(data, sample.at)).collect();
    let highest = chart.lines.iter().filter_map(highest_of).fold(0.0, f64::max);
    let bound = chart.bound.filter(|(_, value)| *value <= highest * BOUND_FAR);
    let top = chart.unit.top(bound.map_or(highest, |(_, value)| value.max(highest)));
    let y_of = |value: f64| ((1.0 - chart.unit.height(value, top)) * f64::from(HEIGHT)).round() as u32;
    let label = label_of(chart);
    let half_ms = SPAN.as_millis() as u64 / 2;
    html! {
        figure.chart {
            figcaption {
                strong { (chart.title) }
                @for (line, class) in chart.lines.iter().zip(CLASSES) { (legend(chart.unit, line, class)) }
                @if let Some((name, value)) = chart.bound {
                    span.key.bound { (name) " " b { (chart.unit.show(value)) } }
                }
            }
            div.plot {
                span.top aria-hidden="true" { (chart.unit.show(top)) }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(label) {
                    path.grid d=(format!("M0 {}h{WIDTH}M0 {}h{WIDTH}", HEIGHT / 2, HEIGHT)) {}
                    (marks(data))
                    @if let Some((_, value)) = bound { path.bound d=(format!("M0 {}h{WIDTH}", y_of(value))) {} }
                    @for (line, class) in chart.lines.iter().zip(CLASSES) {
                        path.line.(class) d=(path(&xs, &line.values, y_of)) {}
                    }
                    (stretches(chart, data, &xs))
                }
                @if data.samples.is_empty() { p.empty { "The first sample comes after some seconds." } }
            }
            div.axis aria-hidden="true" {
                span { (text::hour_minute(data.now_ms.saturating_sub(2 * half_ms))) }
                span { (text::hour_minute(data.now_ms.saturating_sub(half_ms))) }
                span { (text::hour_minute(data.now_ms)) }
            }
        }
    }
}

fn highest_of(line: &Line) -> Option<f64> {
    line.values.iter().flatten().copied().reduce(f64::max)
}

fn last_of(line: &Line) -> Option<f64> {
    line.values.last().copied().flatten()
}

/// A line's name and numbers.
fn legend(unit: Unit, line: &Line, class: &'static str) -> Markup {
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| unit.show(value));
    html! {
        span.key.(class) { (line.name) " " b { (shown(last_of(line))) } ", highest " (shown(highest_of(line))) }
    }
}

/// The chart in words.
fn label_of(chart: &Chart) -> String {
    let mut label = format!("{}, last hour", chart.title);
    for line in &chart.lines {
        // Writing to a String cannot fail.
        let _ = match (last_of(line), highest_of(line)) {
            (Some(last), Some(highest)) => write!(
                label,
                "; {} {}, highest {}",
                line.name,
                chart.unit.show(last),
                chart.unit.show(highest)
            ),
            _ => write!(label, "; {}: nothing measured", line.name),
        };
    }
    label
}

fn x_of(data: &PageData, at: std::time::Instant) -> u32 {
    x_of_age(data.now.saturating_duration_since(at))
}

fn x_of_age(age: Duration) -> u32 {
    WIDTH.saturating_sub((age.as_secs_f64() / PERIOD.as_secs_f64()).round() as u32)
}

/// The way of a line's points, relative from one to the next. Points within a level stretch are left out.
fn path(xs: &[u32], values: &[Option<f64>], y_of: impl Fn(f64) -> u32) -> String {
    let mut way = Way::default();
    for (x, value) in xs.iter().zip(values) {
        match value {
            Some(value) => way.point(*x, y_of(*value)),
            None => way.lift(),
        }
    }
    way.lift();
    way.text
}

#[derive(Default)]
struct Way {
    text: String,
    /// The last point that was drawn to.
    at: Option<(u32, u32)>,
    /// A later one at the same height, not yet drawn to.
    level_x: Option<u32>,
    /// Whether nothing was drawn since the last move: a point of its own.
    is_dot: bool,
}

impl Way {
    fn point(&mut self, x: u32, y: u32) {
        let last_x = self.level_x.or(self.at.map(|(x, _)| x));
        if last_x.is_some_and(|last_x| x.saturating_sub(last_x) > GAP_UNITS) {
            self.lift();
        }
        match self.at {
            None => {
                let _ = write!(self.text, "M{x} {y}l");
                (self.at, self.is_dot) = (Some((x, y)), true);
            }
            Some((_, last_y)) if last_y == y => self.level_x = Some(x),
            Some(_) => {
                self.catch_up();
                self.draw_to(x, y);
            }
        }
    }

    /// The line ends here.
    fn lift(&mut self) {
        self.catch_up();
        if self.is_dot {
            self.text.push_str("0 0");
        }
        (self.at, self.is_dot) = (None, false);
    }

    fn catch_up(&mut self) {
        if let (Some(x), Some((_, y))) = (self.level_x.take(), self.at) {
            self.draw_to(x, y);
        }
    }

    fn draw_to(&mut self, x: u32, y: u32) {
        if let Some((from_x, from_y)) = self.at {
            let (dx, dy) = (i64::from(x) - i64::from(from_x), i64::from(y) - i64::from(from_y));
            let space = if self.is_dot { "" } else { " " };
            let _ = write!(self.text, "{space}{dx} {dy}");
        }
        (self.at, self.is_dot) = (Some((x, y)), false);
    }
}

/// Checkpoints as lines from top to bottom.
fn marks(data: &PageData) -> Markup {
    let lines = |is_wanted: fn(Outcome) -> bool| {
        let mut way = String::new();
        for mark in data.marks.iter().filter(|mark| is_wanted(mark.outcome)) {
            let _ = write!(way, "M{} 0v{HEIGHT}", x_of(data, mark.at));
        }
        way
    };
    html! {
        path.mark d=(lines(|outcome| outcome != Outcome::Failed)) {}
        path.mark.failed d=(lines(|outcome| outcome == Outcome::Failed)) {}
    }
}

/// The numbers of each stretch, for the pointer: the highest of its samples, and its checkpoints.
fn stretches(chart: &Chart, data: &PageData, xs: &[u32]) -> Markup {
    html! {
        @for at in 0..WIDTH / STRETCH {
            @if let Some(title) = title_of(at, chart, data, xs) {
                rect x=(at * STRETCH) width=(STRETCH) height=(HEIGHT) { title { (title) } }
            }
        }
    }
}

fn title_of(at: u32, chart: &Chart, data: &PageData, xs: &[u32]) -> Option<String> {
    // The newest sample stands at the right edge.
    let is_within = |x: u32| x.min(WIDTH - 1) / STRETCH == at;
    let within: Vec<bool> = xs.iter().map(|x| is_within(*x)).collect();
    if !within.contains(&true) {
        return None;
    }
    let age_ms = u64::from(WIDTH - at * STRETCH) * PERIOD.as_millis() as u64;
    let mut title = text::hour_minute(data.now_ms.saturating_sub(age_ms));
    for line in &chart.lines {
        let values = line.values.iter().zip(&within);
        let highest = values.filter_map(|(value, is_in)| value.filter(|_| *is_in));
        if let Some(highest) = highest.reduce(f64::max) {
            let _ = write!(title, " {} {}", line.name, chart.unit.show(highest));
        }
    }
    for mark in data.marks.iter().filter(|mark| is_within(x_of(data, mark.at))) {
        let _ = match mark.outcome {
            Outcome::Taken(taken) => write!(title, ", checkpoint {}", taken.id),
            Outcome::Failed => write!(title, ", a checkpoint failed"),
        };
    }
    Some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(points: &[(u32, Option<f64>)]) -> String {
        let (xs, values): (Vec<u32>, Vec<Option<f64>>) = points.iter().copied().unzip();
        path(&xs, &values, |value| value as u32)
    }

    #[test]
    fn ways() {
        assert_eq!(drawn(&[]), "");
        assert_eq!(drawn(&[(3, Some(7.0))]), "M3 7l0 0");
        assert_eq!(
            drawn(&[(0, Some(5.0)), (1, Some(7.0)), (2, Some(4.0))]),
            "M0 5l1 2 1 -3"
        );
        // A level stretch is one step.
        let level: Vec<_> = (0..100).map(|x| (x, Some(5.0))).chain([(100, Some(6.0))]).collect();
        assert_eq!(drawn(&level), "M0 5l99 0 1 1");
        // Nothing measured, and a server that stood still.
        assert_eq!(
            drawn(&[(0, Some(1.0)), (1, None), (2, Some(1.0)), (3, Some(1.0))]),
            "M0 1l0 0M2 1l1 0"
        );
        assert_eq!(
            drawn(&[(0, Some(1.0)), (1, Some(2.0)), (9, Some(2.0))]),
            "M0 1l1 1M9 2l0 0"
        );
        assert_eq!(
            drawn(&[(0, Some(1.0)), (1, Some(1.0)), (9, Some(1.0))]),
            "M0 1l1 0M9 1l0 0"
        );
    }

    #[test]
    fn axes() {
        assert_eq!(
            [0.0, 1.0, 3.0, 51.0, 1_000.0].map(|highest| Unit::PerSecond.top(highest)),
            [1.0, 1.0, 5.0, 100.0, 1_000.0]
        );
        assert_eq!(
            [0.0, 5.0, 1024.0, 1025.0].map(|highest| Unit::Bytes.top(highest)),
            [2.0, 8.0, 1024.0, 2048.0]
        );
        for unit in [Unit::PerSecond, Unit::Nanos, Unit::Bytes, Unit::BytesPerSecond] {
            for value in [0.0, 0.2, 1.0, 17.0, 1e6, 1e13, 1.8e19] {
                let top = unit.top(value);
                assert!(top >= value && unit.height(value, top) <= 1.0, "{unit:?} {value}");
                assert_eq!((unit.height(0.0, top), unit.height(top, top)), (0.0, 1.0));
            }
        }
    }

    #[test]
    fn ages() {
        assert_eq!(x_of_age(Duration::ZERO), WIDTH);
        assert_eq!(x_of_age(PERIOD * 2), WIDTH - 2);
        assert_eq!((x_of_age(SPAN), x_of_age(SPAN * 9)), (0, 0));
    }
}
