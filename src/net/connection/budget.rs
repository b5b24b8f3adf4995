//! What a client holds in the server's memory, and whether it may: requests that have not run, what is kept of others
//! (queued, watched, waiting, its name), its replies.
//!
//! **Invariants**
//! - Judging costs O(1), and is done whenever something has been added: after each receive, and by the reply buffer
//!   itself while replies are written.
//! - What all clients hold together is the sum of what each has been charged for.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{Connection, Next};
use crate::config::live::{ClientClass, OutputBufferLimit};

/// See the module.
#[derive(Default)]
pub(super) struct Budget {
    /// Since when its output is over the soft limit.
    soft_since: Option<Instant>,
}

/// What a client that has to log in and has not may leave unread: as much as Redis keeps for it.
const STRANGER_OUTPUT_BYTES_MAX: u64 = (16 << 10) + 1024;

impl Connection {
    /// The limits of its output. A client in MONITOR is a normal one, but not without any limit: lines come to it
    /// unasked, as messages do.
    fn output_limit(&self) -> OutputBufferLimit {
        let live = self.cx.server.params.live();
        let of_messages = || live.output_buffer(ClientClass::PubSub);
        if self.handle.is_subscriber() {
            return of_messages();
        }
        let limit = live.output_buffer(ClientClass::Normal);
        if !self.session.client().may_run() {
            let hard_bytes = Some(limit.hard_bytes).filter(|bytes| *bytes > 0);
            return OutputBufferLimit {
                hard_bytes: hard_bytes.map_or(STRANGER_OUTPUT_BYTES_MAX, |bytes| bytes.min(STRANGER_OUTPUT_BYTES_MAX)),
                ..limit
            };
        }
        if limit.is_none() && self.handle.is_monitor.load(Relaxed) {
            return of_messages();
        }
        limit
    }

    /// What may be held of replies: beyond what all clients may hold together this one would be closed, too.
    pub(super) fn output_bytes_max(&self) -> usize {
        let is_spared = self.handle.no_evict.load(Relaxed);
        let of_all = self.cx.server.params.live().clients_bytes_max();
        let limits = [self.output_limit().hard_bytes, if is_spared { 0 } else { of_all }];
        let least = limits.into_iter().filter(|bytes| *bytes > 0).min();
        least.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// What the client has sent and is not run.
    pub(super) fn query_bytes(&self) -> u64 {
        let waiting = self.work.as_ref().map_or(0, |work| work.waiting_bytes);
        (self.buf.len() + self.parser.held_bytes() + waiting) as u64
    }

    /// What it has not been sent, and what TLS holds of it and of what it sends.
    fn output_bytes(&mut self) -> u64 {
        let secured = self.tls.as_ref().map_or(0, |secured| secured.stream.held_bytes());
        (self.session.reply().held_bytes() + secured) as u64
    }

    /// Whether the client holds no more than it may.
    pub(super) fn judge(&mut self) -> bool {
        let live = self.cx.server.params.live();
        let kept = self.handle.queued_bytes.load(Relaxed) + self.handle.kept_bytes();
        let held = self.query_bytes().saturating_add(kept);
        if held > live.query_buffer_bytes_max() {
            tracing::warn!(client = self.handle.id, bytes = held, "closing: query buffer limit");
            return false;
        }
        if !self.has_unsent() {
            self.budget.soft_since = None;
            return true;
        }
        self.judge_output()
    }

    fn judge_output(&mut self) -> bool {
        let limit = self.output_limit();
        let bytes = self.output_bytes();
        if self.session.reply().is_over_limit() || (limit.hard_bytes > 0 && bytes > limit.hard_bytes) {
            self.note_over_limit();
            return false;
        }
        if limit.soft_bytes == 0 || bytes <= limit.soft_bytes {
            self.budget.soft_since = None;
            return true;
        }
        let since = *self.budget.soft_since.get_or_insert_with(Instant::now);
        let is_over = since.elapsed() >= Duration::from_secs(limit.soft_s);
        if is_over {
            tracing::warn!(client = self.handle.id, bytes, "closing: output buffer soft limit");
        }
        !is_over
    }

    pub(super) fn note_over_limit(&self) -> Next {
        tracing::warn!(client = self.handle.id, "closing: output buffer hard limit");
        Next::End
    }

    /// Tells others what the client holds, and charges it for that.
    pub fn charge(&mut self) {
        let query = self.query_bytes();
        let query_free = (self.buf.capacity() - self.buf.len()) as u64;
        let output = self.output_bytes();
        let handle = &self.handle;
        handle.query_bytes.store(query, Relaxed);
        handle.query_free_bytes.store(query_free, Relaxed);
        handle.output_bytes.store(output, Relaxed);
        self.cx.server.clients.recharge(handle, handle.held_bytes());
    }

    pub(super) fn uncharge(&mut self) {
        self.cx.server.clients.recharge(&self.handle, 0);
    }
}
