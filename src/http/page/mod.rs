//! The status page: what the server is and does, its last hour, its checkpoints, collections, slow commands, clients
//! and warnings.
//!
//! One document, one style sheet and one icon, no script: sorting and refreshing are links. So it works under a
//! Content-Security-Policy that allows nothing but those of the same origin.
//!
//! **Invariants**
//! - All that comes from outside passes `maud`'s escaping, and is made printable where it is gathered: nothing a client
//!   names becomes markup.
//! - `render` is a function of `PageData` alone, and its result has a greatest size, 150 kB.

mod charts;
mod curve;
mod data;
mod gather;
mod serve;
mod snapshots;
mod sort;
mod tables;
mod text;
mod timeline;

pub(super) use serve::{icon, page, style};

use maud::{DOCTYPE, Markup, html};

use data::{Choice, Figures, LogFigures, PageData};
use sort::Sort;

/// No page is larger.
#[cfg(test)]
const BYTES_MAX: usize = 150_000;
/// Where the style sheet is.
pub(super) const STYLE_PATH: &str = "/page.css";
/// The style sheet.
const STYLE: &str = include_str!("page.css");
/// Seconds until a page that is refreshed comes again.
const REFRESH_S: u32 = 10;
/// Where the icon is.
pub(super) const ICON_PATH: &str = "/page.svg";
/// The icon.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 8 8\"><rect width=\"8\" height=\"8\" rx=\"2\" \
                        fill=\"#0b7285\"/><path d=\"M3 1.5v5h2.5\" fill=\"none\" stroke=\"#fff\"/></svg>";

impl Choice {
    /// What a query (`sort=-keys&refresh=1`) chooses. What is not known in it is passed over.
    pub fn parse(query: &str) -> Self {
        let mut choice = Self::default();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sort", order)) => choice.sort = Sort::parse(order).unwrap_or_default(),
                Some(("refresh", "1")) => choice.is_refreshed = true,
                _ => {}
            }
        }
        choice
    }

    /// The address of the page with this choice.
    fn to_href(self) -> String {
        let refresh = if self.is_refreshed { "&refresh=1" } else { "" };
        format!("?sort={}{refresh}", self.sort.to_query())
    }
}

/// The sections: where a link leads, and what they are called.
const SECTIONS: [(&str, &str); 7] = [
    ("now", "Now"),
    ("hour", "Last hour"),
    ("checkpoints", "Checkpoints"),
    ("collections", "Collections"),
    ("slow", "Slow commands"),
    ("clients", "Clients"),
    ("warnings", "Warnings"),
];

/// The page.
fn render(data: &PageData) -> String {
    let bodies = [
        now(data),
        charts::charts(data),
        timeline::timeline(data),
        tables::collections(data),
        tables::slow(data),
        tables::clients(data),
        tables::warnings(data),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(data))
            body {
                (header(data))
                main {
                    @for ((id, title), body) in SECTIONS.iter().zip(&bodies) {
                        section id=(id) aria-labelledby=(format!("{id}-title")) {
                            h2 id=(format!("{id}-title")) { (title) }
                            (body)
                        }
                    }
                }
                footer { "All times are UTC. The same figures: " code { "INFO" } ", " a href="/metrics" { "metrics" } ", " a href="/status" { "JSON" } "." }
            }
        }
    };
    page.into_string()
}

fn head(data: &PageData) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            @if data.choice.is_refreshed { meta http-equiv="refresh" content=(REFRESH_S); }
            title { "LokiKV: " (data.figures.state) }
            link rel="icon" href=(ICON_PATH);
            link rel="stylesheet" href=(STYLE_PATH);
        }
    }
}

fn header(data: &PageData) -> Markup {
    let other = Choice {
        is_refreshed: !data.choice.is_refreshed,
        ..data.choice
    };
    let is_well = data.problems.is_empty();
    html! {
        header {
            a.skip href="#now" { "Skip to the figures" }
            h1 { "LokiKV " (data.figures.version) }
            p.state.well[is_well].ill[!is_well] role="status" { (data.figures.state) }
            p { "at " time datetime=(text::machine_moment(data.now_ms)) { (text::moment(data.now_ms)) } " UTC" }
            p { "compatible with Redis " (data.figures.redis_version) }
            p { a href=(other.to_href()) { @if other.is_refreshed { "Refresh every " (REFRESH_S) " s" } @else { "Stop refreshing" } } }
            nav aria-label="Sections" {
                @for (id, title) in SECTIONS { a href=(format!("#{id}")) { (title) } }
            }
            @if !is_well {
                ul.problems role="alert" { @for problem in &data.problems { li { (problem) } } }
            }
        }
    }
}

/// A figure: its name, the number as INFO has it and as people read it, and what there is to say beside.
struct Tile {
    id: &'static str,
    name: &'static str,
    value: u64,
    shown: String,
    beside: String,
}

fn now(data: &PageData) -> Markup {
    html! {
        dl.tiles {
            @for tile in &tiles(data) {
                div {
                    dt { (tile.name) }
                    dd { data id=(tile.id) value=(tile.value) { (tile.shown) } }
                    @if !tile.beside.is_empty() { dd.beside { (tile.beside) } }
                }
            }
        }
    }
}

impl Tile {
    fn new(id: &'static str, name: &'static str, (value, shown): (u64, String), beside: String) -> Self {
        Self {
            id,
            name,
            value,
            shown,
            beside,
        }
    }
}

fn tiles(data: &PageData) -> Vec<Tile> {
    let figures = &data.figures;
    let counted = |number: u64| (number, text::count(number));
    let latency = data.samples.last().map(|sample| sample.latency).unwrap_or_default();
    let taken = |nanos: Option<u64>| nanos.map_or_else(|| "–".to_owned(), text::nanos);
    let slowest = (latency.p99_nanos.unwrap_or(0), taken(latency.p99_nanos));
    let half = format!("half of the calls: {}", taken(latency.p50_nanos));
    let used = (figures.used_bytes, text::bytes(figures.used_bytes));
    let uptime = (figures.uptime_s, text::span(figures.uptime_s));
    let requests = counted(figures.requests_per_s);
    let mut tiles = vec![
        Tile::new("uptime", "Uptime", uptime, String::new()),
        Tile::new("requests-per-s", "Requests per second", requests, total(figures)),
        Tile::new("p99-nanos", "Latency, 99 %", slowest, half),
        Tile::new("used-memory", "Memory used", used, memory(figures)),
        Tile::new("keys", "Keys", counted(figures.keys), hits(figures)),
        Tile::new("connected-clients", "Clients", counted(figures.clients), String::new()),
    ];
    if let Some(log) = figures.log {
        tiles.push(Tile::new("log-lsn", "Log, last LSN", counted(log.lsn), beside_log(log)));
    }
    if let Some(last) = data.snapshots.kept.last() {
        let age_s = data.now_ms.saturating_sub(last.wall_ms) / 1000;
        let beside = format!("id {}, {} written", last.id, text::bytes(last.new_bytes));
        let age = (age_s, format!("{} ago", text::span(age_s)));
        tiles.push(Tile::new("checkpoint-age", "Last checkpoint", age, beside));
    }
    tiles
}

fn beside_log(log: LogFigures) -> String {
    format!(
        "{} on disk, fsync {}, {} records not yet synced",
        text::bytes(log.disk_bytes),
        log.fsync,
        text::count(log.lag_records)
    )
}

fn total(figures: &Figures) -> String {
    format!("{} since the start", text::count(figures.requests))
}

fn memory(figures: &Figures) -> String {
    let limit = match figures.max_bytes {
        0 => "no limit".to_owned(),
        max => format!("of {}", text::bytes(max)),
    };
    format!(
        "{limit}, peak {}, process {}",
        text::bytes(figures.peak_bytes),
        text::bytes(figures.rss_bytes)
    )
}

fn hits(figures: &Figures) -> String {
    match figures.hits.saturating_add(figures.misses) {
        0 => String::new(),
        lookups => format!(
            "{:.1} % of look-ups found one",
            figures.hits as f64 * 100.0 / lookups as f64
        ),
    }
}

#[cfg(test)]
mod tests;
