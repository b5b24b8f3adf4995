//! The copy itself: from the lanes into the target, with the state behind it.

use std::time::{Duration, Instant};

use super::error::LiveError;
use super::fetch::{Fetcher, Uses, Value, named};
use super::folder::{Folder, Prepared, prepare};
use super::link::{Link, Space, Trouble};
use super::pool::{News, Outlet, Shared, pull};
use super::scan::{Ledger, Task};
use super::server::ServerTarget;
use super::state::{State, StateFile};
use crate::engine::worker::unix_ms;
use crate::migrate::{Observer, Outcome};
use crate::page::thresholds::Thresholds;
use crate::rdb::convert::Stored;

/// Keys travel together up to so many bytes.
const PART_BYTES: usize = 1 << 20;
/// How often it is noted what a server has.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// So many keys that cannot be read are named.
const NAMED_MAX: u64 = 100;

/// Where to.
pub enum Target<'t, 'a> {
    Folder(&'t mut Folder<'a>),
    Server(&'t ServerTarget<'a>),
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys that were copied, some of them more than once.
    pub copied: u64,
    /// Keys that went before they were read.
    pub vanished: u64,
    /// Hashes all of whose fields had expired, and keys.
    pub expired: u64,
    /// Keys that cannot be read.
    pub unreadable: u64,
}

/// Keys on their way to the target's thread, and what became of others.
pub struct Part {
    pub db: u64,
    pub items: Vec<Prepared>,
    bytes: usize,
    counts: Counts,
    unreadable: Vec<String>,
}

impl Part {
    fn new(db: u64) -> Self {
        Self {
            db,
            items: Vec::new(),
            bytes: 0,
            counts: Counts::default(),
            unreadable: Vec::new(),
        }
    }
}

/// What a lane does with values.
enum Way<'a> {
    /// They are decoded, and put where they belong by one thread.
    Decode(&'a Thresholds),
    /// They are sent on as they are.
    Push(&'a ServerTarget<'a>),
}

struct Lane<'a> {
    fetcher: Fetcher,
    target: Option<Link<'a>>,
}

/// Copies what the scan finds. `total` is about how many keys there are.
///
/// # Errors
/// A server refuses or is away, the target cannot take something, or the user has ended it. What is in the target by
/// then is in the state file.
pub fn copy(
    shared: &Shared<'_>,
    target: &mut Target<'_, '_>,
    (state, file): (&mut State, &StateFile<'_>),
    (uses, total): (Uses, u64),
    observer: &mut dyn Observer,
) -> Outcome<Counts> {
    let way = match target {
        Target::Folder(folder) => Way::Decode(folder.thresholds()),
        Target::Server(server) => Way::Push(server),
    };
    let lane = || Lane {
        fetcher: Fetcher::new(uses),
        target: match &way {
            Way::Decode(_) => None,
            Way::Push(server) => Some(Link::new(server.endpoint, shared.stop)),
        },
    };
    let mut run = Run {
        ledger: Ledger::new(state.position.clone()),
        counts: Counts::default(),
        saved: Instant::now(),
        total,
    };
    let outcome = pull(
        shared,
        lane,
        |link, lane, task, outlet| work(link, lane, task, outlet, &way, uses),
        |news| run.take(news, target, (&mut *state, file), &mut *observer),
    );
    state.position = run.ledger.reached;
    match outcome {
        Ok(()) => Ok(run.counts),
        Err(error) if run.counts.copied == 0 => Err(error),
        Err(error) => {
            save(target, state, file)?;
            Err(LiveError::Resumable(Box::new(error)).into())
        }
    }
}

fn save(target: &mut Target<'_, '_>, state: &mut State, file: &StateFile<'_>) -> Outcome<()> {
    match target {
        Target::Folder(folder) => folder.save(state, file),
        Target::Server(server) => {
            state.ready = server.ready();
            file.save(state)
        }
    }
}

struct Run {
    ledger: Ledger,
    counts: Counts,
    saved: Instant,
    total: u64,
}

impl Run {
    fn take(
        &mut self,
        news: News<Part>,
        target: &mut Target<'_, '_>,
        (state, file): (&mut State, &StateFile<'_>),
        observer: &mut dyn Observer,
    ) -> Outcome<()> {
        match news {
            News::Part(part) => {
                if let Target::Folder(folder) = target {
                    folder.take(&part)?;
                }
                self.count(&part, observer);
            }
            News::Done(number, after) => self.ledger.done(number, after),
            News::Quiet => {}
        }
        let is_due = match target {
            Target::Folder(folder) => folder.is_due(),
            Target::Server(server) => {
                self.saved.elapsed() >= SAVE_INTERVAL || server.ready().len() != state.ready.len()
            }
        };
        if is_due {
            self.saved = Instant::now();
            state.position = self.ledger.reached.clone();
            save(target, state, file)?;
        }
        Ok(())
    }

    fn count(&mut self, part: &Part, observer: &mut dyn Observer) {
        let (sum, more) = (&mut self.counts, &part.counts);
        for text in &part.unreadable {
            sum.unreadable += 1;
            if sum.unreadable <= NAMED_MAX {
                observer.note(&format!("{text} (left out)"));
            }
        }
        sum.copied += more.copied;
        sum.vanished += more.vanished;
        sum.expired += more.expired;
        observer.progress("keys", sum.copied, self.total.max(sum.copied));
    }
}

fn work(
    source: &mut Link<'_>,
    lane: &mut Lane<'_>,
    task: &Task,
    outlet: &Outlet<Part>,
    way: &Way<'_>,
    uses: Uses,
) -> Result<(), LiveError> {
    if let (Way::Push(server), Some(link)) = (way, &mut lane.target) {
        server.prepare(link, task.db)?;
    }
    let space = Space::Number(task.db);
    source.run("DUMP", |conn| {
        let mut part = Part::new(task.db);
        let mut values = Vec::new();
        lane.fetcher.fetch(conn, &space, &task.keys, |key, value| {
            match (value, way) {
                (None, _) => part.counts.vanished += 1,
                (Some(Value { refused: Some(why), .. }), _) => {
                    part.unreadable.push(format!("{}: {why}", named(part.db, key)));
                }
                (Some(value), Way::Decode(thresholds)) => decode(&mut part, key, value, thresholds, uses),
                (Some(value), Way::Push(_)) => {
                    part.bytes += key.len() + value.payload.len();
                    values.push((key.to_vec(), value));
                }
            }
            if part.bytes >= PART_BYTES {
                push(way, lane.target.as_mut(), &mut part, &mut values, uses)?;
                outlet.hand_over(std::mem::replace(&mut part, Part::new(task.db)))?;
            }
            Ok(())
        })?;
        push(way, lane.target.as_mut(), &mut part, &mut values, uses)?;
        outlet.hand_over(part)?;
        Ok::<(), Trouble>(())
    })
}

fn decode(part: &mut Part, key: &[u8], value: Value, thresholds: &Thresholds, uses: Uses) {
    let now_ms = unix_ms();
    if value.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        part.counts.expired += 1;
        return;
    }
    match prepare(&value.payload, thresholds, now_ms) {
        Ok(Some(stored)) => {
            part.bytes += key.len() + bytes_of(&stored);
            part.counts.copied += 1;
            part.items.push(Prepared {
                key: key.to_vec(),
                expires_at_ms: value.expires_at_ms,
                idle_s: value.usage.filter(|_| uses == Uses::Idle),
                stored,
            });
        }
        Ok(None) => part.counts.expired += 1,
        Err(why) => part.unreadable.push(format!("{}: {why}", named(part.db, key))),
    }
}

fn bytes_of(stored: &Stored) -> usize {
    match stored {
        Stored::Str(text) => text.len(),
        Stored::Packed(_, packed) => packed.len(),
    }
}

/// Sends values on.
fn push(
    way: &Way<'_>,
    link: Option<&mut Link<'_>>,
    part: &mut Part,
    values: &mut Vec<(Vec<u8>, Value)>,
    uses: Uses,
) -> Result<(), LiveError> {
    if let (Way::Push(server), Some(link)) = (way, link)
        && !values.is_empty()
    {
        let unreadable = server.push(link, part.db, values, uses)?;
        part.counts.copied += (values.len() - unreadable.len()) as u64;
        part.unreadable.extend(unreadable);
        values.clear();
    }
    Ok(())
}
