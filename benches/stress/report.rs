//! The table of the abuse benchmark.

use super::common::stats::Latencies;
use super::options::Options;
use super::scenarios::{Outcome, Scenario};
use std::time::Duration;

/// One scenario on one server.
pub struct Row {
    /// What was done.
    pub scenario: Scenario,
    /// To whom.
    pub server: &'static str,
    /// What came of it, or why it could not be finished.
    pub outcome: Result<Outcome, String>,
}

/// The whole report as Markdown.
pub fn render(machine: &str, options: &Options, rows: &[Row]) -> String {
    let mut text = format!(
        "## Machine\n\n{machine}\n\n## Under abuse\n\n\
         What one well-behaved connection (SET and GET in turn, one at a time) feels meanwhile; log: {}.\n\n\
         | Scenario | Server | requests | p50 µs | p99 µs | p99.9 µs | max ms | RSS peak MiB | |\n\
         | :-- | :-- | --: | --: | --: | --: | --: | --: | :-- |\n",
        options.durability.name(),
    );
    for row in rows {
        let cells = match &row.outcome {
            Ok(outcome) => cells(outcome),
            Err(error) => format!("– | – | – | – | – | – | FAILED: {}", error.trim()),
        };
        text += &format!("| {} | {} | {cells} |\n", row.scenario.title(), row.server);
    }
    text
}

fn cells(outcome: &Outcome) -> String {
    #[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^53")]
    let peak = outcome.peak_bytes as f64 / 1_048_576.0;
    let latencies = outcome
        .latencies
        .as_ref()
        .map_or_else(|| "– | – | – | – | –".to_owned(), latencies);
    format!("{latencies} | {peak:.0} | {}", outcome.note)
}

fn latencies(latencies: &Latencies) -> String {
    let micros = |per_mille| micros(latencies.quantile(per_mille));
    format!(
        "{} | {} | {} | {} | {:.1}",
        latencies.count(),
        micros(500),
        micros(990),
        micros(999),
        latencies.quantile(1000).as_secs_f64() * 1e3,
    )
}

fn micros(duration: Duration) -> String {
    format!("{:.0}", duration.as_secs_f64() * 1e6)
}
