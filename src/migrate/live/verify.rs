//! Compares a target with the source, key by key: value, expiry, and whether either has more.
//!
//! **Invariant:** both may change meanwhile, so that nothing is called wrong by one look: what differs is looked at
//! several times, on both sides, and what is seen to change is counted apart.

use std::ops::ControlFlow;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::copy::Target;
use super::error::LiveError;
use super::fetch::{Fetcher, Uses, Value, named, number};
use super::folder::{Folder, Seen};
use super::link::{Conn, Link, Space, Trouble, error_of};
use super::pool::{News, Outlet, Shared, pull};
use super::same::are_same;
use super::scan::{Task, scan};
use super::server::ServerTarget;
use crate::engine::worker::unix_ms;
use crate::migrate::{Observer, Outcome};
use crate::rdb::Object;

/// Expiry times may differ by so much.
const TOLERANCE_MS: u64 = 1000;
/// How often what differs is looked at, and after which pause.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);
/// So many keys are looked at together.
const BATCH_KEYS: usize = 256;
/// So many that differ are kept to be looked at again; when there are more, that is done at once.
const SUSPECTS_MAX: usize = 100_000;
/// So many of each kind are named.
const NAMED_MAX: u64 = 20;
/// Clocks that count idle seconds are this coarse.
const IDLE_SLACK_MS: u64 = 2000;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub compared: u64,
    /// The target lacks them.
    pub missing: u64,
    /// They have another value or expiry there.
    pub different: u64,
    /// The target alone has them.
    pub surplus: u64,
    /// They differ, but are used by clients, or were since the copy began.
    pub changed: u64,
    /// They cannot be read.
    pub unreadable: u64,
    /// Libraries of functions that the target lacks, or has with other code.
    pub libraries: u64,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.missing + self.different + self.surplus + self.unreadable + self.libraries == 0
    }
}

/// Keys of one database of the source with their values.
struct Batch {
    db: u64,
    items: Vec<(Vec<u8>, Value)>,
}

/// A key that differs, and a digest of what the source had.
struct Suspect {
    db: u64,
    key: Vec<u8>,
    digest: u64,
    is_changing: bool,
}

/// Compares all that the source has, then looks for what only the target has, unless `may_have_more`. When it is known
/// when the copy began, `began_ms` (Unix), a key that was used since then is not called wrong.
///
/// # Errors
/// A server refuses or is away, or the user has ended it.
pub fn verify(
    shared: &Shared<'_>,
    target: &mut Target<'_, '_>,
    (began_ms, may_have_more, total): (Option<u64>, bool, u64),
    observer: &mut dyn Observer,
) -> Outcome<Verdict> {
    let link = match target {
        Target::Folder(_) => None,
        Target::Server(server) => Some(Link::new(server.endpoint, shared.stop)),
    };
    let mut check = Check {
        source: Link::new(shared.source, shared.stop),
        side: Side { target, link },
        began_ms,
        total,
        suspects: Vec::new(),
        verdict: Verdict::default(),
        observer,
        shared,
    };
    pull(
        shared,
        || Fetcher::new(Uses::Ignored),
        read_task,
        |news| match news {
            News::Part(batch) => check.batch(&batch),
            News::Done(..) | News::Quiet => Ok(()),
        },
    )?;
    check.look_again()?;
    if !may_have_more {
        check.surplus()?;
    }
    Ok(check.verdict)
}

fn read_task(link: &mut Link<'_>, fetcher: &mut Fetcher, task: &Task, outlet: &Outlet<Batch>) -> Result<(), LiveError> {
    let space = Space::Number(task.db);
    for keys in task.keys.chunks(BATCH_KEYS) {
        let items = link.run("DUMP", |conn| read(conn, fetcher, &space, keys))?;
        outlet.hand_over(Batch { db: task.db, items })?;
    }
    Ok(())
}

/// The keys that are there, with their values.
fn read(
    conn: &mut Conn,
    fetcher: &mut Fetcher,
    space: &Space,
    keys: &[Vec<u8>],
) -> Result<Vec<(Vec<u8>, Value)>, Trouble> {
    let mut items = Vec::with_capacity(keys.len());
    fetcher.fetch(conn, space, keys, |key, value| {
        items.extend(value.map(|value| (key.to_vec(), value)));
        Ok(())
    })?;
    Ok(items)
}

fn digest(value: &Value) -> u64 {
    xxh3_64(&value.payload) ^ value.expires_at_ms.unwrap_or_default()
}

/// How the target is looked at.
struct Side<'c, 't, 'a> {
    target: &'c mut Target<'t, 'a>,
    link: Option<Link<'c>>,
}

impl Side<'_, '_, '_> {
    fn look(&mut self, db: u64, keys: &[Vec<u8>]) -> Outcome<Vec<Seen>> {
        match (&mut *self.target, &mut self.link) {
            (Target::Folder(folder), _) => folder.look(db, keys),
            (Target::Server(server), Some(link)) => look_at_server(server, link, db, keys),
            (Target::Server(_), None) => Ok(Vec::new()),
        }
    }
}

fn look_at_server(server: &ServerTarget<'_>, link: &mut Link<'_>, db: u64, keys: &[Vec<u8>]) -> Outcome<Vec<Seen>> {
    let space = server.space(db);
    let mut seen = Vec::new();
    link.run("DUMP", |conn| {
        seen.clear();
        Fetcher::new(Uses::Ignored).fetch(conn, &space, keys, |_, value| {
            let found = value.and_then(|value| Some((value.object().ok()?, value.expires_at_ms)));
            seen.push(found);
            Ok(())
        })
    })?;
    Ok(seen)
}

struct Check<'c, 't, 'a> {
    source: Link<'c>,
    side: Side<'c, 't, 'a>,
    began_ms: Option<u64>,
    total: u64,
    suspects: Vec<Suspect>,
    verdict: Verdict,
    observer: &'c mut dyn Observer,
    shared: &'c Shared<'c>,
}

impl Check<'_, '_, '_> {
    fn batch(&mut self, batch: &Batch) -> Outcome<()> {
        let keys: Vec<Vec<u8>> = batch.items.iter().map(|(key, _)| key.clone()).collect();
        let seen = self.side.look(batch.db, &keys)?;
        for ((key, value), seen) in batch.items.iter().zip(&seen) {
            self.verdict.compared += 1;
            match value.object() {
                Err(why) => {
                    self.verdict.unreadable += 1;
                    let place = named(batch.db, key);
                    self.name(self.verdict.unreadable, &format!("{place}: {why}"));
                }
                Ok(object) if is_same(&object, value.expires_at_ms, seen) => {}
                Ok(_) => self.suspects.push(Suspect {
                    db: batch.db,
                    key: key.clone(),
                    digest: digest(value),
                    is_changing: false,
                }),
            }
        }
        let (compared, total) = (self.verdict.compared, self.total);
        self.observer.progress("keys compared", compared, total.max(compared));
        if self.suspects.len() >= SUSPECTS_MAX {
            self.look_again()?;
        }
        Ok(())
    }

    fn name(&mut self, count: u64, text: &str) {
        if count <= NAMED_MAX {
            self.observer.note(text);
        }
    }

    /// Looks at what differs until it doesn't, or was looked at often enough.
    fn look_again(&mut self) -> Outcome<()> {
        let mut suspects = std::mem::take(&mut self.suspects);
        let mut looks = 0;
        while !suspects.is_empty() && looks < LOOKS {
            self.shared.stop.sleep(PAUSE)?;
            looks += 1;
            let mut left = Vec::new();
            let mut rest = suspects.into_iter().peekable();
            while let Some(db) = rest.peek().map(|suspect| suspect.db) {
                let mut some = Vec::new();
                while some.len() < BATCH_KEYS
                    && let Some(suspect) = rest.next_if(|suspect| suspect.db == db)
                {
                    some.push(suspect);
                }
                left.extend(self.still_differ(db, some)?);
            }
            suspects = left;
        }
        for suspect in suspects {
            self.judge(&suspect)?;
        }
        Ok(())
    }

    fn still_differ(&mut self, db: u64, suspects: Vec<Suspect>) -> Outcome<Vec<Suspect>> {
        let keys: Vec<Vec<u8>> = suspects.iter().map(|suspect| suspect.key.clone()).collect();
        let mut fetcher = Fetcher::new(Uses::Ignored);
        let space = Space::Number(db);
        let mut values = Vec::new();
        self.source.run("DUMP", |conn| {
            values.clear();
            fetcher.fetch(conn, &space, &keys, |_, value| {
                values.push(value);
                Ok(())
            })
        })?;
        let seen = self.side.look(db, &keys)?;
        let mut left = Vec::new();
        for ((mut suspect, value), seen) in suspects.into_iter().zip(values).zip(&seen) {
            let Some(value) = value else {
                // The source has it no more. If the target has, that shows when all of its keys are looked at.
                continue;
            };
            let digest = digest(&value);
            suspect.is_changing |= digest != suspect.digest;
            suspect.digest = digest;
            let object = value.object().ok();
            if !object.is_some_and(|object| is_same(&object, value.expires_at_ms, seen)) {
                left.push(suspect);
            }
        }
        Ok(left)
    }

    fn judge(&mut self, suspect: &Suspect) -> Outcome<()> {
        let (db, key) = (suspect.db, &suspect.key);
        if suspect.is_changing || self.was_used(db, key)? {
            self.verdict.changed += 1;
            return Ok(());
        }
        let seen = self.side.look(db, std::slice::from_ref(key))?;
        let place = named(db, key);
        if seen.first().is_some_and(Option::is_some) {
            self.verdict.different += 1;
            self.name(self.verdict.different, &format!("{place}: it is different"));
        } else {
            self.verdict.missing += 1;
            self.name(self.verdict.missing, &format!("{place}: it is missing"));
        }
        Ok(())
    }

    /// Whether the source's clients have used a key since the copy began, as far as that can be told: only where our
    /// own looks are no uses.
    fn was_used(&mut self, db: u64, key: &[u8]) -> Outcome<bool> {
        let Some(began_ms) = self.began_ms else {
            return Ok(false);
        };
        let idle = self.source.run("OBJECT IDLETIME", |conn| {
            if !conn.is_no_touch {
                return Ok(None);
            }
            conn.select(&Space::Number(db))?;
            match conn.ask(&[b"OBJECT", b"IDLETIME", key]) {
                Ok(reply) => Ok(number(&reply)),
                // The policy counts uses instead.
                Err(Trouble::Refused(_)) => Ok(None),
                Err(other) => Err(other),
            }
        })?;
        let since_ms = unix_ms().saturating_sub(began_ms);
        Ok(idle.is_some_and(|idle_s| (idle_s as u64).saturating_mul(1000) <= since_ms + IDLE_SLACK_MS))
    }

    /// Keys that only the target has.
    fn surplus(&mut self) -> Outcome<()> {
        for db in self.shared.scanner.done() {
            let mut surplus: Vec<Vec<u8>> = Vec::new();
            let source = &mut self.source;
            let mut count = 0;
            let mut compare = |keys: &[Vec<u8>]| -> Outcome<()> {
                if keys.is_empty() {
                    return Ok(());
                }
                let more = absent(source, &Space::Number(db), keys)?;
                count += more.len() as u64;
                let room = (NAMED_MAX as usize).saturating_sub(surplus.len());
                surplus.extend(more.into_iter().take(room));
                Ok(())
            };
            match (&mut *self.side.target, &mut self.side.link) {
                (Target::Folder(folder), _) => each_in_folder(folder, db, &mut compare)?,
                (Target::Server(server), Some(link)) => each_in_server(server, link, db, &mut compare)?,
                (Target::Server(_), None) => {}
            }
            for key in surplus {
                let place = named(db, &key);
                self.observer.note(&format!("{place}: the target alone has it"));
            }
            self.verdict.surplus += count;
        }
        Ok(())
    }
}

fn is_same(object: &Object, expires_at_ms: Option<u64>, seen: &Seen) -> bool {
    let Some((other, other_expires_at_ms)) = seen else {
        return false;
    };
    let is_expiry_same = match (expires_at_ms, other_expires_at_ms) {
        (None, None) => true,
        (Some(one), Some(other)) => one.abs_diff(*other) <= TOLERANCE_MS,
        _ => false,
    };
    is_expiry_same && are_same(object, other, unix_ms())
}

/// Those of the keys that a server does not have.
fn absent(link: &mut Link<'_>, space: &Space, keys: &[Vec<u8>]) -> Outcome<Vec<Vec<u8>>> {
    let absent = link.run("EXISTS", |conn| {
        conn.select(space)?;
        let mut words: Vec<&[u8]> = vec![b"EXISTS"];
        words.extend(keys.iter().map(Vec::as_slice));
        if number(&conn.ask(&words)?) == Some(keys.len() as i64) {
            return Ok(Vec::new());
        }
        let mut absent = Vec::new();
        let client = conn.pipeline();
        for key in keys {
            client.queue(&[b"EXISTS", key]);
        }
        client.flush()?;
        for key in keys {
            let reply = client.receive()?;
            if let Some(text) = error_of(&reply) {
                return Err(Trouble::of_reply(text));
            }
            if number(&reply) == Some(0) {
                absent.push(key.clone());
            }
        }
        Ok(absent)
    })?;
    Ok(absent)
}

fn each_in_folder(folder: &mut Folder<'_>, db: u64, compare: &mut dyn FnMut(&[Vec<u8>]) -> Outcome<()>) -> Outcome<()> {
    let mut keys = Vec::new();
    let mut outcome = Ok(());
    folder.each_key(db, |key| {
        keys.push(key.to_vec());
        if keys.len() == BATCH_KEYS {
            outcome = compare(&std::mem::take(&mut keys));
        }
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    outcome?;
    compare(&keys)
}

/// What has gone from both meanwhile is none.
fn each_in_server(
    server: &ServerTarget<'_>,
    link: &mut Link<'_>,
    db: u64,
    compare: &mut dyn FnMut(&[Vec<u8>]) -> Outcome<()>,
) -> Outcome<()> {
    let space = server.space(db);
    let mut cursor = "0".to_owned();
    loop {
        let (next, keys) = link.run("SCAN", |conn| {
            conn.select(&space)?;
            scan(conn, &cursor)
        })?;
        compare(&keys)?;
        if next == "0" {
            return Ok(());
        }
        cursor = next;
    }
}
