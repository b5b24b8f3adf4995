//! The thread that sees workers that do not get on, and says in the log what they were at.
//!
//! **Invariants**
//! - At most one line a second. What there was no line for is counted in the next one, which tells of the longest.
//! - A time that is told is not too long: it runs from when the watchdog first saw the worker at that.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::commands::table::table;
use crate::metrics::activity::{Activity, Doing, Moment};
use crate::state::Server;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(25);
/// A watchdog that was itself held up for so long knows nothing of others: the whole machine may have stood.
const LATE: Duration = Duration::from_millis(75);
/// So long a worker may be at one thing.
const STAND: Duration = Duration::from_millis(100);
/// One who is at it for so long is told of before it has ended, and again each time that has doubled.
const LONG_STAND: Duration = Duration::from_secs(1);
/// Between two lines.
const LINE_GAP: Duration = Duration::from_secs(1);

/// Starts the thread. It ends with the server.
///
/// # Errors
/// When it cannot be started.
pub(super) fn watch(server: &Arc<Server>) -> std::io::Result<()> {
    let weak = Arc::downgrade(server);
    let builder = std::thread::Builder::new().name("watchdog".to_owned());
    builder.spawn(move || run(&weak)).map(drop)
}

fn run(server: &Weak<Server>) {
    let (mut watchdog, mut looked) = (Watchdog::default(), Instant::now());
    loop {
        std::thread::sleep(INTERVAL);
        let Some(server) = server.upgrade().filter(|server| !server.shutdown.is_requested()) else {
            return;
        };
        let now = Instant::now();
        if now.saturating_duration_since(looked) > LATE {
            watchdog.workers.clear();
        }
        looked = now;
        let counters = server.engine.counters();
        let moments = counters.iter().map(|counters| counters.activity.now());
        if let Some((stand, others)) = watchdog.look(now, moments) {
            let worker = counters.get(stand.worker).map(|counters| &counters.activity);
            tell(stand, others, worker);
        }
    }
}

fn tell(stand: Stand, others: u64, worker: Option<&Activity>) {
    let at = match stand.doing {
        Doing::Command(id) => table().all().get(usize::from(id)).map_or_else(String::new, |command| {
            command.full_name().to_uppercase().replace('|', " ")
        }),
        Doing::WritesLog => "writing the log: the disk is slow to take it".to_owned(),
        Doing::Serves | Doing::Rests => {
            "between commands: waiting for an exclusive section, or for the system".to_owned()
        }
    };
    let (worker, millis) = (worker.map_or("", Activity::name), stand.took.as_millis() as u64);
    if stand.is_over {
        tracing::warn!(
            worker,
            at,
            millis,
            others,
            "a worker stood: its other clients had to wait"
        );
    } else {
        tracing::warn!(
            worker,
            at,
            millis,
            others,
            "a worker stands: its other clients have to wait"
        );
    }
}

/// A worker was at one thing for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stand {
    worker: usize,
    doing: Doing,
    took: Duration,
    is_over: bool,
}

struct Seen {
    moment: Moment,
    since: Instant,
    /// It is told of when it has lasted so long.
    next: Duration,
}

#[derive(Default)]
struct Watchdog {
    workers: Vec<Seen>,
    told: Option<Instant>,
    /// The longest that has not been told of, and how many there were.
    longest: Option<Stand>,
    untold: u64,
}

impl Watchdog {
    /// Looks once; a stand to tell of now, and how many others there were.
    fn look(&mut self, now: Instant, moments: impl Iterator<Item = Moment>) -> Option<(Stand, u64)> {
        for (worker, moment) in moments.enumerate() {
            let new = || Seen {
                moment,
                since: now,
                next: LONG_STAND,
            };
            let Some(seen) = self.workers.get_mut(worker) else {
                self.workers.push(new());
                continue;
            };
            let (is_over, took) = (seen.moment != moment, now.saturating_duration_since(seen.since));
            let doing = seen.moment.doing();
            let is_due = if is_over { took >= STAND } else { took >= seen.next };
            if is_over {
                *seen = new();
            } else if is_due {
                seen.next = took.saturating_mul(2);
            }
            if is_due && doing != Doing::Rests {
                self.note(Stand {
                    worker,
                    doing,
                    took,
                    is_over,
                });
            }
        }
        let is_due = self
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= LINE_GAP);
        let stand = self.longest.take_if(|_| is_due)?;
        self.told = Some(now);
        Some((stand, std::mem::take(&mut self.untold).saturating_sub(1)))
    }

    fn note(&mut self, stand: Stand) {
        self.untold += 1;
        if self.longest.is_none_or(|longest| longest.took < stand.took) {
            self.longest = Some(stand);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told when a worker is, at each look, at what the string says: a letter for each command, a blank for
    /// rest.
    fn told(script: &[&str]) -> Vec<(usize, usize, u64, u64, bool)> {
        let begun = Instant::now();
        let activities: Vec<Activity> = script.iter().map(|_| Activity::default()).collect();
        let (mut watchdog, mut told) = (Watchdog::default(), Vec::new());
        let mut last = vec![' '; script.len()];
        for at in 0..script[0].len() {
            for ((activity, steps), last) in activities.iter().zip(script).zip(&mut last) {
                let step = steps.chars().nth(at).unwrap();
                if step != *last {
                    *last = step;
                    activity.note(match step {
                        ' ' => Doing::Rests,
                        letter => Doing::Command(letter as u16),
                    });
                }
            }
            let now = begun + INTERVAL * at as u32;
            if let Some((stand, others)) = watchdog.look(now, activities.iter().map(Activity::now)) {
                told.push((at, stand.worker, stand.took.as_millis() as u64, others, stand.is_over));
            }
        }
        told
    }

    #[test]
    fn who_gets_on_or_rests_is_not_told_of() {
        assert_eq!(told(&["abababab          aaa bbb aaa        "]), []);
    }

    #[test]
    fn a_stand_is_told_when_it_is_over_and_a_long_one_before() {
        assert_eq!(told(&[" aaaaab "]), [(6, 0, 125, 0, true)]);
        let long = format!(" {} ", "a".repeat(140));
        assert_eq!(
            told(&[&long]),
            [
                (41, 0, 1000, 0, false),
                (81, 0, 2000, 0, false),
                (141, 0, 3500, 0, true)
            ]
        );
    }

    #[test]
    fn one_line_a_second_tells_of_the_longest() {
        let (one, two) = (
            "aaaaa bbbbb ccccc ddddd eeeeee fffff          ",
            "                   aaaaaaaaa                  ",
        );
        let lines = told(&[one, two]);
        assert_eq!(lines, [(5, 0, 125, 0, true), (45, 1, 225, 5, true)]);
    }
}
