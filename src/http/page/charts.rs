//! The charts of the last hour: which there are, and what of a sample each shows.

use maud::{Markup, html};

use super::curve::{Chart, Line, Unit, draw};
use super::data::PageData;
use crate::metrics::history::Sample;

/// All of them.
pub fn charts(data: &PageData) -> Markup {
    let mut shown = vec![throughput(data), latency(data), memory(data)];
    if data.figures.log.is_some() {
        shown.extend([log_growth(data), log_size(data), syncs(data)]);
    }
    html! {
        div.charts {
            @for chart in &shown { (draw(chart, data)) }
        }
    }
}

fn line(data: &PageData, name: &'static str, pick: impl Fn(&Sample) -> Option<f64>) -> Line {
    Line {
        name,
        values: data.samples.iter().map(pick).collect(),
    }
}

fn throughput(data: &PageData) -> Chart {
    Chart {
        title: "Requests",
        unit: Unit::PerSecond,
        lines: vec![line(data, "now", |sample| Some(sample.requests_per_s))],
        bound: None,
    }
}

fn latency(data: &PageData) -> Chart {
    let number = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64);
    Chart {
        title: "Latency of calls",
        unit: Unit::Nanos,
        lines: vec![
            line(data, "p50", |sample| number(sample.latency.p50_nanos)),
            line(data, "p99", |sample| number(sample.latency.p99_nanos)),
        ],
        bound: None,
    }
}

fn memory(data: &PageData) -> Chart {
    let limit = data.figures.max_bytes;
    Chart {
        title: "Memory",
        unit: Unit::Bytes,
        lines: vec![
            line(data, "used", |sample| Some(sample.levels.used_bytes as f64)),
            line(data, "process", |sample| Some(sample.levels.rss_bytes as f64)),
        ],
        bound: (limit > 0).then_some(("limit", limit as f64)),
    }
}

fn log_growth(data: &PageData) -> Chart {
    Chart {
        title: "Written to the log",
        unit: Unit::BytesPerSecond,
        lines: vec![line(data, "now", |sample| Some(sample.log_bytes_per_s))],
        bound: None,
    }
}

fn log_size(data: &PageData) -> Chart {
    Chart {
        title: "Log on disk",
        unit: Unit::Bytes,
        lines: vec![line(data, "now", |sample| Some(sample.levels.log_disk_bytes as f64))],
        bound: None,
    }
}

fn syncs(data: &PageData) -> Chart {
    // Before the first sync there is nothing to show.
    let nanos = |sample: &Sample| (sample.levels.fsync_us > 0).then_some(sample.levels.fsync_us as f64 * 1e3);
    Chart {
        title: "Last sync of the log",
        unit: Unit::Nanos,
        lines: vec![line(data, "now", nanos)],
        bound: None,
    }
}
