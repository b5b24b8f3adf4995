//! The format of `cases/*.txt`, read into steps.
//!
//! One command a line, quoted as for redis-cli; `#` starts a comment line. Before the command may stand `@N` (which
//! connection, 1 by default) and directives:
//!
//! | directive | meaning |
//! |---|---|
//! | `!sleep MS` | wait (alone on its line) |
//! | `!reset` | FLUSHALL and fresh connections (alone on its line) |
//! | `!unordered` | the top-level array in any order |
//! | `!any` | compare only the type of the reply |
//! | `!error-prefix` | compare only the first word of errors |
//! | `!near N` | integers within N |
//! | `!keys-only` | of name-value pairs compare names and types of values |
//! | `!exact` | exactly, where the default for the command is looser |
//! | `!ignore` | send, read, do not compare |
//! | `!noreply` | send, expect no reply |
//! | `!scan` | `SCAN` without its cursor: whole iterations are compared as sets |
//! | `!resp2-only`, `!resp3-only` | only in that run |

use std::time::Duration;

use crate::compare::Mode;
use crate::pair::{Difference, Pair};
use crate::support::{Args, text};

/// What a line does.
#[derive(Clone, Debug)]
enum Action {
    Sleep(Duration),
    Reset,
    Compare(Option<Mode>),
    Unanswered,
    Scan,
}

/// One line of a script.
#[derive(Clone, Debug)]
pub struct Line {
    number: usize,
    conn: u8,
    protocol: Option<u8>,
    action: Action,
    args: Args,
}

/// Reads a script; a mistake in it panics with file and line.
pub fn parse(name: &str, script: &str) -> Vec<Line> {
    let numbered = script.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let lines = numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| parse_line(number, line).unwrap_or_else(|e| panic!("{name}:{number}: {e}")))
        .collect()
}

fn parse_line(number: usize, text: &str) -> Result<Line, String> {
    let mut line = Line {
        number,
        conn: 1,
        protocol: None,
        action: Action::Compare(None),
        args: Args::new(),
    };
    let mut rest = text;
    while rest.starts_with(['@', '!']) {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = after.trim_start();
        match word {
            "!sleep" | "!near" => {
                let (number, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                rest = after.trim_start();
                let number: u32 = number.parse().map_err(|_| format!("{word} wants a number"))?;
                line.action = match word {
                    "!sleep" => Action::Sleep(Duration::from_millis(number.into())),
                    _ => Action::Compare(Some(Mode::Near(number.into()))),
                };
            }
            "!resp2-only" => line.protocol = Some(2),
            "!resp3-only" => line.protocol = Some(3),
            "!reset" => line.action = Action::Reset,
            "!noreply" => line.action = Action::Unanswered,
            "!scan" => line.action = Action::Scan,
            _ => match word.strip_prefix('@') {
                Some(conn) => line.conn = conn.parse().map_err(|_| format!("bad connection {word}"))?,
                None => line.action = Action::Compare(Some(mode(word)?)),
            },
        }
    }
    line.args = text::split(rest)?;
    let alone = matches!(line.action, Action::Sleep(_) | Action::Reset);
    if alone != line.args.is_empty() {
        return Err("a directive stands alone where it must not, or the other way round".into());
    }
    Ok(line)
}

fn mode(word: &str) -> Result<Mode, String> {
    Ok(match word {
        "!unordered" => Mode::Unordered,
        "!any" => Mode::Any,
        "!error-prefix" => Mode::ErrorPrefix,
        "!keys-only" => Mode::KeysOnly,
        "!exact" => Mode::Exact,
        "!ignore" => Mode::Ignore,
        _ => return Err(format!("unknown directive {word}")),
    })
}

/// Runs a script and returns every difference, each with its line number.
pub fn run(pair: &mut Pair, lines: &[Line]) -> Vec<(usize, Box<Difference>)> {
    let mut differences = Vec::new();
    for line in lines {
        if line.protocol.is_some_and(|p| p != pair.protocol()) {
            continue;
        }
        let outcome = match &line.action {
            Action::Sleep(time) => {
                std::thread::sleep(*time);
                Ok(())
            }
            Action::Reset => {
                pair.reset();
                Ok(())
            }
            Action::Unanswered => {
                pair.step_unanswered(line.conn, &line.args);
                Ok(())
            }
            Action::Scan => pair.step_scan(line.conn, &line.args[1..]),
            Action::Compare(mode) => pair.step(line.conn, mode.clone(), &line.args),
        };
        differences.extend(outcome.err().map(|d| (line.number, d)));
    }
    differences
}
