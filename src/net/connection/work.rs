//! The requests of a connection that have arrived and are to run, a batch after the other.

use super::{Connection, Next, State};
use crate::resp::{Batch, ProtocolError};
use crate::session::{Ahead, Looked, Ran};

/// Requests taken from the buffer before they run.
const BATCH_REQUESTS: usize = 1024;

/// More requests of a connection than these are prepared without others'.
const LOOKED_REQUESTS_MAX: usize = 16;

/// A batch that is being run.
pub(super) struct Work {
    pub batch: Batch,
    /// Where its requests begin in the connection's buffer.
    start: usize,
    /// How many bytes they took, or what is wrong behind them.
    taken: Result<usize, ProtocolError>,
    /// There may be more whole requests behind them.
    is_more: bool,
    /// The request to run next.
    pub next: usize,
    /// What the requests take beside the buffer while they wait for something.
    pub waiting_bytes: usize,
}

impl Work {
    /// Lets go of the requests before `next`, in `buf`, too; the batch that had them is left over.
    fn forget_before(&mut self, next: usize, buf: &mut Vec<u8>) -> Batch {
        let rest = self.batch.split_off(next);
        let had = std::mem::replace(&mut self.batch, rest);
        let behind = *self.taken.as_ref().unwrap_or(&buf.len().saturating_sub(self.start));
        let gone = self.batch.start_in_buffer().unwrap_or(behind);
        buf.drain(..buf.len().min(self.start + gone));
        self.batch.shift(gone);
        self.taken = self.taken.map(|taken| taken - gone);
        (self.start, self.next) = (0, 0);
        self.waiting_bytes = self.batch.held_bytes();
        had
    }
}

impl Connection {
    /// Takes the whole requests from what has been received.
    pub(super) fn begin_work(&mut self) -> Next {
        if !self.judge() || (std::mem::take(&mut self.is_new) && self.begins_tls()) {
            return Next::End;
        }
        self.fill(0)
    }

    fn fill(&mut self, start: usize) -> Next {
        let live = self.cx.server.params.live();
        let limits = self.parser.limits_mut();
        limits.authenticated = self.session.client().may_run();
        limits.bulk_bytes_max = live.bulk_bytes_max() as usize;
        limits.args_max = live.args_max() as usize;
        // Before authentication one request is taken at a time.
        let count_max = if limits.authenticated { BATCH_REQUESTS } else { 1 };
        let mut batch = match self.work.take() {
            Some(work) => work.batch,
            None => self.cx.take_batch(),
        };
        let rest = self.buf.get(start..).unwrap_or_default();
        let taken = self.parser.fill(rest, &mut batch, count_max);
        let is_more = batch.len() >= count_max;
        if batch.is_empty() && taken.is_ok() {
            self.cx.give_batch(batch);
            return self.end_requests(start + taken.unwrap_or_default());
        }
        self.work = Some(Work {
            batch,
            start,
            taken,
            is_more,
            next: 0,
            waiting_bytes: 0,
        });
        self.state = State::Running;
        Next::Run
    }

    /// Looks at the requests that are about to run, unless they are so many that they are prepared among themselves.
    pub fn look(&self, ahead: &mut Ahead) -> Option<Looked> {
        let work = self.work.as_ref()?;
        if work.batch.len() - work.next > LOOKED_REQUESTS_MAX {
            return None;
        }
        let buf = self.buf.get(work.start..).unwrap_or_default();
        Some(self.session.look(&self.cx, ahead, &work.batch, buf, work.next))
    }

    /// Whether the last run has left requests that arrived with those that ran.
    pub fn take_cut(&mut self) -> bool {
        self.session.take_cut()
    }

    /// Runs the batch from where it stands.
    pub(super) fn run_work(&mut self, looked: Option<&Looked>) -> Ran {
        let hard_bytes = self.output_bytes_max();
        self.session.reply().set_held_bytes_max(hard_bytes);
        let Some(work) = &self.work else { return Ran::All };
        let buf = self.buf.get(work.start..).unwrap_or_default();
        self.session.run(&self.cx, &work.batch, buf, work.next, looked)
    }

    /// The request before `next`, or that one, waits for something: what has run is let go of.
    pub(super) fn keep_from(&mut self, next: usize) {
        if let Some(work) = &mut self.work {
            let had = work.forget_before(next, &mut self.buf);
            self.cx.give_batch(had);
        }
        self.slim();
    }

    /// All requests of the batch have run, and their replies may have left.
    pub(super) fn end_batch(&mut self) -> Next {
        let Some(work) = self.work.take() else {
            return self.end_requests(0);
        };
        match work.taken {
            // The other connections' turn comes first.
            Ok(taken) if work.is_more => {
                let start = work.start + taken;
                self.work = Some(work);
                self.fill(start)
            }
            Ok(taken) => {
                let end = work.start + taken;
                self.cx.give_batch(work.batch);
                self.end_requests(end)
            }
            Err(error) => {
                self.cx.give_batch(work.batch);
                self.session.reply().error_bytes(&error.text());
                self.close()
            }
        }
    }

    /// No whole request is left; the first `done` bytes of the buffer are done with.
    fn end_requests(&mut self, done: usize) -> Next {
        if done >= self.buf.len() {
            self.buf.clear();
            let buffer = std::mem::take(&mut self.buf);
            self.cx.give_buffer(buffer);
        } else {
            self.buf.drain(..done);
            self.slim();
        }
        self.state = State::Reading;
        if self.is_ending {
            return self.close();
        }
        if !self.judge() {
            return Next::End;
        }
        match self.watch() {
            Ok(()) => Next::Rest,
            Err(error) => self.note_error(&error),
        }
    }
}
