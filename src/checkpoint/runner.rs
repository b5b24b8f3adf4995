//! The checkpointer's thread: what it does when, and one checkpoint from its instant to the trimmed WAL.
//!
//! **Invariants**
//! - Everything that fails before the manifest's rename leaves nothing behind; a failed sync is not tried again on the
//!   same file (the next attempt has a new file).
//! - A checkpoint is good from its publication on, whether a log that had failed can go on behind it or not. Until it
//!   can, the thread takes no other one by itself as long as that one has all there is.
//! - After a failure by itself the thread waits before it tries again; a request is tried at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::capture::Capture;
use super::files::base::Base;
use super::files::catalog::{Catalog, manifest_name};
use super::files::error::{CheckpointError, Result};
use super::files::format::ManifestKind;
use super::files::manifest::Manifest;
use super::files::watch::Watch;
use super::kept::kept_in;
use super::queue::{Context, Job, Reply};
use super::request::CheckpointDone;
use crate::engine::background::{Urgent, step_back};
use crate::engine::worker::{Worker, unix_ms};
use crate::storage::fault_point::fault_point;
use crate::wal::{LogNote, Lsn};

/// How often the thread looks whether a checkpoint is due.
const TICK: Duration = Duration::from_millis(250);
/// Before another attempt by itself after a failure.
const RETRY: Duration = Duration::from_secs(10);
/// The same while writes are refused because of it: not less than this, nor than twice what the attempt took.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// For the sake of room no checkpoint is taken that lets less of the log go.
const ROOM_BYTES_MIN: u64 = 16 << 20;
/// Where there is more room than this it is not asked what a checkpoint would let go.
const ROOM_BYTES_NEAR: u64 = 4 << 30;
/// So long after an attempt to have a log go on that has failed there is another one.
const MEND_INTERVAL: Duration = Duration::from_secs(1);

/// What there is to do.
enum Work {
    Checkpoint(Vec<Reply<CheckpointDone>>),
    Job(Job),
    /// The log has failed, and may be able to go on.
    Mend,
    End,
}

/// The thread's own.
pub(super) struct Runner {
    pub shared: Arc<Context>,
    pub worker: Worker,
    catalog: Option<Catalog>,
    /// What the newest checkpoint has, if that is known already.
    base: Option<Base>,
    /// What its page files are known by.
    pub(super) watch: Watch,
    /// When the last attempt began, and whether it failed.
    last_attempt: Instant,
    failed: bool,
    /// After a failure: how long to wait, and what was said of it.
    retry: (Duration, String),
    /// When the last attempt to have the log go on ended, and why that was not possible.
    last_mend: (Option<Instant>, String),
    /// The log had failed before the newest checkpoint was taken, and can go on behind it: it has all up to here.
    behind: Option<Lsn>,
    /// By which checkpoints and the log age.
    clock: SteadyClock,
    /// WAL bytes written when the last good checkpoint began.
    wal_mark: u64,
    behind_bytes: u64,
}

/// The thread's body.
pub(super) fn run(shared: Arc<Context>, worker: Worker, behind_bytes: u64) {
    /// However the thread ends, nobody waits for it any more.
    struct Close(Arc<Context>);
    impl Drop for Close {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    let _close = Close(Arc::clone(&shared));
    step_back();
    let mut runner = Runner {
        wal_mark: shared.engine.wal().stats().written_bytes,
        behind_bytes,
        shared,
        worker,
        catalog: None,
        base: None,
        watch: Watch::default(),
        last_attempt: Instant::now(),
        failed: false,
        retry: (RETRY, String::new()),
        last_mend: (None, String::new()),
        behind: None,
        clock: SteadyClock::new(unix_ms(), Instant::now()),
    };
    runner.begin_watch();
    loop {
        match runner.next_work() {
            Work::Checkpoint(waiters) => runner.checkpoint(waiters),
            Work::Job(Job::Persist(name, reply)) => reply(runner.persist(&name).map_err(told)),
            Work::Job(Job::Load(request, reply)) => reply(runner.load(&request).map_err(told)),
            Work::Job(Job::Copy(request, reply)) => reply(runner.copy(&request).map_err(told)),
            Work::Job(Job::Convert(request, reply)) => reply(runner.convert(&request).map_err(told)),
            Work::Job(Job::Restore(request, reply)) => reply(runner.restore(&request).map_err(told)),
            Work::Job(Job::Attach(request, reply)) => reply(runner.attach(&request).map_err(told)),
            Work::Job(Job::Act(act)) => act(&mut runner),
            Work::Mend => runner.mend(),
            Work::End => return,
        }
    }
}

pub(super) fn told(error: CheckpointError) -> CheckpointError {
    tracing::warn!("{error}");
    error
}

impl Runner {
    /// Looks at the page files that the data was just loaded from.
    fn begin_watch(&mut self) {
        let Some(last) = self.shared.status.last() else { return };
        let (disk, dir) = (self.shared.disk.as_ref(), &self.shared.options.dir);
        let head = Manifest::read_head(disk, &dir.join(manifest_name(last.id)));
        if let Err(error) = head.and_then(|head| self.watch.look(disk, dir, &head.files)) {
            tracing::warn!("the files of checkpoint {} cannot be watched: {error}", last.id);
        }
    }

    fn next_work(&self) -> Work {
        let mut requests = self.shared.requests.lock();
        loop {
            if requests.closed {
                return Work::End;
            }
            if requests.checkpoint {
                // Under the same lock, so that at every moment it is either wanted or running.
                self.shared.status.begin();
                requests.checkpoint = false;
                return Work::Checkpoint(std::mem::take(&mut requests.waiters));
            }
            if self.is_mend_due() {
                self.shared.status.begin();
                return Work::Mend;
            }
            if let Some(job) = requests.jobs.pop_front() {
                return Work::Job(job);
            }
            self.shared.wake.wait_for(&mut requests, TICK);
            requests.checkpoint |= !requests.closed && self.is_due();
        }
    }

    /// Whether a checkpoint is due by time, by the WAL's growth, or since the WAL's disk is full of what it would let go.
    fn is_due(&self) -> bool {
        let since = self.last_attempt.elapsed();
        if self.failed && since < self.retry.0 {
            return false;
        }
        let (engine, settings) = (&self.shared.engine, &self.shared.settings);
        let last_lsn = self.shared.status.last().map_or(Lsn::ZERO, |last| last.lsn);
        // One that has failed is repeated, too, if nothing has changed since: writes may be refused until it is well.
        if engine.wal().last_lsn() == last_lsn && !self.failed || engine.refuses_writes() {
            return false;
        }
        let interval_s = settings.interval_s();
        let bytes_max = settings.wal_bytes_max();
        let by_time = interval_s > 0 && (self.failed || since >= Duration::from_secs(interval_s));
        let by_size = bytes_max > 0 && self.wal_growth() > bytes_max;
        by_time || by_size || (interval_s > 0 || bytes_max > 0) && self.makes_room()
    }

    /// Whether more of the log would be let go than it may still write before there is no room for it.
    fn makes_room(&self) -> bool {
        let room = self.shared.log_room_bytes.load(Ordering::Relaxed);
        if room > ROOM_BYTES_NEAR || self.shared.holds.count() > 0 {
            return false;
        }
        let (wal, age_s) = (self.shared.engine.wal(), self.shared.settings.wal_keep_age_s());
        let bytes = wal.trimmable_bytes(wal.last_lsn().next(), age_s, unix_ms());
        bytes >= ROOM_BYTES_MIN && bytes > room
    }

    fn is_mend_due(&self) -> bool {
        let is_time = self.last_mend.0.is_none_or(|last| last.elapsed() >= MEND_INTERVAL);
        is_time && self.shared.engine.wal().is_failed()
    }

    /// Has a log go on that has failed: where it was, if it only wanted room; else behind a checkpoint of all that its
    /// clients wait for, in a new segment.
    fn mend(&mut self) {
        self.try_mend();
        // Its end: however long it took, what is asked for has its turn before the next one.
        self.last_mend.0 = Some(Instant::now());
    }

    fn try_mend(&mut self) {
        match self.shared.engine.wal().go_on() {
            Ok(true) => {
                tracing::info!("there is room again: the log goes on");
                self.behind = None;
                self.last_mend.1.clear();
                self.shared.status.end_unneeded();
                return;
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "the log cannot go on where it was"),
        }
        if self.is_checkpoint_enough() {
            // Another one would have nothing new; one every second would soon have pushed out those that are kept.
            let goes_on = self.resume();
            self.shared.status.end_unneeded();
            if goes_on {
                self.trim();
            }
        } else if let Err(error) = self.try_checkpoint() {
            let why = error.to_string();
            self.shared.status.fail(&why);
            self.note_mend_failure(why);
        }
    }

    /// Whether the checkpoint that was taken since the log failed has all there is, and its page files are there as far
    /// as can be told without reading them.
    fn is_checkpoint_enough(&mut self) -> bool {
        let Some(base) = &self.base else { return false };
        if self.behind != Some(self.shared.engine.wal().last_lsn()) {
            return false;
        }
        let (disk, dir) = (self.shared.disk.as_ref(), &self.shared.options.dir);
        let seen = self.watch.look(disk, dir, base.files());
        seen.is_ok_and(|seen| seen.iter().all(|seen| seen.bytes().is_some()))
    }

    /// Has a log that had failed go on behind the checkpoint taken since, if there is one; whether it does now.
    fn resume(&mut self) -> bool {
        let Some(lsn) = self.behind else { return false };
        fault_point("checkpoint.before_resume");
        let wal = self.shared.engine.wal();
        // It may have lost its directory since the checkpoint began.
        let resumed = wal.claim_dir().and_then(|()| wal.resume_behind(lsn));
        if let Err(error) = resumed {
            self.note_mend_failure(error.to_string());
            return false;
        }
        tracing::warn!("the log had failed and goes on behind LSN {lsn}; writes are accepted again");
        self.behind = None;
        self.last_mend.1.clear();
        true
    }

    /// Tells why the log cannot go on, once for each reason.
    fn note_mend_failure(&mut self, why: String) {
        if self.last_mend.1 != why {
            tracing::error!("the log cannot go on yet, tried every second: {why}");
            self.last_mend.1 = why;
        }
    }

    fn wal_growth(&self) -> u64 {
        self.shared.engine.wal().stats().written_bytes - self.wal_mark + self.behind_bytes
    }

    fn checkpoint(&mut self, waiters: Vec<Reply<CheckpointDone>>) {
        self.last_attempt = Instant::now();
        let outcome = self.try_checkpoint();
        if let Err(error) = &outcome {
            self.note_failure(&error.to_string(), waiters.is_empty());
        } else {
            self.retry.1.clear();
        }
        self.failed = outcome.is_err();
        for waiter in waiters {
            waiter(outcome.clone());
        }
    }

    /// Tells of a checkpoint that has failed; of one taken `by_itself` only once for each reason.
    fn note_failure(&mut self, why: &str, by_itself: bool) {
        self.shared.status.fail(why);
        let stops_writes = self.shared.stops_writes();
        let took = self.last_attempt.elapsed();
        let patience = if stops_writes {
            (took * 2).clamp(RETRY_MIN, RETRY)
        } else {
            RETRY
        };
        let is_known = std::mem::replace(&mut self.retry, (patience, why.to_owned())).1 == why;
        if is_known && by_itself {
            return;
        }
        tracing::error!("checkpoint failed, the previous one stays valid: {why}");
        if stops_writes {
            tracing::error!("writes are refused until a checkpoint can be taken, which is tried again and again");
        } else if self.shared.engine.wal().is_enabled() {
            tracing::error!("the log has everything since then, and grows until a checkpoint can be taken");
        }
    }

    /// The catalog; it is read where it is not known what is on the disk.
    pub(super) fn take_catalog(&mut self) -> Result<Catalog> {
        match self.catalog.take() {
            Some(catalog) => Ok(catalog),
            None => Catalog::open(Arc::clone(&self.shared.disk), self.shared.options.dir.clone()),
        }
    }

    /// What is on the disk is what the catalog says.
    pub(super) fn keep_catalog(&mut self, catalog: Catalog) {
        self.catalog = Some(catalog);
    }

    /// Takes a checkpoint, behind which a log that had failed goes on. That it cannot yet is no failure of the
    /// checkpoint, and is told apart: otherwise each attempt would leave a whole one that nobody counts.
    fn try_checkpoint(&mut self) -> Result<CheckpointDone> {
        let wal = self.shared.engine.wal();
        // One whose file is lost goes on behind this checkpoint.
        if wal.look().is_err() && wal.is_failed() {
            wal.claim_dir()?;
        }
        // All who write wait for a log that has failed.
        let _urgent = self.shared.engine.wal().is_failed().then(Urgent::begin);
        let mut catalog = self.take_catalog()?;
        catalog.is_lz4 = self.shared.settings.is_lz4();
        let known = self
            .base
            .take()
            .filter(|base| match catalog.check_base(base, &mut self.watch) {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!("{error}; checkpoints cannot rely on it, this one writes anew what it needs of it");
                    false
                }
            });
        let base = known.unwrap_or_else(|| self.read_base(&catalog));
        let id = catalog.take_id();
        let outcome = self.write(&mut catalog, &base, id);
        if outcome.is_err() {
            // The catalog is read anew for the next one: what is on the disk now is not certain.
            catalog.discard(id);
            return outcome;
        }
        self.clean_up(&mut catalog);
        self.shared.status.note_kept(kept_in(&catalog));
        self.catalog = Some(catalog);
        self.resume();
        // Of a log that cannot go on, too: it may want what its old segments take.
        self.trim();
        outcome
    }

    /// What the last good checkpoint has. Where that cannot be read everything is written anew, which heals it.
    fn read_base(&mut self, catalog: &Catalog) -> Base {
        let Some(last) = self.shared.status.last() else {
            return Base::default();
        };
        catalog.base(last.id, &mut self.watch).unwrap_or_else(|error| {
            tracing::warn!("the next checkpoint writes every page, since the last one cannot be read: {error}");
            Base::default()
        })
    }

    /// The checkpoint itself, up to its publication.
    fn write(&mut self, catalog: &mut Catalog, base: &Base, id: u64) -> Result<CheckpointDone> {
        let shared = Arc::clone(&self.shared);
        let started = Instant::now();
        let wal = shared.engine.wal();
        let mut file = catalog.create_page_file(id)?.count_in(shared.status.steps());
        fault_point("checkpoint.page_file_created");
        let wal_mark = wal.stats().written_bytes;
        // Before the instant: then nothing is written behind it until the log goes on.
        let had_failed = wal.is_failed();
        let mut capture = Capture::begin(&shared.engine, &mut self.worker, None).build_on(base);
        shared.status.note_pause(capture.pause);
        fault_point("checkpoint.after_instant");
        let (lsn, wall_ms) = (capture.lsn, capture.wall_ms);
        capture.walk(&self.worker, &mut file, &shared.stop)?;
        let mut manifest = capture.into_manifest(ManifestKind::Checkpoint, (id, shared.options.term), &file);
        let mut bytes = file.finish()?;
        fault_point("checkpoint.page_file_durable");
        if !had_failed {
            wal.sync_blocking(lsn)?;
            wal.look()?;
            wal.note_reached(lsn)?;
        }
        fault_point("checkpoint.wal_durable");
        catalog.check_base(base, &mut self.watch)?;
        bytes += catalog.publish(&mut manifest)?;
        // Only now: all up to there is durable by the checkpoint alone, and the log may let go of it.
        self.behind = had_failed.then_some(lsn);
        self.wal_mark = wal_mark;
        self.behind_bytes = 0;
        let done = CheckpointDone {
            id,
            lsn,
            pages: manifest.head.pages,
            written_pages: manifest.head.written_pages,
            bytes,
            millis: started.elapsed().as_millis() as u64,
        };
        shared.status.succeed(done, wall_ms);
        tracing::info!(
            "checkpoint {id} at LSN {lsn}: {} of {} pages written, {} entries, {bytes} bytes in {} ms",
            done.written_pages,
            done.pages,
            manifest.head.entries,
            done.millis
        );
        self.base = catalog.base_of(manifest, &mut self.watch).ok();
        Ok(done)
    }

    /// Lets go of what the new checkpoint has made superfluous, the log apart. It is published: failing here is not its
    /// failure. What is held goes after a later one.
    fn clean_up(&mut self, catalog: &mut Catalog) {
        if !self.shared.engine.wal().is_enabled()
            && let Err(error) = LogNote::release(self.shared.disk.as_ref(), &self.shared.options.dir)
        {
            tracing::warn!("the old log, which is not needed any more, is still asked for: {error}");
        }
        if self.shared.holds.count() > 0 {
            return;
        }
        let now_ms = self.clock.now_ms(unix_ms(), Instant::now());
        let settings = &self.shared.settings;
        let (count, age_s) = (settings.keep_count(), settings.keep_age_s());
        if let Err(error) = catalog.retain(count, age_s, now_ms) {
            tracing::warn!("old checkpoints could not be removed: {error}");
        }
    }

    /// Lets go of what of the log the newest checkpoint has made superfluous, as above.
    fn trim(&mut self) {
        if self.shared.holds.count() > 0 {
            return;
        }
        fault_point("checkpoint.before_trim");
        let now_ms = self.clock.now_ms(unix_ms(), Instant::now());
        let keep_from = self.shared.status.last().map_or(Lsn::ZERO, |last| last.lsn.next());
        let keep_age_s = self.shared.settings.wal_keep_age_s();
        if let Err(error) = self.shared.engine.wal().trim(keep_from, keep_age_s, now_ms) {
            tracing::warn!("the WAL could not be trimmed after a checkpoint: {error}");
        }
        // What is known is of before; it is looked up again within a second.
        self.shared.log_room_bytes.store(u64::MAX, Ordering::Relaxed);
        fault_point("checkpoint.after_trim");
    }
}

/// A clock by which things age. It goes back with the wall clock, and never forward faster than time passes: a wall
/// clock that is ahead for a while makes nothing old. What it is set to at first is believed.
pub(super) struct SteadyClock {
    /// What it showed at some time; since then it has run.
    set: (u64, Instant),
}

impl SteadyClock {
    /// One that shows `wall_ms` at `at`.
    pub fn new(wall_ms: u64, at: Instant) -> Self {
        Self { set: (wall_ms, at) }
    }

    /// What it shows at `at`, when the wall clock shows `wall_ms`.
    pub fn now_ms(&mut self, wall_ms: u64, at: Instant) -> u64 {
        let (set_ms, since) = self.set;
        let passed_ms = u64::try_from(at.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX);
        let steady_ms = set_ms.saturating_add(passed_ms);
        if wall_ms < steady_ms {
            // Only then is it set anew: each time it is, it loses a part of a millisecond.
            self.set = (wall_ms, at);
        }
        steady_ms.min(wall_ms)
    }
}
