//! Following the log while it is written: what `WAL READ` is made of.
//!
//! A record is *visible* once it may be shown to somebody: under `always` when it is stable, under the other policies
//! when it is in the file, as their replies do not wait for the disk either. So what a follower has seen under those
//! may be lost in a power cut; a follower that is ahead of [`Wal::last_lsn`] knows that this has happened.
//!
//! **Invariants**
//! - Nothing beyond the visible records is read: a record half written is never taken for damage.
//! - Files are read on the log's reader threads only ([`Wal::on_reader`]), and of requests for them only so many wait.
//! - Nothing is kept open between two reads; where they ended is remembered (`positions`), so that going on costs what
//!   is new.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::core::{Core, Progress};
use super::format::SEGMENT_HEADER_BYTES;
use super::positions::{Place, SPACING_BYTES};
use super::reader::{Reader, Record};
use super::segment::SegmentFile;
use super::waiters::WaitLsn;
use super::{Fsync, Lsn, Wal, WalError};
use crate::storage::Disk;

/// Threads that read for followers.
const THREADS: usize = 2;
/// Requests that may wait for them.
const WAITING_MAX: usize = 1024;
/// When so many wait, others look again after this.
const FULL_PAUSE: Duration = Duration::from_millis(5);
/// While waiting for stability, the policy is looked at this often: it may have changed to one that does not sync.
const POLICY_RECHECK: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// The reader threads, started with the first request and ended with the log.
#[derive(Default)]
pub(super) struct ReaderThreads {
    jobs: Mutex<Option<SyncSender<Job>>>,
}

impl ReaderThreads {
    /// Has the job run; it is returned where too many wait already.
    fn run(&self, job: Job) -> Result<Option<Job>, WalError> {
        let mut jobs = self.jobs.lock();
        let sender = match &*jobs {
            Some(sender) => sender,
            None => {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                let receiver = Arc::new(Mutex::new(receiver));
                for _ in 0..THREADS {
                    let receiver = Arc::clone(&receiver);
                    let builder = std::thread::Builder::new().name("wal-read".to_owned());
                    builder
                        .spawn(move || work(&receiver))
                        .map_err(WalError::io("start a thread for", &PathBuf::new()))?;
                }
                jobs.insert(sender)
            }
        };
        match sender.try_send(job) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(job)) => Ok(Some(job)),
            Err(TrySendError::Disconnected(_)) => Err(WalError::Closed),
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

impl Core {
    /// The last record that may be shown.
    pub fn visible_lsn(&self) -> Lsn {
        match self.policy() {
            Fsync::Always => self.stable_lsn(),
            Fsync::EverySec | Fsync::No => self.written_lsn(),
        }
    }
}

impl Wal {
    /// The last record that followers may see.
    pub fn visible_lsn(&self) -> Lsn {
        self.core().visible_lsn()
    }

    /// Waits until `lsn` is visible, or until it is clear that it never will be.
    pub async fn wait_visible(&self, lsn: Lsn) -> Result<(), WalError> {
        WaitLsn::new(self.core().clone(), lsn, Progress::Written).await?;
        while self.visible_lsn() < lsn {
            if let Ok(ended) = tokio::time::timeout(POLICY_RECHECK, self.wait_stable(lsn)).await {
                ended?;
            }
        }
        Ok(())
    }

    /// Has `job`, which may read files, run on one of the log's reader threads; returns when it is its turn to wait for
    /// one.
    ///
    /// # Errors
    /// When the log has ended.
    pub async fn on_reader(&self, job: impl FnOnce() + Send + 'static) -> Result<(), WalError> {
        let mut job: Job = Box::new(job);
        while let Some(refused) = self.reader_threads().run(job)? {
            tokio::time::sleep(FULL_PAUSE).await;
            job = refused;
        }
        Ok(())
    }

    /// Shows `visit` the visible records from `from` on until it breaks. Reads files: not for workers. Going on where
    /// an earlier visit ended costs O(records), else up to 4 MiB more are read, or the segment's beginning when that
    /// was written before the log was opened.
    ///
    /// # Errors
    /// [`WalError::Trimmed`] when `from` is not retained any more; and what keeps a record from being read.
    pub fn visit(&self, from: Lsn, visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>) -> Result<(), WalError> {
        let Some(disk) = self.disk() else { return Ok(()) };
        let until = self.visible_lsn();
        let files = self.files_from(from)?;
        if from > until {
            return Ok(());
        }
        match self.visit_files(disk, files, (from, until), visit) {
            // Trimmed between the look at the list and the opening of the file.
            Err(WalError::Io(_)) if from < self.first_lsn() => Err(self.trimmed(from)),
            // There the log has failed, and gone on behind a checkpoint.
            Err(WalError::Missing { expected, found, .. }) => Err(WalError::Trimmed {
                from: from.max(expected),
                oldest: found,
            }),
            // The segment in which it failed was let go of between the look at the list and the opening of the file.
            Err(WalError::Io(error)) if !self.has_segment(&error.path) => Err(self.trimmed(from)),
            // It is being trimmed: the file goes first.
            Err(WalError::Io(error)) if error.error.kind() == ErrorKind::NotFound && !self.is_in_use(&error.path) => {
                Err(self.trimmed(from))
            }
            outcome => outcome,
        }
    }

    fn has_segment(&self, path: &Path) -> bool {
        let segments = self.core().segments.lock();
        segments.iter().any(|segment| segment.path == path)
    }

    fn is_in_use(&self, path: &Path) -> bool {
        let segments = self.core().segments.lock();
        segments.last().is_some_and(|last| last.path == path)
    }

    fn trimmed(&self, from: Lsn) -> WalError {
        WalError::Trimmed {
            from,
            oldest: self.next_first(from),
        }
    }

    /// Where a segment begins behind `from`; the next record, if none does.
    fn next_first(&self, from: Lsn) -> Lsn {
        let segments = self.core().segments.lock();
        let next = segments.iter().find(|segment| segment.first > from);
        next.map_or(self.last_lsn().next(), |segment| segment.first)
    }

    /// The segments from the one that holds `from` on.
    fn files_from(&self, from: Lsn) -> Result<Vec<SegmentFile>, WalError> {
        let segments = self.core().segments.lock();
        let at = segments.partition_point(|segment| segment.first <= from);
        let Some(at) = at.checked_sub(1) else {
            drop(segments);
            return Err(self.trimmed(from));
        };
        let files = segments.iter().skip(at).map(|segment| SegmentFile {
            first: segment.first,
            path: segment.path.clone(),
        });
        Ok(files.collect())
    }

    fn visit_files(
        &self,
        disk: &Arc<dyn Disk>,
        files: Vec<SegmentFile>,
        (from, until): (Lsn, Lsn),
        visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), WalError> {
        let holder = files.first().map_or(from, |file| file.first);
        let known = self.core().positions.lock().find(from, holder);
        let (next, offset) = known.unwrap_or((holder, SEGMENT_HEADER_BYTES as u64));
        let mut reader = Reader::resume(Arc::clone(disk), files, next, offset)?;
        let mut noted = offset;
        while reader.next_lsn() <= until {
            let lsn = reader.next_lsn();
            match reader.next()? {
                Some(record) if lsn >= from => {
                    if visit(&record).is_break() {
                        break;
                    }
                }
                Some(_) => {}
                None => return Err(cut_short(&reader, lsn)),
            }
            if let Some(place) = reader
                .place()
                .filter(|place| place.offset.abs_diff(noted) >= SPACING_BYTES)
            {
                noted = place.offset;
                self.note(reader.next_lsn(), Some(place));
            }
        }
        self.note(reader.next_lsn(), reader.place());
        Ok(())
    }

    fn note(&self, lsn: Lsn, place: Option<Place>) {
        if let Some(place) = place {
            self.core().positions.lock().note(lsn, place);
        }
    }
}

/// A visible record is not in the files.
fn cut_short(reader: &Reader, lsn: Lsn) -> WalError {
    match reader.tail() {
        Some(tail) => WalError::damaged(&tail.file, tail.offset, tail.reason.clone()),
        None => WalError::Failed(Arc::from(format!("record {lsn} was written and is not in the files"))),
    }
}
