//! The first line of a script: `#!lua flags=…`. What it says of the script's needs, and Redis's words for what is
//! wrong.

use crate::commands::error::CmdError;
use crate::resp::words;
use crate::state::ScriptFlags;

/// The flags that a script gives itself; `None`: it has no such line, and does what it likes.
///
/// # Errors
/// When the line is none that is known.
pub(super) fn flags(script: &[u8]) -> Result<Option<ScriptFlags>, CmdError> {
    if !script.starts_with(b"#!") {
        return Ok(None);
    }
    // Redis looks for it as C does: no further than a NUL.
    let end = memchr::memchr2(b'\n', 0, script).filter(|&end| script.get(end) == Some(&b'\n'));
    let end = end.ok_or(CmdError::text("ERR Invalid script shebang"))?;
    let line = words(script.get(..end).unwrap_or_default());
    let line = line.map_err(|_| CmdError::text("ERR Invalid engine in script shebang"))?;
    let args = line.args();
    let engine = args.get(0).unwrap_or_default();
    if engine != b"#!lua" {
        return Err(quoting("ERR Unexpected engine in script shebang: ", engine));
    }
    let mut flags = ScriptFlags::default();
    for part in args.iter().skip(1) {
        let Some(names) = part.strip_prefix(b"flags=") else {
            return Err(quoting("ERR Unknown lua shebang option: ", part));
        };
        if names.is_empty() {
            continue;
        }
        for name in names.split(|byte| *byte == b',') {
            if !flags.set(name) {
                return Err(quoting("ERR Unexpected flag in script shebang: ", name));
            }
        }
    }
    Ok(Some(flags))
}

fn quoting(before: &str, quoted: &[u8]) -> CmdError {
    CmdError::quoting(before, quoted, usize::MAX, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(script: &str) -> String {
        match flags(script.as_bytes()) {
            Ok(None) => "none".to_owned(),
            Ok(Some(flags)) => format!("{} {} {}", flags.no_writes, flags.allow_oom, flags.rollback),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_first_line_says_what_a_script_needs() {
        for (script, expected) in [
            ("return 1", "none"),
            ("#!lua\nreturn 1", "false false false"),
            ("#!lua flags=no-writes,allow-oom\n", "true true false"),
            ("#!lua flags=no-writes flags=allow-oom\n", "true true false"),
            ("#!lua flags=rollback,allow-oom\n", "false true true"),
            (
                "#!lua flags=allow-stale,no-cluster,allow-cross-slot-keys\n",
                "false false false",
            ),
            ("#!lua flags=\n", "false false false"),
            ("#!lua", "ERR Invalid script shebang"),
            ("#!lua flags=no\0-writes\n", "ERR Invalid script shebang"),
            ("#!lua \"\n", "ERR Invalid engine in script shebang"),
            ("#!\n", "ERR Unexpected engine in script shebang: #!"),
            ("#!js x\n", "ERR Unexpected engine in script shebang: #!js"),
            ("#!lua name=x\n", "ERR Unknown lua shebang option: name=x"),
            ("#!lua flags=no-writes,\n", "ERR Unexpected flag in script shebang: "),
            ("#!lua flags=bad\n", "ERR Unexpected flag in script shebang: bad"),
        ] {
            assert_eq!(said(script), expected, "{script:?}");
        }
    }
}
