//! Two servers side by side, as several clients see them: the same steps on the same named connections of both, and
//! what comes on each connection compared after each step.
//!
//! Hand-written scenarios are text: a heading `== what`, then steps, one a line.
//!
//! | step | meaning |
//! |---|---|
//! | `name: COMMAND argument ;; COMMAND …` | commands, quoted as for redis-cli, sent at once |
//! | `name~: COMMAND …` | the last of them blocks |
//! | `name> script` | `EVAL` of the rest of the line, as it stands, without keys |
//! | `D46 name: …` | a difference that is meant, and explained in redis-compat.md: there has to be one |

mod alike;
mod side;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use alike::differing;
use side::Outcome;

pub use alike::compare;
pub use side::{Side, Step};

use crate::args;
use crate::support::{Program, Server, text};

/// How many differences of a scenario are shown; those behind the first may follow from it.
const SHOWN_MAX: usize = 20;
/// How much later than on one server something may come on the other where no answer tells that all has come.
const LATE_MAX: Duration = Duration::from_secs(10);
/// How long a server may take to see that connections are gone.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(20);

/// A scenario.
pub struct Scenario {
    pub title: String,
    pub steps: Vec<Step>,
}

/// A started redis-server, with a log as LokiKV has one.
pub fn start_redis() -> Server {
    Server::redis8(&["--appendonly", "yes"])
}

/// A started LokiKV.
pub fn start_lokikv() -> Server {
    Server::lokikv(&[
        "wal.fsync=no",
        "checkpoint.interval_s=0",
        "server.enable_debug_command=yes",
    ])
}

/// The scenarios of a file; a mistake in it panics with file and line.
pub fn parse(file: &str, content: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (number, line) in content.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("==") {
            scenarios.push(Scenario {
                title: format!("{file}:{}: {}", number + 1, title.trim()),
                steps: Vec::new(),
            });
            continue;
        }
        let step = parse_step(line).unwrap_or_else(|why| panic!("{file}:{}: {why}", number + 1));
        let scenario = scenarios.last_mut().expect("a heading before the first step");
        scenario.steps.push(step);
    }
    scenarios
}

fn parse_step(line: &str) -> Result<Step, String> {
    let is_known = line.starts_with('D') && line[1..].starts_with(|next: char| next.is_ascii_digit());
    let (known, line) = match line.split_once(' ') {
        Some((known, line)) if is_known => (Some(known.to_owned()), line),
        _ => (None, line),
    };
    let at = line.find([':', '>']).ok_or("neither : nor >")?;
    let (head, rest) = (&line[..at], &line[at + 1..]);
    let commands = match line.as_bytes()[at] {
        b'>' => vec![args!["EVAL", rest.trim(), "0"]],
        _ => rest.split(" ;; ").map(text::split).collect::<Result<_, _>>()?,
    };
    let name = head.chars().next().ok_or("no name")?;
    let is_head = head.len() == 1 || head.len() == 2 && head.ends_with('~');
    if !is_head {
        return Err(format!("{head}: not the name of a connection"));
    }
    Ok(Step {
        blocks: head.ends_with('~'),
        known,
        ..Step::new(name, commands)
    })
}

/// Takes the steps on both servers: the first `max` differences, each with its step.
pub fn differences(redis: &Server, loki: &Server, protocol: u8, steps: &[Step], max: usize) -> Vec<(usize, String)> {
    for server in [redis, loki] {
        server.connect().call(&["FLUSHALL"]);
        settle(server);
    }
    let mut found = Vec::new();
    let mut sides = [Side::new(redis, protocol), Side::new(loki, protocol)];
    for (at, step) in steps.iter().enumerate() {
        let mut came = sides.each_mut().map(|side| side.step(step));
        let outcome = match &step.known {
            Some(id) if loki.program() == Program::LokiKv => match compare(step, &came[0], &came[1]) {
                Err(_) => Ok(()),
                Ok(()) => Err(format!("   {id}: there is no difference any more\n")),
            },
            _ => compare_in_time(&mut sides, step, &mut came, |side, names, came| {
                side.read_again(step, names, came)
            }),
        };
        found.extend(outcome.err().map(|why| (at, why)));
        if found.len() >= max {
            return found;
        }
    }
    let mut came = [Outcome::new(), Outcome::new()];
    for (side, came) in sides.iter_mut().zip(&mut came) {
        side.end(came);
    }
    if let Some(last) = steps.last() {
        let outcome = compare_in_time(&mut sides, last, &mut came, |side, _, came| side.end(came));
        found.extend(outcome.err().map(|why| (steps.len(), format!("at the end\n{why}"))));
    }
    found
}

/// Compares what came on both. What comes late on one of them is waited for before that counts as a difference: `again`
/// adds it, given the connections that differ, and tells whether more may come.
fn compare_in_time(
    sides: &mut [Side<'_>; 2],
    step: &Step,
    came: &mut [Outcome; 2],
    again: impl Fn(&mut Side<'_>, &BTreeSet<char>, &mut Outcome) -> bool,
) -> Result<(), String> {
    let since = Instant::now();
    loop {
        let outcome = compare(step, &came[0], &came[1]);
        if outcome.is_ok() || since.elapsed() > LATE_MAX {
            return outcome;
        }
        let names = differing(step, &came[0], &came[1]);
        let mut may_come = false;
        for (side, came) in sides.iter_mut().zip(came.iter_mut()) {
            may_come |= again(side, &names, came);
        }
        if !may_come {
            // By what the last look has found.
            return compare(step, &came[0], &came[1]);
        }
    }
}

/// Waits until a server has seen that connections are gone, and then this one, too.
fn settle(server: &Server) {
    let mut conn = server.connect();
    let since = Instant::now();
    while since.elapsed() < SETTLE_TIME_MAX {
        let clients = conn.call(&["CLIENT", "LIST"]).text();
        if clients.lines().count() == 1 {
            conn.call(&["QUIT"]);
            conn.read_to_close().expect("closed");
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("connections stay");
}

/// Takes all scenarios of a file, each behind `first`, on servers that are prepared so each time.
pub fn run_all(name: &str, content: &str, peer: fn() -> Server, prepare: fn(&Server), first: &[Step]) {
    let (redis, loki) = (start_redis(), peer());
    let scenarios = parse(name, content);
    assert!(!scenarios.is_empty());
    let mut report = String::new();
    for scenario in &scenarios {
        let steps = [first, &scenario.steps].concat();
        for protocol in [2, 3] {
            [&redis, &loki].into_iter().for_each(prepare);
            for (at, why) in differences(&redis, &loki, protocol, &steps, SHOWN_MAX) {
                let step = steps.get(at).map(Step::to_string).unwrap_or_default();
                report.push_str(&format!("{} (RESP{protocol}) {step}\n{why}", scenario.title));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
    eprintln!("{name}: {} scenarios, no difference", scenarios.len());
}
