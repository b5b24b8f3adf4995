//! Inline requests: a line of words, quoted as in Redis's command line.
//!
//! Words are separated by white space. `"…"` knows `\n \r \t \b \a \xHH` and takes any other escaped byte as itself;
//! `'…'` knows only `\'`. A quote may open in the middle of a word; a closing quote must end it. A NUL ends the line.

use super::args::{Args, OwnedRequest, Span};
use super::limits::ProtocolError;

/// The words of a line, as a request.
///
/// # Errors
/// When a quote is left open, or something stands behind one.
pub fn words(line: &[u8]) -> Result<OwnedRequest, ProtocolError> {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    split(line, &mut bytes, &mut spans)?;
    let slices: Vec<&[u8]> = Args::new(&bytes, &spans, &[]).iter().collect();
    Ok(OwnedRequest::from_slices(&slices))
}

/// Splits `line` into words, decoded into `bytes` with one span each. O(line).
pub(super) fn split(line: &[u8], bytes: &mut Vec<u8>, spans: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let line = memchr::memchr(0, line).and_then(|nul| line.get(..nul)).unwrap_or(line);
    let mut rest = line;
    loop {
        rest = trim_start(rest);
        if rest.is_empty() {
            return Ok(());
        }
        let start = bytes.len();
        rest = word(rest, bytes)?;
        let span = (u32::try_from(start), u32::try_from(bytes.len() - start));
        let (Ok(start), Ok(len)) = span else {
            return Err(ProtocolError::TooBigRequest);
        };
        spans.push(Span { start, len });
    }
}

/// Decodes one word into `out`; gives what follows it.
fn word<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [b'"', tail @ ..] => return double_quoted(tail, out),
            [b'\'', tail @ ..] => return single_quoted(tail, out),
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, tail) = match rest {
            [b'"', tail @ ..] => return after_quote(tail),
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(*high) << 4 | hex(*low), tail)
            }
            [b'\\', escaped, tail @ ..] => (unescape(*escaped), tail),
            [byte, tail @ ..] => (*byte, tail),
            [] => return Err(ProtocolError::UnbalancedQuotes),
        };
        out.push(byte);
        rest = tail;
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, tail) = match rest {
            [b'\'', tail @ ..] => return after_quote(tail),
            [b'\\', b'\'', tail @ ..] => (b'\'', tail),
            [byte, tail @ ..] => (*byte, tail),
            [] => return Err(ProtocolError::UnbalancedQuotes),
        };
        out.push(byte);
        rest = tail;
    }
}

/// A closing quote ends the word: white space or the end must follow.
fn after_quote(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(byte) if !is_space(*byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

const fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// C's `isspace`: unlike inside a word, vertical tab and form feed count between words.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim_start(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
    line.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        split(line, &mut bytes, &mut spans)?;
        Ok(spans
            .iter()
            .map(|s| bytes[s.start as usize..(s.start + s.len) as usize].to_vec())
            .collect())
    }

    /// What redis-server 7.0 answered to the same lines.
    #[test]
    fn quoting_is_that_of_redis() {
        let cases: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b"  \t\x0b\x0c", &[]),
            (b"PING\rX", &[b"PING", b"X"]),
            (b"ECHO a\"b\"", &[b"ECHO", b"ab"]),
            (b"ECHO 'it\\'s \\n'", &[b"ECHO", b"it's \\n"]),
            (
                b"ECHO \"\\x41\\n\\r\\t\\b\\a\\q\\\"\\xZZ\\x4\"",
                &[b"ECHO", b"A\n\r\t\x08\x07q\"xZZx4"],
            ),
            (b"ECHO \"\\x4G\\xg1\\xfF\"", &[b"ECHO", b"x4Gxg1\xff"]),
            (b"ECHO \"\"", &[b"ECHO", b""]),
            (b"''", &[b""]),
            (b"ECHO\ta\x0bb\x0cc", &[b"ECHO", b"a\x0bb\x0cc"]),
            (b"ECHO a\\ b", &[b"ECHO", b"a\\", b"b"]),
            (b"ECHO \"a\"\x0b", &[b"ECHO", b"a"]),
            (b"ECHO a\0b c", &[b"ECHO", b"a"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line).unwrap(), *expected, "{}", line.escape_ascii());
        }
        for line in [
            "ECHO \"a",
            "ECHO 'a",
            "ECHO \"a\"b",
            "ECHO 'a'b",
            "ECHO a\"b",
            "ECHO a'b'c",
            "ECHO \"abc\\",
            "\"a\"\"b\"",
            "ECHO \"a\0b\"",
        ] {
            assert_eq!(words(line.as_bytes()), Err(ProtocolError::UnbalancedQuotes), "{line}");
        }
    }
}
