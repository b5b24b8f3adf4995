//! The table: a line for each script, number of requests at once, and server.

use super::case::Case;
use super::common::load::Sample;
use super::common::stats::{median, thousands};
use super::table::{self, Align};

/// All measurements of one script at one depth.
pub struct Row {
    /// The script.
    pub case: Case,
    /// Requests at once.
    pub pipeline: usize,
    /// For each round one sample of each server.
    pub rounds: Vec<Vec<Sample>>,
}

impl Row {
    /// Nothing is measured yet.
    pub fn new(case: Case, pipeline: usize) -> Self {
        Self {
            case,
            pipeline,
            rounds: Vec::new(),
        }
    }

    fn middle(&self, side: usize, of: fn(&Sample) -> f64) -> f64 {
        let samples = self.rounds.iter().filter_map(|round| round.get(side));
        median(&samples.map(of).collect::<Vec<_>>())
    }

    /// The last server as a multiple of this one, in each round.
    fn ratio(&self, side: usize, of: fn(&Sample) -> f64) -> String {
        let pairs = self.rounds.iter().filter_map(|round| round.get(side).zip(round.last()));
        let ratios: Vec<f64> = pairs.map(|(one, last)| of(last) / of(one)).collect();
        format!("{:.2}", median(&ratios))
    }
}

/// All rows; `servers` has LokiKV last.
pub fn render(servers: &[&str], rows: &[Row]) -> String {
    let header = [
        ("Script", Align::Left),
        ("at once", Align::Right),
        ("Server", Align::Left),
        ("requests/s", Align::Right),
        ("CPU ns/request", Align::Right),
        ("p99 µs", Align::Right),
        ("LokiKV requests/s", Align::Right),
        ("LokiKV CPU", Align::Right),
    ];
    let all = rows.iter().flat_map(|row| {
        let places = servers.iter().enumerate();
        places.map(move |(side, title)| line(row, side, title, side + 1 == servers.len()))
    });
    table::render(&header, &all.collect::<Vec<_>>())
}

fn line(row: &Row, side: usize, title: &str, is_own: bool) -> Vec<String> {
    let ratio = |of| if is_own { String::new() } else { row.ratio(side, of) };
    vec![
        row.case.to_string(),
        row.pipeline.to_string(),
        title.to_owned(),
        thousands(row.middle(side, |sample| sample.per_second)),
        thousands(row.middle(side, |sample| sample.cpu_ns)),
        thousands(row.middle(side, |sample| sample.p99_us)),
        ratio(|sample| sample.per_second),
        ratio(|sample| sample.cpu_ns),
    ]
}
