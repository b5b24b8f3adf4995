//! One client's connection: reads, runs batches, writes.
//!
//! Replies that the client does not take are kept while it goes on sending (a client may pipeline more than the socket
//! buffers hold before it reads), up to the output buffer limit; then it is closed.
//!
//! **Invariants**
//! - Under `fsync = "always"` a batch's replies leave only once all it wrote or read is on disk.
//! - An idle connection holds no buffers; one that waits holds what it has sent, and no more.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;

use super::linger;
use super::stream::Stream;
use crate::client::ClientHandle;
use crate::config::live::ClientClass;
use crate::engine::tap::Pace;
use crate::engine::worker::unix_ms;
use crate::resp::{Batch, Limits, RequestParser};
use crate::session::{Ran, Session, WorkerCx};

/// Bytes read from a socket at once.
const READ_BYTES: usize = 64 * 1024;
/// Requests taken from the buffer before they run.
const BATCH_REQUESTS: usize = 1024;
/// Slices written at once.
const SLICES_MAX: usize = 64;
/// Unsent replies beyond this make the batch loop write before it goes on.
const WRITE_BYTES: usize = 256 * 1024;
/// While a checkpoint has more than this to write that writers handed over, clients wait between their batches.
const PRE_IMAGE_BYTES_MAX: u64 = 64 << 20;
const PRE_IMAGE_PAUSE: Duration = Duration::from_millis(1);
/// How long a closing connection waits for its last replies to be taken.
const LINGER: Duration = Duration::from_secs(5);

/// What one wait for the socket brought.
enum Event {
    Read,
    Eof,
    Killed,
    ShuttingDown,
    Idle,
}

/// See the module.
pub struct Connection {
    stream: Stream,
    cx: Rc<WorkerCx>,
    handle: Arc<ClientHandle>,
    session: Session,
    parser: RequestParser,
    /// Received and not yet run.
    buf: Vec<u8>,
    /// Since when the output is over its soft limit.
    soft_since: Option<Instant>,
}

impl Connection {
    /// A connection over `stream`; listed as a client until [`Connection::serve`] ends.
    pub fn new(stream: Stream, cx: Rc<WorkerCx>) -> Self {
        let server = Arc::clone(&cx.server);
        let (addr, laddr) = stream.addresses(server.params.config().server.unixsocket.as_str());
        let handle = ClientHandle::new(
            server.clients.next_id(),
            addr,
            laddr,
            stream.fd(),
            stream.is_unix(),
            unix_ms(),
        );
        let handle = Arc::new(handle);
        server.clients.add(Arc::clone(&handle));
        let authenticated = !server.params.live().has_password.load(Ordering::Acquire);
        let session = Session::new(Arc::clone(&handle), authenticated);
        let parser = RequestParser::new(Limits {
            authenticated,
            ..Limits::default()
        });
        Self {
            stream,
            cx,
            handle,
            session,
            parser,
            buf: Vec::new(),
            soft_since: None,
        }
    }

    /// Serves the client until it leaves, is closed or the server ends.
    pub async fn serve(mut self) {
        if let Err(error) = self.serve_until_error().await {
            tracing::debug!(client = self.handle.id, %error, "connection ended");
        }
        self.session.end(&self.cx);
        self.cx.server.clients.remove(self.handle.id);
    }

    async fn serve_until_error(&mut self) -> io::Result<()> {
        let handle = Arc::clone(&self.handle);
        let server = Arc::clone(&self.cx.server);
        let killed = handle.wait_killed();
        let ending = server.shutdown.wait();
        tokio::pin!(killed, ending);
        loop {
            let idle = self.idle_limit();
            let event = tokio::select! {
                biased;
                event = std::future::poll_fn(|cx| self.poll_socket(cx)) => event?,
                () = &mut killed => Event::Killed,
                () = &mut ending => Event::ShuttingDown,
                () = sleep_for(idle) => Event::Idle,
            };
            let goes_on = match event {
                Event::Read => tokio::select! {
                    biased;
                    goes_on = self.run_received() => goes_on?,
                    () = &mut killed => false,
                },
                Event::Eof | Event::Killed => false,
                Event::Idle => !self.is_idle_too_long(idle),
                Event::ShuttingDown => {
                    // What has arrived whole runs; the rest is not acknowledged.
                    self.run_received().await?;
                    false
                }
            };
            if !goes_on {
                return self.write_last().await;
            }
            self.note_buffers();
            after_others().await;
        }
    }

    fn idle_limit(&self) -> Option<Duration> {
        let timeout_s = self.cx.server.params.live().timeout_s.load(Ordering::Relaxed);
        (timeout_s > 0).then(|| Duration::from_secs(timeout_s))
    }

    fn is_idle_too_long(&self, limit: Option<Duration>) -> bool {
        let idle_ms = unix_ms().saturating_sub(self.handle.active_ms.load(Ordering::Relaxed));
        limit.is_some_and(|limit| u128::from(idle_ms) >= limit.as_millis())
    }

    /// Sends what is due and receives what is there.
    fn poll_socket(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Event>> {
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(Err(error));
        }
        self.poll_read(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.reply().is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.session.reply().io_slices(&mut slices);
            let written = match self.stream.poll_write(cx, slices.get(..count).unwrap_or_default()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            self.session.reply().advance(written);
            self.cx.worker.borrow().counters().net_output_bytes.add(written as u64);
        }
        self.session.reply().clear();
        self.soft_since = None;
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Event>> {
        let received = match self.parser.big_bulk() {
            Some(big) => {
                let stream = &mut self.stream;
                let filled = big.fill_with(|room| {
                    let before = room.filled().len();
                    stream.poll_read(cx, room).map_ok(|()| room.filled().len() - before)
                });
                filled.map_err(io::Error::other)?
            }
            None => self.poll_read_buffer(cx),
        };
        received.map_ok(|received| {
            self.cx.worker.borrow().counters().net_input_bytes.add(received as u64);
            if received == 0 { Event::Eof } else { Event::Read }
        })
    }

    /// Reads into the connection's buffer, which is taken from the worker's pool only once something is there.
    fn poll_read_buffer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buf = if self.buf.capacity() == 0 {
            self.cx.take_buffer()
        } else {
            std::mem::take(&mut self.buf)
        };
        buf.reserve(READ_BYTES);
        let before = buf.len();
        let mut room = ReadBuf::uninit(buf.spare_capacity_mut());
        let polled = self.stream.poll_read(cx, &mut room).map_ok(|()| room.filled().len());
        if let Poll::Ready(Ok(received)) = polled {
            // SAFETY: the socket has initialised `received` bytes of the spare capacity.
            unsafe { buf.set_len(before + received) };
        }
        if buf.is_empty() {
            self.cx.give_buffer(buf)
        } else {
            self.buf = buf
        }
        polled
    }

    /// Runs every whole request that has been received; whether the connection goes on.
    async fn run_received(&mut self) -> io::Result<bool> {
        linger::note_work();
        let mut buf = std::mem::take(&mut self.buf);
        let mut batch = self.cx.take_batch();
        let outcome = self.run_buffer(&mut buf, &mut batch).await;
        self.cx.give_batch(batch);
        if buf.is_empty() {
            self.cx.give_buffer(buf)
        } else {
            self.buf = buf
        }
        if outcome? {
            return Ok(self.is_within_limits());
        }
        Ok(false)
    }

    async fn run_buffer(&mut self, buf: &mut Vec<u8>, batch: &mut Batch) -> io::Result<bool> {
        let mut done = 0;
        let goes_on = loop {
            self.refresh_limits();
            let rest = buf.get(done..).unwrap_or_default();
            let filled = self.parser.fill(rest, batch, BATCH_REQUESTS);
            let goes_on = self.run_batch(batch, buf, done).await?;
            match filled {
                Ok(taken) => done += taken,
                Err(error) => {
                    self.session.reply().error_bytes(&error.text());
                    break false;
                }
            }
            if !goes_on {
                break false;
            }
            if batch.is_empty() {
                break true;
            }
        };
        buf.drain(..done.min(buf.len()));
        Ok(goes_on)
    }

    /// Runs the requests that lie in `buf` from `start` on.
    async fn run_batch(&mut self, batch: &Batch, buf: &mut Vec<u8>, start: usize) -> io::Result<bool> {
        let mut from = 0;
        while from < batch.len() {
            let cx = Rc::clone(&self.cx);
            let ran = self.session.run(&cx, batch, buf.get(start..).unwrap_or_default(), from);
            if !self.settle().await? {
                return Ok(false);
            }
            match ran {
                Ran::All => return Ok(true),
                Ran::Close => return Ok(false),
                Ran::Paused { next } => {
                    self.write_some().await?;
                    self.cx.server.pause.wait(unix_ms()).await;
                    from = next;
                }
                Ran::Waiting { next, waiting, call } => {
                    self.slim(buf);
                    self.write_some().await?;
                    // Work that goes on is waited for; a client that is only blocked may leave.
                    let blocks = call.is_none();
                    let result = tokio::select! {
                        result = waiting => result,
                        () = self.handle.wait_killed() => return Ok(false),
                        () = cx.server.shutdown.wait(), if blocks => return Ok(false),
                        () = self.stream.closed(), if blocks => return Ok(false),
                    };
                    self.session.reply_late(&cx, call, result);
                    from = next;
                }
            }
        }
        Ok(true)
    }

    /// Leaves a client that waits with no more than what it has sent.
    fn slim(&self, buf: &mut Vec<u8>) {
        let sent = buf.as_slice().to_vec();
        let mut buffer = std::mem::replace(buf, sent);
        buffer.clear();
        self.cx.give_buffer(buffer);
    }

    /// Hands the batch's records to the WAL, and waits where its replies may not go first; whether the connection goes
    /// on.
    async fn settle(&mut self) -> io::Result<bool> {
        let engine = Arc::clone(&self.cx.server.engine);
        let submitted = self.cx.worker.borrow_mut().submit();
        let due = submitted.due(&engine);
        if engine.wal().stable_lsn() < due {
            let stable = engine.wal().make_stable(due).await;
            // With a failed log reads go on; what was to be written is not acknowledged.
            if let (Err(error), true) = (stable, submitted.written > 0) {
                self.session.reply().clear();
                let text = format!("MISCONF Errors writing to the AOF file: {error}");
                self.session.reply().error(&text);
                return Ok(false);
            }
        }
        if engine.wal().over_pending() {
            // A failed log is told to clients by what they send next.
            let _ = engine.wal().wait_room().await;
        }
        while engine.pre_images().waiting_bytes() > PRE_IMAGE_BYTES_MAX {
            tokio::time::sleep(PRE_IMAGE_PAUSE).await;
        }
        loop {
            let pace = engine.tap().pace();
            if pace != Pace::Free {
                tokio::time::sleep(PRE_IMAGE_PAUSE).await;
            }
            if pace != Pace::Hold {
                break;
            }
        }
        if self.session.reply().held_bytes() > WRITE_BYTES {
            std::future::poll_fn(|cx| match self.poll_write(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(())),
            })
            .await?;
            if !self.is_within_limits() {
                return Err(io::Error::other("output buffer limit"));
            }
        }
        Ok(true)
    }

    fn refresh_limits(&mut self) {
        let live = self.cx.server.params.live();
        let limits = self.parser.limits_mut();
        limits.authenticated = self.session.client().authenticated;
        limits.bulk_bytes_max = live.bulk_bytes_max.load(Ordering::Relaxed) as usize;
        limits.args_max = live.args_max.load(Ordering::Relaxed) as usize;
    }

    /// Whether the client holds no more memory than it may.
    fn is_within_limits(&mut self) -> bool {
        let live = self.cx.server.params.live();
        let query = (self.buf.len() + self.parser.held_bytes()) as u64;
        if query > live.query_buffer_bytes_max.load(Ordering::Relaxed) {
            tracing::warn!(client = self.handle.id, bytes = query, "closing: query buffer limit");
            return false;
        }
        let limit = live.output_buffer(ClientClass::Normal);
        let output = self.session.reply().held_bytes() as u64;
        if limit.hard_bytes > 0 && output > limit.hard_bytes {
            tracing::warn!(
                client = self.handle.id,
                bytes = output,
                "closing: output buffer hard limit"
            );
            return false;
        }
        if limit.soft_bytes == 0 || output <= limit.soft_bytes {
            self.soft_since = None;
            return true;
        }
        let since = *self.soft_since.get_or_insert_with(Instant::now);
        let over = since.elapsed() >= Duration::from_secs(limit.soft_s);
        if over {
            tracing::warn!(
                client = self.handle.id,
                bytes = output,
                "closing: output buffer soft limit"
            );
        }
        !over
    }

    /// Sends what the socket takes now.
    async fn write_some(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_write(cx)).await
    }

    /// Sends the last replies, for a bounded time.
    async fn write_last(&mut self) -> io::Result<()> {
        if self.handle.is_killed() || self.session.reply().is_empty() {
            return Ok(());
        }
        tokio::time::timeout(LINGER, self.write_some())
            .await
            .map_err(io::Error::other)?
    }

    fn note_buffers(&mut self) {
        let handle = &self.handle;
        handle
            .query_bytes
            .store((self.buf.len() + self.parser.held_bytes()) as u64, Ordering::Relaxed);
        handle
            .query_free_bytes
            .store((self.buf.capacity() - self.buf.len()) as u64, Ordering::Relaxed);
        handle
            .output_bytes
            .store(self.session.reply().held_bytes() as u64, Ordering::Relaxed);
    }
}

/// Lets the worker's other connections that have something to do go first. So replies are written one after the other
/// once all have run: a client that has many connections is woken once for them, not for each.
async fn after_others() {
    let mut is_first = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut is_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

async fn sleep_for(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
