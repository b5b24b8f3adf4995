//! A client that takes whatever it is answered: it counts replies without keeping them, and is never stuck for long.
//!
//! **Invariants**: a batch ends with a marker that is echoed, so a reply too few or too many is noticed; a client that
//! waits for keys is woken by a second connection.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::conn::encode;
use crate::support::{Args, Conn, Rng, text};

/// How long one batch may take.
const BATCH_TIME_MAX: Duration = Duration::from_secs(60);
/// Without an answer for so long, the client may be one that waits.
const WAKE_AFTER: Duration = Duration::from_millis(100);
/// How much of a reply is kept.
const SEEN_BYTES: usize = 200;
/// How many replies are kept for the report.
const RECENT: usize = 60;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Each request has had one reply.
    Answered,
    /// The server closed the connection, or said nothing for the patience that was given.
    Closed,
}

/// A connection and the one that wakes it.
pub struct Client {
    stream: TcpStream,
    waker: Conn,
    id: String,
    replies: Skimmer,
    batches: u64,
    /// When it was woken in this batch, by replies, and with what success.
    wakes: Vec<(u64, &'static str, Option<i64>)>,
}

impl Client {
    /// Connects, in RESP3 if so asked.
    pub fn connect(port: u16, is_resp3: bool) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut waker = Conn::connect(port).map_err(text)?;
        waker.try_call(&["PING"]).map_err(text)?;
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(WAKE_AFTER)).map_err(text)?;
        let mut client = Self {
            stream,
            waker,
            id: String::new(),
            replies: Skimmer::default(),
            batches: 0,
            wakes: Vec::new(),
        };
        if is_resp3 {
            client.exchange(&[crate::args!["HELLO", "3"]], BATCH_TIME_MAX, &mut Rng::new(0))?;
        }
        client.request(&crate::args!["CLIENT", "ID"])?;
        client.wait_for(1, Instant::now() + BATCH_TIME_MAX, &mut Rng::new(0))?;
        client.id = String::from_utf8_lossy(client.replies.last()).into_owned();
        Ok(client)
    }

    /// Sends the batch and waits for its replies, for `patience` at most.
    ///
    /// # Errors
    /// What is wrong with the replies.
    pub fn exchange(&mut self, batch: &[Args], patience: Duration, rng: &mut Rng) -> Result<Outcome, String> {
        self.batches += 1;
        let marker = format!("marker {}", self.batches);
        let mut bytes = Vec::new();
        batch.iter().for_each(|request| encode(request, &mut bytes));
        // Out of a transaction that the batch may have left open.
        encode(&["DISCARD"], &mut bytes);
        encode(&["ECHO", &marker], &mut bytes);
        if self.stream.write_all(&bytes).is_err() {
            return Ok(Outcome::Closed);
        }
        let deadline = Instant::now() + patience.min(BATCH_TIME_MAX);
        let outcome = self.wait_for(batch.len() as u64 + 2, deadline, rng);
        if outcome.map_err(|reason| self.with_replies(&reason))? == Outcome::Closed {
            return Ok(Outcome::Closed);
        }
        if self.replies.last() != marker.as_bytes() {
            return Err(self.with_replies(&format!("{marker:?} was to be the last reply")));
        }
        Ok(Outcome::Answered)
    }

    /// What is wrong, and what came: which reply was one too many is seen from what they are.
    fn with_replies(&self, reason: &str) -> String {
        let shown = self.replies.recent.iter().enumerate();
        let shown = shown.map(|(number, reply)| format!("  reply {number}: {}", text::quote(reply)));
        format!(
            "{reason}; the unblocker: {:?}\n{}",
            self.wakes,
            shown.collect::<Vec<_>>().join("\n")
        )
    }

    fn request(&mut self, request: &Args) -> Result<(), String> {
        let mut bytes = Vec::new();
        encode(request, &mut bytes);
        self.stream.write_all(&bytes).map_err(|error| error.to_string())
    }

    /// Reads until so many replies have come.
    fn wait_for(&mut self, count: u64, deadline: Instant, rng: &mut Rng) -> Result<Outcome, String> {
        let mut chunk = vec![0; 64 * 1024];
        self.replies.begin();
        self.wakes.clear();
        while self.replies.count < count {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Outcome::Closed),
                Ok(len) => self.replies.feed(&chunk[..len])?,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => self.wake(rng),
                Err(_) => return Ok(Outcome::Closed),
            }
            if Instant::now() > deadline {
                return Ok(Outcome::Closed);
            }
        }
        // One too many that comes later is found by the next batch's marker.
        match self.replies.count == count {
            true => Ok(Outcome::Answered),
            false => Err(format!("more than {count} replies")),
        }
    }

    fn wake(&mut self, rng: &mut Rng) {
        let how = if rng.one_in(2) { "TIMEOUT" } else { "ERROR" };
        // It may have been killed: then the batch ends by its deadline.
        if let Ok(answer) = self.waker.try_call(&["CLIENT", "UNBLOCK", &self.id, how]) {
            self.wakes.push((self.replies.count, how, answer.int()));
        }
    }
}

/// Counts replies as their bytes go by. Pushed messages are none.
#[derive(Default)]
struct Skimmer {
    /// The line that has come so far.
    line: Vec<u8>,
    /// Bytes of a string that are still to come.
    skip: usize,
    /// How many items are still to come, of each aggregate that is open.
    open: Vec<u64>,
    is_push: bool,
    seen: Vec<u8>,
    count: u64,
    /// How the newest replies began, without types and lengths.
    recent: VecDeque<Vec<u8>>,
}

impl Skimmer {
    /// Counts anew; what came before is told apart.
    fn begin(&mut self) {
        self.count = 0;
        self.recent.push_back(b"(a batch)".to_vec());
    }

    fn last(&self) -> &[u8] {
        self.recent.back().map_or(&[], Vec::as_slice)
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let (skipped, rest) = bytes.split_at(self.skip.min(bytes.len()));
                self.see(skipped);
                self.skip -= skipped.len();
                bytes = rest;
                if self.skip == 0 {
                    self.end_item();
                }
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.line.extend_from_slice(part);
            bytes = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.header(&line)
                    .ok_or_else(|| format!("no RESP: {:?}", String::from_utf8_lossy(&line)))?;
            }
        }
        Ok(())
    }

    fn see(&mut self, bytes: &[u8]) {
        let room = SEEN_BYTES.saturating_sub(self.seen.len());
        self.seen.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn header(&mut self, line: &[u8]) -> Option<()> {
        let (kind, text) = line.strip_suffix(b"\r\n")?.split_first()?;
        if matches!(kind, b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_') {
            self.see(text);
            self.end_item();
            return Some(());
        }
        let len = std::str::from_utf8(text).ok()?.parse::<i64>().ok()?;
        let len = match u64::try_from(len) {
            Ok(len) => len,
            Err(_) if len == -1 && matches!(kind, b'$' | b'*') => {
                self.end_item();
                return Some(());
            }
            Err(_) => return None,
        };
        match kind {
            b'$' | b'=' | b'!' => self.skip = len as usize + 2,
            b'*' | b'~' | b'>' | b'%' => {
                self.is_push |= self.open.is_empty() && *kind == b'>';
                match if *kind == b'%' { 2 * len } else { len } {
                    0 => self.end_item(),
                    items => self.open.push(items),
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn end_item(&mut self) {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        let mut reply = std::mem::take(&mut self.seen);
        if reply.ends_with(b"\r\n") {
            reply.truncate(reply.len() - 2);
        }
        self.recent.push_back(reply);
        while self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.count += u64::from(!std::mem::take(&mut self.is_push));
    }
}
