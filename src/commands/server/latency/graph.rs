//! LATENCY GRAPH: an event's samples drawn with letters.

use super::{FLAGS, TIPS};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, Support};
use crate::metrics::stats::LatencySample;
use crate::resp::{Args, Reply};

pub(super) const GRAPH: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    summary: "Draws the samples of an event",
    syntax: "event",
    support: Support::Partial("draws in its own way"),
    ..Spec::new("graph", Group::Server, 3, Handler::Session(graph))
};

/// Columns, the newest samples at the right.
const COLUMNS: usize = 80;
const ROWS: u64 = 4;

fn graph(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let events = cx.server.stats.latency.lock();
    let name = String::from_utf8_lossy(args.at(2));
    let event = events
        .get(&*name)
        .ok_or_else(|| CmdError::quoting("ERR No samples available for event '", args.at(2), usize::MAX, "'"))?;
    let skipped = event.samples.len().saturating_sub(COLUMNS);
    let samples: Vec<LatencySample> = event.samples.iter().skip(skipped).copied().collect();
    let text = draw(&name, &samples, event.max_ms, cx.kit.now_ms() / 1000);
    reply.verbatim(b"txt", &text);
    Ok(Flow::Done)
}

fn draw(name: &str, samples: &[LatencySample], max_ever_ms: u32, now_s: u64) -> String {
    let high = samples.iter().map(|sample| sample.ms).max().unwrap_or_default();
    let low = samples.iter().map(|sample| sample.ms).min().unwrap_or_default();
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {max_ever_ms} ms)\n");
    text.push_str(&"-".repeat(COLUMNS));
    text.push('\n');
    for row in (0..ROWS).rev() {
        let line: String = samples.iter().map(|sample| mark(sample.ms, low, high, row)).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    let ages: Vec<String> = samples
        .iter()
        .map(|sample| age(now_s.saturating_sub(sample.at_s)))
        .collect();
    for line in 0..ages.iter().map(String::len).max().unwrap_or_default() {
        let letters = ages.iter().map(|age| age.chars().nth(line).unwrap_or(' '));
        text.push_str(letters.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

/// What a sample shows in `row` (0 = lowest); a row has three levels.
fn mark(ms: u32, low: u32, high: u32, row: u64) -> char {
    let levels = ROWS * 3 - 1;
    let level = u64::from(ms - low) * levels / u64::from((high - low).max(1));
    match level.checked_sub(row * 3) {
        None => ' ',
        Some(0) => '_',
        Some(1) => 'o',
        Some(2) => '#',
        Some(_) => '|',
    }
}

/// `37s`, `5m`, `2h`, `9d`.
fn age(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=86_399 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_columns_with_their_ages() {
        let samples = [
            LatencySample { at_s: 900, ms: 10 },
            LatencySample { at_s: 955, ms: 120 },
            LatencySample { at_s: 1_000, ms: 65 },
        ];
        let text = draw("command", &samples, 200, 1_000);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines.first(),
            Some(&"command - high 120 ms, low 10 ms (all time high 200 ms)")
        );
        assert_eq!(lines.get(2..6), Some(&[" #", " |", " |#", "_||"][..]));
        assert_eq!(lines.get(7..), Some(&["140", "m5s", " s"][..]));
    }
}
