//! What MONITOR shows of a call that has run: one line, in Redis's format, without secrets.
//!
//! **Invariant:** a line takes no more than some [`SHOWN_BYTES_MAX`] of memory (four times that when each byte is
//! escaped), whatever the request is.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use super::call::Call;
use super::cx::WorkerCx;
use crate::client::{Client, ClientHandle};
use crate::commands::redact::shown_args;
use crate::commands::spec::flag;
use crate::engine::ids::DatabaseId;

/// So many bytes of a request's arguments are shown.
const SHOWN_BYTES_MAX: usize = 1 << 20;
/// What comes behind the last argument that is shown takes less.
const LINE_END_BYTES: usize = 128;

/// Shows a call that has run to the clients in MONITOR, unless it is of an administrator.
#[cold]
pub(super) fn show(cx: &WorkerCx, client: &Client, call: &Call<'_>) {
    if !call.command.has(flag::SKIP_MONITOR | flag::ADMIN) {
        add_line(cx, &address(&client.handle), client.database, call);
    }
}

/// Shows a call that runs a script, before what that calls.
pub(super) fn show_first(cx: &WorkerCx, client: &Client, call: &Call<'_>) {
    if cx.server.pubsub.is_monitored() {
        add_line(cx, &address(&client.handle), client.database, call);
    }
}

/// Shows a call of a script that has run, unless it is of an administrator.
#[cold]
pub(super) fn show_of_script(cx: &WorkerCx, database: DatabaseId, call: &Call<'_>) {
    if !call.command.has(flag::SKIP_MONITOR | flag::ADMIN) {
        add_line(cx, "lua", database, call);
    }
}

fn add_line(cx: &WorkerCx, whose: &str, database: DatabaseId, call: &Call<'_>) {
    let args = shown_args(call.command.spec.is_secret, call.args);
    let head = head(cx, whose, database);
    cx.server
        .pubsub
        .add_line(cx.desk.outlet(), |lines| write_line(lines, &head, args));
}

fn address(handle: &ClientHandle) -> Cow<'_, str> {
    match handle.addr.strip_suffix(":0") {
        Some(path) if handle.is_unix => format!("unix:{path}").into(),
        _ => handle.addr.as_str().into(),
    }
}

/// When, in which collection, and by whom.
fn head(cx: &WorkerCx, whose: &str, database: DatabaseId) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let registry = cx.server.engine.registry();
    let name = registry.slot(database).filter(|_| !database.is_numbered());
    let name = name.map_or_else(|| database.to_string(), |slot| slot.name.to_string());
    format!("{}.{:06} [{name} {whose}]", now.as_secs(), now.subsec_micros())
}

fn write_line<'a>(lines: &mut Vec<u8>, head: &str, mut args: impl ExactSizeIterator<Item = &'a [u8]>) {
    lines.push(b'+');
    lines.extend_from_slice(head.as_bytes());
    let mut room = SHOWN_BYTES_MAX;
    while let Some(arg) = args.next() {
        let shown = arg.get(..room).unwrap_or(arg);
        room -= shown.len();
        lines.extend_from_slice(b" \"");
        escape(lines, shown);
        lines.push(b'"');
        if shown.len() < arg.len() {
            let more = format!("... ({} more bytes)", arg.len() - shown.len());
            lines.extend_from_slice(more.as_bytes());
        }
        if room == 0 && args.len() > 0 {
            let more = format!(" ... ({} more arguments)", args.len());
            lines.extend_from_slice(more.as_bytes());
            break;
        }
    }
    lines.extend_from_slice(b"\r\n");
}

/// Writes bytes as Redis shows them between quotation marks.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    // And what ends a line: one byte too few would have it all double.
    out.reserve(bytes.len().saturating_add(LINE_END_BYTES));
    for byte in bytes {
        let short = match byte {
            b'\\' | b'"' => Some(*byte),
            b'\n' => Some(b'n'),
            b'\r' => Some(b'r'),
            b'\t' => Some(b't'),
            0x07 => Some(b'a'),
            0x08 => Some(b'b'),
            _ => None,
        };
        match short {
            Some(letter) => out.extend_from_slice(&[b'\\', letter]),
            None if matches!(byte, b' '..=b'~') => out.push(*byte),
            None => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(args: &[&[u8]]) -> String {
        let mut lines = Vec::new();
        write_line(&mut lines, "1.000002 [0 1.2.3.4:5]", args.iter().copied());
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn bytes_are_escaped() {
        assert_eq!(line(&[b"PING"]), "+1.000002 [0 1.2.3.4:5] \"PING\"\r\n");
        assert_eq!(
            line(&[b"SET", b"k\x00\xff\"\\", b"\r\n\t\x07\x08 ~\x7f\xc3\x1b"]),
            "+1.000002 [0 1.2.3.4:5] \"SET\" \"k\\x00\\xff\\\"\\\\\" \"\\r\\n\\t\\a\\b ~\\x7f\\xc3\\x1b\"\r\n"
        );
    }

    #[test]
    fn a_long_request_is_cut() {
        let long = vec![b'x'; SHOWN_BYTES_MAX + 7];
        let text = line(&[b"SET", b"k", &long, b"EX", b"5"]);
        assert!(text.ends_with("x\"... (11 more bytes) ... (2 more arguments)\r\n"));
        assert!(text.len() < SHOWN_BYTES_MAX + 100);
        let mut lines = Vec::new();
        write_line(&mut lines, "", [&b"SET"[..], b"k", &long, b"EX"].into_iter());
        assert!(lines.capacity() < SHOWN_BYTES_MAX + 1000, "{}", lines.capacity());
        assert!(line(&[&long[7..]]).ends_with("x\"\r\n"));
        assert!(line(&[&long[6..]]).ends_with("\"... (1 more bytes)\r\n"));
    }
}
