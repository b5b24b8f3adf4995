//! `lokikv import --from`: what is asked for, put together; what was done, in a sentence.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis_protocol::resp3::types::{OwnedFrame, Resp3Frame as _};

use super::copy::{Counts, Target, copy};
use super::error::LiveError;
use super::fetch::Uses;
use super::folder::Folder;
use super::interrupt::Stop;
use super::libraries;
use super::link::{Endpoint, Link, Trouble, field};
use super::pool::Shared;
use super::rate::Rate;
use super::scan::{Position, Scanner, databases};
use super::server::ServerTarget;
use super::state::{State, StateFile};
use super::verify::{Verdict, verify};
use crate::config::migrate_args::LiveArgs;
use crate::config::server_url::ServerUrl;
use crate::config::{Config, Loaded};
use crate::engine::worker::unix_ms;
use crate::migrate::targets::{Existing, Into, Targets};
use crate::migrate::{MigrateError, Observer, Offline, Outcome};
use crate::storage::Disk;

const STATE_FILE: &str = "lokikv-import.json";
/// Clocks that differ by more are worth a word.
const CLOCKS_APART_MS: u64 = 1000;

/// What is known of the source.
struct Source {
    uses: Uses,
    /// Its keys.
    keys: u64,
    /// Databases that have some.
    databases: Vec<u64>,
}

/// Copies the server `from`, compares, or both; what was done.
///
/// # Errors
/// Why that was not possible, or what is wrong afterwards.
pub fn run_live(
    args: &LiveArgs,
    from: &ServerUrl,
    (into, existing): (Into, Existing),
    (loaded, disk): (Loaded, &Arc<dyn Disk>),
    observer: &mut dyn Observer,
) -> Outcome<String> {
    let stop = Stop::by_signals()?;
    let endpoint = |url: &ServerUrl| Endpoint::new(url, &args.access);
    let source = endpoint(from)?;
    let found = survey(&mut Link::new(&source, &stop), from, observer)?;
    if into != Into::Numbers && found.databases.len() > 1 {
        return Err(LiveError::SeveralDatabases.into());
    }
    let job = Job {
        args,
        source: &source,
        found: &found,
        stop: &stop,
        rate: Rate::new(args.rate),
    };
    match &args.to {
        Some(to) => {
            let target = endpoint(to)?;
            check_target(&source, &target, &stop)?;
            let place = Place {
                name: format!("{to}{}", of_collection(&into)),
                state: args.state.clone().unwrap_or_else(|| PathBuf::from(STATE_FILE)),
            };
            let (file, state, is_resumed) = place.open(&job, disk.as_ref())?;
            let server = ServerTarget::new(&target, &into, existing, &state.ready);
            if !args.verify_only {
                job.begin_server(&server, is_resumed)?;
            }
            job.run(
                &mut Target::Server(&server),
                existing,
                (state, &file),
                &place.name,
                observer,
            )
        }
        None => job.run_into_folder((into, existing), (loaded, disk), observer),
    }
}

/// Before the first question changes anything: `--replace` would empty what is to be read.
fn check_target(source: &Endpoint, target: &Endpoint, stop: &Stop) -> Result<(), LiveError> {
    let identity = |endpoint: &Endpoint| {
        let mut link = Link::new(endpoint, stop);
        link.run("INFO", |conn| Ok((conn.run_id.clone(), conn.is_lokikv)))
    };
    let (to_run_id, is_lokikv) = identity(target)?;
    let (from_run_id, _) = identity(source)?;
    if !to_run_id.is_empty() && to_run_id == from_run_id {
        let (from, to) = (source.url.to_string(), target.url.to_string());
        return Err(LiveError::Same { from, to });
    }
    if !is_lokikv {
        return Err(LiveError::NotLokikv(target.url.to_string()));
    }
    Ok(())
}

/// Where the copy goes and where it is kept how far it is.
struct Place {
    name: String,
    state: PathBuf,
}

impl Place {
    fn open<'d>(&self, job: &Job<'_>, disk: &'d dyn Disk) -> Outcome<(StateFile<'d>, State, bool)> {
        let file = StateFile::new(disk, self.state.clone());
        let begun = State::new(job.source.url.to_string(), self.name.clone(), unix_ms());
        if job.args.verify_only {
            return Ok((file, begun, false));
        }
        let before = file.load(&begun)?;
        let is_resumed = before.is_some();
        Ok((file, before.unwrap_or(begun), is_resumed))
    }
}

fn of_collection(into: &Into) -> String {
    match into {
        Into::Numbers => String::new(),
        Into::Collection(name, _) => format!(", collection \"{name}\""),
    }
}

/// Asks the source about itself.
fn survey(link: &mut Link<'_>, from: &ServerUrl, observer: &mut dyn Observer) -> Outcome<Source> {
    let (uses, databases, clock_ms) = link.run("INFO", |conn| {
        let memory = conn.info("memory")?;
        let policy = field(&memory, "maxmemory_policy").unwrap_or_default();
        let databases = databases(conn)?;
        let time = conn.ask(&[b"TIME"])?;
        let seconds = match time {
            OwnedFrame::Array { data, .. } => data.first().and_then(|second| second.as_str()?.parse::<u64>().ok()),
            _ => None,
        };
        let seconds = seconds.ok_or_else(|| Trouble::strange("TIME"))?;
        Ok((Uses::of_policy(policy), databases, seconds.saturating_mul(1000)))
    })?;
    if unix_ms().abs_diff(clock_ms) > CLOCKS_APART_MS * 2 {
        observer.note(&format!(
            "the clock of {from} differs from this one by {} s: what expires does so by the clock of who has it",
            unix_ms().abs_diff(clock_ms) / 1000
        ));
    }
    let wanted = |db: &u64| from.database.is_none_or(|only| only == *db);
    let databases: Vec<(u64, u64)> = databases.into_iter().filter(|(db, _)| wanted(db)).collect();
    Ok(Source {
        uses,
        keys: databases.iter().map(|(_, keys)| keys).sum(),
        databases: databases.iter().map(|(db, _)| *db).collect(),
    })
}

struct Job<'a> {
    args: &'a LiveArgs,
    source: &'a Endpoint,
    found: &'a Source,
    stop: &'a Stop,
    rate: Rate,
}

impl Job<'_> {
    /// Whatever stands against the copy is to show before anything is copied.
    fn begin_server(&self, server: &ServerTarget<'_>, is_resumed: bool) -> Outcome<()> {
        let mut link = Link::new(server.endpoint, self.stop);
        for db in &self.found.databases {
            server.prepare(&mut link, *db)?;
        }
        if !self.args.skip_functions {
            server.push_libraries(&mut link, &libraries::dump(self.source, self.stop)?, is_resumed)?;
        }
        Ok(())
    }

    fn run_into_folder(
        &self,
        (into, existing): (Into, Existing),
        (loaded, disk): (Loaded, &Arc<dyn Disk>),
        observer: &mut dyn Observer,
    ) -> Outcome<String> {
        let dir = data_dir(&loaded.config, disk.as_ref(), self.args.verify_only)?;
        let offline = Offline::open(loaded, disk, observer)?;
        let place = Place {
            name: format!("{}{}", dir.display(), of_collection(&into)),
            state: self.args.state.clone().unwrap_or_else(|| dir.join(STATE_FILE)),
        };
        let (file, state, _) = place.open(self, disk.as_ref())?;
        let kept = if self.args.verify_only {
            Existing::Merge
        } else {
            existing
        };
        let targets = Targets::new(&offline, &into, kept).resumed(&state.ready);
        let mut folder = Folder::new(&offline, targets);
        for db in &self.found.databases {
            // Whatever stands against it is to show before hours have passed.
            folder.targets.collection(*db)?;
        }
        if !self.args.verify_only && !self.args.skip_functions {
            folder.take_libraries(&libraries::dump(self.source, self.stop)?)?;
        }
        self.run(
            &mut Target::Folder(&mut folder),
            existing,
            (state, &file),
            &place.name,
            observer,
        )
    }

    fn run(
        &self,
        target: &mut Target<'_, '_>,
        existing: Existing,
        (mut state, file): (State, &StateFile<'_>),
        name: &str,
        observer: &mut dyn Observer,
    ) -> Outcome<String> {
        let only = self.source.url.database;
        let mut said = Vec::new();
        let mut is_whole = true;
        let began_ms = state.began_ms;
        if !self.args.verify_only {
            let scanner = Scanner::new(only, state.position.clone());
            let how = (self.found.uses, self.found.keys);
            let begun = Instant::now();
            let counts = copy(&self.shared(&scanner), target, (&mut state, file), how, observer)?;
            if let Target::Folder(folder) = target {
                folder.save(&mut state, file)?;
            }
            file.remove()?;
            is_whole = counts.unreadable == 0;
            said.push(of_counts(counts, &self.source.url, name, begun.elapsed()));
        }
        if self.args.verify || self.args.verify_only {
            let scanner = Scanner::new(only, Position::default());
            let began_ms = Some(began_ms).filter(|_| !self.args.verify_only);
            let how = (began_ms, existing == Existing::Merge, self.found.keys);
            let mut verdict = verify(&self.shared(&scanner), target, how, observer)?;
            if !self.args.skip_functions {
                verdict.libraries = libraries::verify(self.source, target, self.stop, observer)?;
            }
            is_whole &= verdict.is_good();
            said.push(of_verdict(verdict));
        }
        let said = said.join("\n");
        if is_whole {
            Ok(said)
        } else {
            Err(LiveError::Incomplete(said).into())
        }
    }

    fn shared<'s>(&'s self, scanner: &'s Scanner) -> Shared<'s> {
        Shared {
            source: self.source,
            scanner,
            rate: &self.rate,
            lanes: self.args.connections as usize,
            stop: self.stop,
        }
    }
}

fn data_dir(config: &Config, disk: &dyn Disk, must_exist: bool) -> Outcome<PathBuf> {
    let dir = config.storage.data_path();
    if must_exist && !dir.is_dir() {
        return Err(MigrateError::NoDirectory(dir));
    }
    let created = disk.create_dir_all(&dir);
    created.map_err(|error| MigrateError::Create(dir.clone(), error))?;
    Ok(dir)
}

fn of_counts(counts: Counts, from: &ServerUrl, to: &str, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let rate = counts.copied as f64 / seconds.max(0.001);
    let mut text = format!(
        "copied {} keys from {from} to {to} within {seconds:.1} s, {rate:.0} a second",
        counts.copied
    );
    for (count, what) in [
        (counts.vanished, "were gone before they were read"),
        (counts.expired, "had expired"),
        (counts.unreadable, "cannot be read and are left out"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    text
}

fn of_verdict(verdict: Verdict) -> String {
    let mut text = format!("compared {} keys", verdict.compared);
    let mut is_alike = true;
    for (count, what) in [
        (verdict.missing, "are missing"),
        (verdict.different, "are different"),
        (verdict.surplus, "are there only"),
        (verdict.unreadable, "cannot be read"),
        (verdict.libraries, "libraries of functions are missing or different"),
        (
            verdict.changed,
            "are missing or differ, and were in use since the copy began",
        ),
    ] {
        if count > 0 {
            is_alike = false;
            text.push_str(&format!("; {count} {what}"));
        }
    }
    if is_alike {
        text.push_str(": all are alike");
    }
    text
}
