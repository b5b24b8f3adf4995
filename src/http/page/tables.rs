//! Collections, slow commands, clients and warnings.

use maud::{Markup, html};

use super::data::{Client, CollectionRow, PageData, SlowCommand, WarningLine};
use super::sort::{Column, Sort};
use super::text::{bytes, count, machine_moment, micros, moment, span};

/// A table that scrolls sideways where there is little room, by the keyboard as well.
fn scrolled(label: &str, head: &Markup, rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table { thead { tr { (head) } } tbody { (rows) } }
        }
    }
}

/// In the place of what a reader may not see.
fn withheld(command: &str) -> Markup {
    html! { p.note { "Shown to users who may run " code { (command) } "." } }
}

fn heads(names: &[&str]) -> Markup {
    html! { @for name in names { th scope="col" { (name) } } }
}

/// The collections, whose heads are links that sort.
pub fn collections(data: &PageData) -> Markup {
    let (collections, sort) = (&data.collections, data.choice.sort);
    let head = html! {
        @for column in Column::ALL { (sorting_head(column, sort, data.choice.is_refreshed)) }
        th scope="col" { "kind" }
    };
    let rows = html! { @for row in &collections.rows { (collection(row)) } };
    html! {
        (scrolled("Collections", &head, &rows))
        @if collections.count > collections.rows.len() {
            p.note { "The first " (collections.rows.len()) " of " (count(collections.count as u64)) " in this order." }
        }
    }
}

fn sorting_head(column: Column, sort: Sort, is_refreshed: bool) -> Markup {
    let is_sorted = sort.column == column;
    let is_ascending = (column == Column::Name) != sort.is_reversed;
    let order = is_sorted.then_some(if is_ascending { "ascending" } else { "descending" });
    let arrow = match order {
        Some("ascending") => " ▲",
        Some(_) => " ▼",
        None => "",
    };
    let query = sort.after_click(column).to_query();
    let refresh = if is_refreshed { "&refresh=1" } else { "" };
    html! {
        th scope="col" aria-sort=[order] {
            a href=(format!("?sort={query}{refresh}#collections")) { (column.name()) span aria-hidden="true" { (arrow) } }
        }
    }
}

fn collection(row: &CollectionRow) -> Markup {
    html! {
        tr {
            th scope="row" { (row.name) }
            @for number in [row.keys, row.expires] { td { (count(number)) } }
            td { (bytes(row.bytes)) }
            @for number in [row.reads, row.writes, row.evicted] { td { (count(number)) } }
            td.text { (row.kind) @if row.is_attached { ", attached" } }
        }
    }
}

/// The slow log.
pub fn slow(data: &PageData) -> Markup {
    let rows = html! { @for command in &data.slow { (slow_row(command)) } };
    if !data.may.see_slow_commands {
        return withheld("SLOWLOG GET");
    }
    html! {
        @if data.slow_from_us < 0 {
            p.note { "Slow commands are not noted (" code { "slowlog-log-slower-than" } " is negative)." }
        } @else if data.slow.is_empty() {
            p.note { "No command took " (micros(data.slow_from_us.unsigned_abs())) " or longer." }
        }
        @if !data.slow.is_empty() {
            (scrolled("Slow commands", &heads(&["ended (UTC)", "took", "client", "name", "command"]), &rows))
        }
    }
}

fn slow_row(command: &SlowCommand) -> Markup {
    let at_ms = command.at_s.saturating_mul(1000);
    html! {
        tr {
            td.text { time datetime=(machine_moment(at_ms)) { (moment(at_ms)) } }
            td { (micros(command.micros)) }
            td.text { (command.addr) }
            td.text { (command.name) }
            td.text.code { (command.line) }
        }
    }
}

/// The clients.
pub fn clients(data: &PageData) -> Markup {
    if !data.may.see_clients {
        return withheld("CLIENT LIST");
    }
    let names = [
        "id",
        "address",
        "name",
        "user",
        "db",
        "age",
        "idle",
        "holds",
        "requests",
        "last command",
    ];
    let rows = html! { @for client in &data.clients { (client_row(client)) } };
    html! {
        @if data.clients.is_empty() {
            p.note { "No client is connected." }
        } @else {
            (scrolled("Clients", &heads(&names), &rows))
        }
        @if data.figures.clients > data.clients.len() as u64 {
            p.note { "Those " (data.clients.len()) " of " (count(data.figures.clients)) " that hold most." }
        }
    }
}

fn client_row(client: &Client) -> Markup {
    html! {
        tr {
            th scope="row" { (client.id) }
            td.text { (client.addr) }
            td.text { (client.name) }
            td.text { (client.user) }
            td { (client.database) }
            td { (span(client.age_s)) }
            td { (span(client.idle_s)) }
            td { (bytes(client.held_bytes)) }
            td { (count(client.requests)) }
            td.text.code { (client.command) }
        }
    }
}

/// The log's last warnings.
pub fn warnings(data: &PageData) -> Markup {
    if !data.may.see_slow_commands {
        return withheld("SLOWLOG GET");
    }
    let rows = html! { @for line in &data.warnings { (warning_row(line)) } };
    html! {
        @if data.warnings.is_empty() {
            p.note { "Nothing since the start." }
        } @else {
            (scrolled("Warnings", &heads(&["at (UTC)", "level", "what"]), &rows))
        }
    }
}

fn warning_row(line: &WarningLine) -> Markup {
    html! {
        tr {
            td.text { time datetime=(machine_moment(line.at_ms)) { (moment(line.at_ms)) } }
            td.text { (line.level) }
            td.text.line { (line.text) }
        }
    }
}
