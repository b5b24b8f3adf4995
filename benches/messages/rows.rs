//! The table: a row for each server, audience and number of publishes at once.

use super::common::stats::{median, thousands};
use super::table::{self, Align};

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Messages delivered a second.
    pub per_second: f64,
    /// Nanoseconds of the server's CPU for each of them.
    pub cpu_ns: f64,
    /// Bytes of the server's memory for each idle subscriber.
    pub idle_bytes: f64,
}

/// Medians of a server's measurements.
pub struct Row {
    audience: String,
    pipeline: usize,
    server: String,
    measured: Measured,
}

impl Row {
    /// Of these rounds.
    pub fn of(audience: String, pipeline: usize, server: &str, rounds: &[Measured]) -> Self {
        let middle = |of: fn(&Measured) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
        Self {
            audience,
            pipeline,
            server: server.to_owned(),
            measured: Measured {
                per_second: middle(|one| one.per_second),
                cpu_ns: middle(|one| one.cpu_ns),
                idle_bytes: middle(|one| one.idle_bytes),
            },
        }
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.audience == other.audience && self.pipeline == other.pipeline
    }
}

/// All rows, LokiKV's last of each kind; the others have what it is beside them.
pub fn render(rows: &[Row]) -> String {
    let header = [
        ("Audience", Align::Left),
        ("at once", Align::Right),
        ("Server", Align::Left),
        ("delivered/s", Align::Right),
        ("CPU ns/message", Align::Right),
        ("bytes/subscriber", Align::Right),
        ("LokiKV delivered", Align::Right),
        ("LokiKV CPU", Align::Right),
        ("LokiKV bytes", Align::Right),
    ];
    let mut ordered: Vec<&Row> = rows.iter().collect();
    // Stable: servers stay in their order.
    ordered.sort_by(|one, other| (&one.audience, one.pipeline).cmp(&(&other.audience, other.pipeline)));
    let lines: Vec<Vec<String>> = ordered
        .iter()
        .map(|row| {
            let own = rows.iter().rfind(|other| other.is_beside(row)).map(|own| own.measured);
            line(row, own)
        })
        .collect();
    table::render(&header, &lines)
}

fn line(row: &Row, own: Option<Measured>) -> Vec<String> {
    let measured = row.measured;
    let is_own = row.server == "LokiKV";
    let ratio = |of: fn(&Measured) -> f64| match &own {
        Some(own) if !is_own => table::ratio(&[of(&measured), of(own)]),
        _ => String::new(),
    };
    vec![
        row.audience.clone(),
        row.pipeline.to_string(),
        row.server.clone(),
        thousands(measured.per_second),
        thousands(measured.cpu_ns),
        thousands(measured.idle_bytes),
        ratio(|one| one.per_second),
        ratio(|one| one.cpu_ns),
        ratio(|one| one.idle_bytes),
    ]
}
