//! The tables of the abuse benchmark.

use super::common::stats::Latencies;
use super::hoards::{self, Hoard, Limit};
use super::options::Options;
use super::scenarios::{Outcome, Scenario};
use std::time::Duration;

/// One scenario on one server.
pub struct Row<'a> {
    /// What was done.
    pub scenario: Scenario,
    /// To whom.
    pub server: &'a str,
    /// What came of it, or why it could not be finished.
    pub outcome: Result<Outcome, String>,
}

/// One way to hold memory, on one server.
pub struct Held<'a> {
    /// What was done.
    pub hoard: &'static Hoard,
    /// To whom.
    pub server: &'a str,
    /// What came of it, or why it could not be finished.
    pub outcome: Result<hoards::Outcome, String>,
}

/// The whole report as Markdown.
pub fn render(machine: &str, options: &Options, rows: &[Row], held: &[Held]) -> String {
    let mut text = format!("## Machine\n\n{machine}\n\nLog: {}.\n", options.durability.name());
    if !rows.is_empty() {
        text += "\n## Under abuse\n\n\
                 What one well-behaved connection (SET and GET in turn, one every millisecond) feels meanwhile. A request's \
                 time counts from when it was due, where the one before was late.\n\n\
                 | Scenario | Server | requests | p50 µs | p99 µs | p99.9 µs | max ms | RSS peak MiB | |\n\
                 | :-- | :-- | --: | --: | --: | --: | --: | --: | :-- |\n";
    }
    for row in rows {
        let cells = match &row.outcome {
            Ok(outcome) => cells(outcome),
            Err(error) => format!("– | – | – | – | – | – | FAILED: {}", error.trim()),
        };
        text += &format!("| {} | {} | {cells} |\n", row.scenario.title(), row.server);
    }
    if !held.is_empty() {
        text += "\n## Memory that clients can take\n\n\
                 Each with the limit set that is to prevent it. How far resident memory grew, and how far beyond the \
                 limit (0: within it); what of it is there a second after the clients have left; what became of them; \
                 what a well-behaved connection felt.\n\n\
                 | Clients | Limit | Server | grown MiB | over the limit MiB | left MiB | what became of them | \
                 p99 µs | max ms |\n\
                 | :-- | :-- | :-- | --: | --: | --: | :-- | --: | --: |\n";
    }
    text.extend(held.iter().map(Held::render));
    text
}

impl Held<'_> {
    /// Its line of the table.
    pub fn render(&self) -> String {
        let cells = match &self.outcome {
            Ok(outcome) => held_cells(&self.hoard.limit, outcome),
            Err(error) => format!("– | – | – | FAILED: {} | – | –", error.trim()),
        };
        let limit = limit(&self.hoard.limit);
        format!("| {} | {limit} | {} | {cells} |\n", self.hoard.title, self.server)
    }
}

fn limit(limit: &Limit) -> String {
    let settings: Vec<String> = limit
        .settings
        .iter()
        .map(|(name, value)| format!("`{name} {value}`"))
        .collect();
    if limit.bytes == 0 {
        return "–".to_owned();
    }
    if settings.is_empty() {
        return "64 KiB a line (protocol)".to_owned();
    }
    settings.join(", ")
}

fn held_cells(limit: &Limit, outcome: &hoards::Outcome) -> String {
    let left = outcome.left.map_or_else(|| "–".to_owned(), mebibytes);
    let refused: String = outcome
        .refused
        .iter()
        .map(|name| format!("; has no `{name}`"))
        .collect();
    let felt = match &outcome.felt {
        Ok(felt) => format!(
            "{} | {:.1}",
            micros(felt.quantile(990)),
            felt.quantile(1000).as_secs_f64() * 1e3
        ),
        Err(error) => format!("{} | –", error.to_string().trim()),
    };
    format!(
        "{} | {} | {left} | {}{refused} | {felt}",
        mebibytes(outcome.grown),
        mebibytes(outcome.grown.saturating_sub(limit.bytes)),
        outcome.fates,
    )
}

#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^53")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1_048_576.0)
}

fn cells(outcome: &Outcome) -> String {
    let peak = mebibytes(outcome.peak_bytes);
    let latencies = outcome
        .latencies
        .as_ref()
        .map_or_else(|| "– | – | – | – | –".to_owned(), latencies);
    format!("{latencies} | {peak} | {}", outcome.note)
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
