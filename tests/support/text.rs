//! Commands as text, quoted as redis-cli does: what a failing test prints can be pasted into a case file or a shell.

use super::Args;

/// Splits a line into arguments; `Err` names what is wrong with the quoting.
pub fn split(line: &str) -> Result<Args, String> {
    let mut args = Args::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (arg, next) = match bytes[at] {
            b'"' => double_quoted(bytes, at + 1)?,
            b'\'' => single_quoted(bytes, at + 1)?,
            _ => plain(bytes, at),
        };
        args.push(arg);
        at = next;
    }
    Ok(args)
}

fn plain(bytes: &[u8], start: usize) -> (Vec<u8>, usize) {
    let end = bytes[start..]
        .iter()
        .position(u8::is_ascii_whitespace)
        .map_or(bytes.len(), |n| start + n);
    (bytes[start..end].to_vec(), end)
}

fn single_quoted(bytes: &[u8], mut at: usize) -> Result<(Vec<u8>, usize), String> {
    let mut out = Vec::new();
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\\'), Some(b'\'')) => {
                out.push(b'\'');
                at += 2;
            }
            (Some(b'\''), _) => return Ok((out, at + 1)),
            (Some(&byte), _) => {
                out.push(byte);
                at += 1;
            }
            (None, _) => return Err("unbalanced single quote".into()),
        }
    }
}

fn double_quoted(bytes: &[u8], mut at: usize) -> Result<(Vec<u8>, usize), String> {
    let mut out = Vec::new();
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((out, at + 1)),
            Some(b'\\') => {
                let (byte, len) = escape(&bytes[at + 1..])?;
                out.push(byte);
                at += 1 + len;
            }
            Some(&byte) => {
                out.push(byte);
                at += 1;
            }
            None => return Err("unbalanced double quote".into()),
        }
    }
}

fn escape(rest: &[u8]) -> Result<(u8, usize), String> {
    let byte = match rest.first() {
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'a') => 7,
        Some(b'b') => 8,
        Some(b'x') => {
            let digits = rest
                .get(1..3)
                .and_then(|d| std::str::from_utf8(d).ok())
                .ok_or("short \\x escape")?;
            let byte = u8::from_str_radix(digits, 16).map_err(|_| format!("bad \\x escape {digits:?}"))?;
            return Ok((byte, 3));
        }
        Some(&other) => other,
        None => return Err("a backslash at the end".into()),
    };
    Ok((byte, 1))
}

/// One command as a line that [`split`] reads back.
pub fn join<A: AsRef<[u8]>>(args: &[A]) -> String {
    args.iter().map(|arg| quote(arg.as_ref())).collect::<Vec<_>>().join(" ")
}

/// `bytes` bare where that is unambiguous, else in double quotes; very long ones are shortened for reading.
pub fn quote(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 400;
    let bare = |b: &u8| b.is_ascii_graphic() && !b"\"'\\#@!".contains(b);
    if !bytes.is_empty() && bytes.len() <= SHOWN_MAX && bytes.iter().all(bare) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut out = String::from("\"");
    for &byte in bytes.iter().take(SHOWN_MAX) {
        match byte {
            b'"' | b'\\' => out.extend(['\\', byte as char]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b' '..=b'~' => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    if bytes.len() > SHOWN_MAX {
        out.push_str(&format!("...({} bytes)", bytes.len()));
    }
    out
}
