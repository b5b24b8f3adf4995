//! The checkpoints that are kept as a timeline and a table, and which moments can be restored.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::data::{Kept, PageData, Restores, SnapshotRow, Snapshots};
use super::text::{bytes, count, machine_moment, moment, span};

const WIDTH: u64 = 1000;
const HEIGHT: u64 = 60;
/// Where checkpoints stand; those that are pinned stand higher.
const ROW_Y: u64 = 30;
const PINNED_Y: u64 = 14;
/// Where the log is.
const LOG_Y: u64 = 50;

/// All of it.
pub fn timeline(data: &PageData) -> Markup {
    let snapshots = &data.snapshots;
    html! {
        @if snapshots.is_unknown {
            p.note { "The checkpointer is busy and has not been asked yet: look again in a moment." }
        } @else {
            (restorable(snapshots))
        }
        @if !snapshots.kept.is_empty() {
            (drawing(data))
            (table(data))
        }
        @if snapshots.count > snapshots.kept.len() {
            p.note { "The newest " (snapshots.kept.len()) " of " (count(snapshots.count as u64)) "; " code { "CHECKPOINT LIST" } " has all." }
        }
    }
}

/// What can be restored to which moment.
fn restorable(snapshots: &Snapshots) -> Markup {
    html! {
        p {
            @match snapshots.log_from_ms {
                Some(from_ms) => {
                    "Any moment from " time datetime=(machine_moment(from_ms)) { (moment(from_ms)) }
                    " to now can be restored: " code { "CHECKPOINT RESTORE TO " (machine_moment(from_ms)) }
                    ". What is older comes back as it was at a checkpoint's instant: " code { "CHECKPOINT RESTORE id" }
                    @if snapshots.whole.len() > 1 { ", and at others that the log still has: " code { "CHECKPOINT RESTORE TO …" } }
                    "."
                }
                None if snapshots.kept.is_empty() => "No checkpoint has been taken yet.",
                None => {
                    "Checkpoints can be restored as they were at their instant: " code { "CHECKPOINT RESTORE id" } "."
                }
            }
        }
    }
}

fn drawing(data: &PageData) -> Markup {
    let snapshots = &data.snapshots;
    let times = snapshots.kept.iter().map(|row| row.wall_ms);
    let from_ms = times
        .chain(snapshots.whole.iter().map(|(from_ms, _)| *from_ms))
        .min()
        .unwrap_or(data.now_ms)
        .min(data.now_ms);
    let span_ms = (data.now_ms - from_ms).max(1);
    let x_of = |at_ms: u64| {
        let along = u128::from(at_ms.clamp(from_ms, data.now_ms) - from_ms) * u128::from(WIDTH);
        (along / u128::from(span_ms)) as u64
    };
    let dots = |is_pinned: bool, y: u64| {
        let mut way = String::new();
        for row in snapshots.kept.iter().filter(|row| row.is_pinned == is_pinned) {
            // Writing to a String cannot fail.
            let _ = write!(way, "M{} {y}h0", x_of(row.wall_ms));
        }
        way
    };
    let pinned = snapshots.kept.iter().filter(|row| row.is_pinned).count();
    let label = format!(
        "{} checkpoints since {}, {pinned} of them pinned",
        snapshots.kept.len(),
        moment(from_ms)
    );
    html! {
        figure.chart.timeline {
            figcaption {
                span.key.a { "checkpoint" }
                span.key.b { "pinned" }
                @if !snapshots.whole.is_empty() { span.key.log { "the log has every change" } }
            }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(label) {
                path.grid d=(format!("M0 {ROW_Y}h{WIDTH}")) {}
                @for (from_ms, to_ms) in &snapshots.whole {
                    path.log d=(format!("M{} {LOG_Y}H{}", x_of(*from_ms), x_of(*to_ms))) {}
                }
                path.dot.a d=(dots(false, ROW_Y)) {}
                path.dot.b d=(dots(true, PINNED_Y)) {}
            }
            div.axis aria-hidden="true" {
                span { (moment(from_ms)) }
                span { (moment(data.now_ms)) }
            }
        }
    }
}

fn table(data: &PageData) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Checkpoints" {
            table {
                thead {
                    tr {
                        @for name in ["id", "taken (UTC)", "age", "LSN", "keys", "new", "shared", "kept", "restores"] {
                            th scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for row in data.snapshots.kept.iter().rev() { (row_of(row, data)) }
                }
            }
        }
    }
}

fn row_of(row: &SnapshotRow, data: &PageData) -> Markup {
    html! {
        tr {
            th scope="row" { (row.id) }
            td.text { time datetime=(machine_moment(row.wall_ms)) { (moment(row.wall_ms)) } }
            td { (span(data.now_ms.saturating_sub(row.wall_ms) / 1000)) }
            td { (count(row.lsn)) }
            td { (count(row.keys)) }
            td { (bytes(row.new_bytes)) }
            td { (bytes(row.shared_bytes)) }
            td.text { (kept(row)) }
            td.text { (restores(row.restores)) }
        }
    }
}

fn restores(what: Restores) -> String {
    match what {
        Restores::Instant => "this instant".to_owned(),
        Restores::AnyTo(lsn) => format!("any moment to LSN {}", count(lsn)),
        Restores::AnySince => "any moment since".to_owned(),
    }
}

fn kept(row: &SnapshotRow) -> String {
    if row.is_pinned {
        return "pinned".to_owned();
    }
    match row.kept {
        Kept::Newest(1) => "at least until the next one".to_owned(),
        Kept::Newest(more) => format!("at least until {more} more are taken"),
        Kept::Until(until_ms) => format!("until {}", moment(until_ms)),
        Kept::Next => "until the next one".to_owned(),
    }
}
