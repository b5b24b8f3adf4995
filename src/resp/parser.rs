//! The request scanner: finds whole requests in a read buffer, without copying and without looking twice.
//!
//! # Contract with the connection
//! `fill(buf, …)` returns how many bytes of `buf` are done with. Those may be dropped once the batch has been executed
//! (its arguments lie in them). **The next `fill` must be given the rest from exactly there**, with whatever arrived
//! since appended: `buf[0]` of the next call is `buf[done]` of this one. Where the buffer lies in memory does not
//! matter. A request that is still incomplete keeps its bytes in the buffer, and the parser keeps how far it has
//! looked.
//!
//! An argument announced with [`BIG_BULK_BYTES`] or more is taken out of the buffer into an allocation of its own. From
//! then until the request's end the parser holds the request's bytes itself, so all of `buf` that was looked at is done
//! with; while [`big_bulk`](RequestParser::big_bulk) is `Some`, the whole of `buf` is, and the connection may read the
//! socket directly into it ([`BigBulk::fill_with`]) instead of into `buf`. Then it calls `fill` as ever.
//!
//! **Invariants**
//! - The same bytes give the same requests and the same error, however they are cut into reads.
//! - Work is linear in the bytes received: no byte of an incomplete request is scanned again.
//! - Memory follows bytes received, never a count or length that was only announced.
//! - Before authentication one request is taken at a time, since it may be the one that authenticates.

use super::args::Span;
use super::batch::Batch;
use super::big_bulk::{BIG_BULK_BYTES, BigBulk};
use super::inline;
use super::limits::{ParserLimits, ProtocolError};
use super::number::parse_i64;
use crate::shared::Shared;
use std::sync::Arc;

/// Small arguments of one request must end below this offset, so that every [`Span`] can name them.
const OFFSET_MAX: usize = Span::BIG as usize - 1;

/// A resumable scanner for the requests of one connection. See the module for its contract.
#[derive(Debug, Default)]
pub struct RequestParser {
    limits: ParserLimits,
    stage: Stage,
    /// How far the current request has been scanned, from its first byte still in the buffer.
    pos: usize,
    /// How far beyond `pos` the end of the current line has been looked for.
    line_searched: usize,
    /// Arguments the current request still lacks.
    args_left: usize,
    /// The current request's arguments so far: in the buffer, or (`aside`) in `side` and `bigs`.
    spans: Vec<Span>,
    aside: bool,
    side: Vec<u8>,
    bigs: Vec<Shared>,
    big: Option<BigBulk>,
    /// Bytes of the current request that are no longer in the buffer.
    wire_bytes_gone: u64,
    failed: Option<ProtocolError>,
}

/// What the current request needs next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Its first byte.
    #[default]
    Start,
    /// A line feed: it is an inline request.
    Inline,
    /// The line that says how many arguments.
    Count,
    /// The line that says how long the next argument is.
    Header,
    /// An argument of this length and the two bytes after it.
    Body(usize),
    /// More of a big argument.
    BigBody,
    /// The two bytes after a big argument.
    BigEnd,
}

/// The outcome of scanning one request: all but `More` end at `pos`.
enum Step {
    Whole,
    /// `*0` or an empty line: nothing is answered.
    Nothing,
    More,
    Next,
}

impl RequestParser {
    /// A parser at the beginning of a connection.
    #[must_use]
    pub fn new(limits: ParserLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &ParserLimits {
        &self.limits
    }

    /// The limits, to change them: they hold from the next line that is read.
    pub const fn limits_mut(&mut self) -> &mut ParserLimits {
        &mut self.limits
    }

    /// The big argument that is arriving, if the connection should read into it.
    pub fn big_bulk(&mut self) -> Option<&mut BigBulk> {
        self.big.as_mut().filter(|big| big.missing() > 0)
    }

    /// Whether a request has begun and is not whole yet.
    #[must_use]
    pub fn is_mid_request(&self) -> bool {
        self.stage != Stage::Start
    }

    /// Memory held for the incomplete request, big arguments included (the read buffer is the connection's to count).
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
            + self.side.capacity()
            + self.big.as_ref().map_or(0, BigBulk::capacity)
            + self
                .bigs
                .iter()
                .map(|big| big.capacity() + size_of::<Shared>())
                .sum::<usize>()
    }

    /// Clears `batch`, then takes up to `max_requests` whole requests from `buf` into it. Returns how many bytes of
    /// `buf` are done with (see the module). O(bytes not yet scanned).
    ///
    /// # Errors
    /// What is wrong with the bytes after the requests now in `batch`: those are valid and are to be executed before
    /// the connection tells the client and closes. Every later call fails in the same way.
    pub fn fill(&mut self, buf: &[u8], batch: &mut Batch, max_requests: usize) -> Result<usize, ProtocolError> {
        batch.clear();
        if let Some(error) = self.failed {
            return Err(error);
        }
        let filled = self.fill_unfailed(buf, batch, max_requests);
        self.failed = filled.err();
        filled
    }

    fn fill_unfailed(&mut self, buf: &[u8], batch: &mut Batch, max: usize) -> Result<usize, ProtocolError> {
        let max = if self.limits.authenticated { max } else { max.min(1) };
        let mut base = 0;
        while batch.len() < max {
            let rest = buf.get(base..).unwrap_or_default();
            if self.stage == Stage::Start
                && rest.first() == Some(&b'*')
                && let Some(len) = self.scan_whole(rest, batch)
            {
                batch.end_in_buffer(base, base + len);
                base += len;
                continue;
            }
            match self.resume(rest)? {
                Step::Whole => base = self.end_request(base, batch),
                Step::Nothing => {
                    base += self.pos;
                    self.reset();
                }
                Step::More | Step::Next => {
                    base += self.let_go_of_buffer();
                    break;
                }
            }
        }
        Ok(base)
    }

    /// The fast path: takes the request at the start of `rest` if it is ordinary and all there, and says how long it
    /// is. Otherwise leaves the state before the first argument that is not, for [`resume`](Self::resume).
    fn scan_whole(&mut self, rest: &[u8], batch: &mut Batch) -> Option<usize> {
        let (count, mut pos) = short_number(rest, 1)?;
        if count == 0 || count > self.args_max() || rest.len() > OFFSET_MAX {
            return None;
        }
        let bulk_bytes_max = self.bulk_bytes_max().min(BIG_BULK_BYTES - 1);
        let first_span = batch.spans.len();
        for done in 0..count {
            let Some((span, end)) = short_argument(rest, pos, bulk_bytes_max) else {
                self.spans.extend(batch.spans.drain(first_span..));
                (self.stage, self.pos, self.args_left) = (Stage::Header, pos, count - done);
                return None;
            };
            batch.spans.push(span);
            pos = end;
        }
        Some(pos)
    }

    /// Goes on with the current request, of which `rest` is what is in the buffer, until it ends or the bytes do.
    fn resume(&mut self, rest: &[u8]) -> Result<Step, ProtocolError> {
        loop {
            let step = match self.stage {
                Stage::Start => self.start(rest),
                Stage::Inline => self.inline(rest)?,
                Stage::Count => self.count(rest)?,
                Stage::Header => self.header(rest)?,
                Stage::Body(len) => self.body(rest, len),
                Stage::BigBody => self.big_body(rest)?,
                Stage::BigEnd => self.big_end(rest),
            };
            if !matches!(step, Step::Next) {
                return Ok(step);
            }
        }
    }

    const fn start(&mut self, rest: &[u8]) -> Step {
        self.stage = match rest.first() {
            None => return Step::More,
            Some(b'*') => Stage::Count,
            Some(_) => Stage::Inline,
        };
        Step::Next
    }

    fn inline(&mut self, rest: &[u8]) -> Result<Step, ProtocolError> {
        let Some(end) = self.find(rest, b'\n', ProtocolError::TooBigInline)? else {
            return Ok(Step::More);
        };
        let line = rest.get(self.pos..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        inline::split(line, &mut self.side, &mut self.spans)?;
        self.pos = end + 1;
        self.aside = true;
        if self.spans.len() > self.limits.args_max {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        Ok(if self.spans.is_empty() {
            Step::Nothing
        } else {
            Step::Whole
        })
    }

    fn count(&mut self, rest: &[u8]) -> Result<Step, ProtocolError> {
        let Some(line) = self.line(rest, ProtocolError::TooBigCountString)? else {
            return Ok(Step::More);
        };
        let digits = line.get(1..).unwrap_or_default();
        let count = parse_i64(digits).ok_or(ProtocolError::InvalidMultibulkLength)?;
        let Ok(count) = usize::try_from(count) else {
            return Ok(Step::Nothing);
        };
        if count > self.limits.args_max {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if count > self.args_max() {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        self.args_left = count;
        self.stage = Stage::Header;
        Ok(if count == 0 { Step::Nothing } else { Step::Next })
    }

    fn header(&mut self, rest: &[u8]) -> Result<Step, ProtocolError> {
        let Some(line) = self.line(rest, ProtocolError::TooBigBulkCountString)? else {
            return Ok(Step::More);
        };
        let digits = match line {
            [b'$', digits @ ..] => digits,
            // An empty line: what was there instead is its end.
            _ => return Err(ProtocolError::ExpectedDollar(line.first().copied().unwrap_or(b'\r'))),
        };
        let len = parse_i64(digits)
            .and_then(|len| usize::try_from(len).ok())
            .ok_or(ProtocolError::InvalidBulkLength)?;
        if len > self.limits.bulk_bytes_max {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if len > self.bulk_bytes_max() {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        if len >= BIG_BULK_BYTES {
            self.put_aside(rest);
            self.big = Some(BigBulk::new(len));
            self.stage = Stage::BigBody;
        } else {
            let start = if self.aside { self.side.len() } else { self.pos };
            if start + len > OFFSET_MAX {
                return Err(ProtocolError::TooBigRequest);
            }
            self.stage = Stage::Body(len);
        }
        Ok(Step::Next)
    }

    fn body(&mut self, rest: &[u8], len: usize) -> Step {
        let end = self.pos + len;
        if rest.len() < end + 2 {
            return Step::More;
        }
        let start = if self.aside {
            let start = self.side.len();
            self.side.extend_from_slice(rest.get(self.pos..end).unwrap_or_default());
            start
        } else {
            self.pos
        };
        self.spans.push(span(start, len));
        self.pos = end + 2;
        self.end_argument()
    }

    fn big_body(&mut self, rest: &[u8]) -> Result<Step, ProtocolError> {
        if let Some(big) = &mut self.big {
            self.pos += big.take_from(rest.get(self.pos..).unwrap_or_default())?;
            if big.missing() > 0 {
                return Ok(Step::More);
            }
        }
        self.stage = Stage::BigEnd;
        Ok(Step::Next)
    }

    fn big_end(&mut self, rest: &[u8]) -> Step {
        if rest.len() < self.pos + 2 {
            return Step::More;
        }
        self.pos += 2;
        if let Some(big) = self.big.take() {
            self.wire_bytes_gone += big.direct_bytes() as u64;
            // There cannot be u32::MAX of them: counts are limited far below, and each took 64 KiB.
            self.spans
                .push(Span::big(u32::try_from(self.bigs.len()).unwrap_or(u32::MAX)));
            self.bigs.push(Arc::new(big.into_data()));
        }
        self.end_argument()
    }

    const fn end_argument(&mut self) -> Step {
        self.args_left -= 1;
        self.stage = Stage::Header;
        if self.args_left == 0 { Step::Whole } else { Step::Next }
    }

    /// The line at `pos`, without its end; moves behind it. As in Redis any byte may follow the CR.
    fn line<'a>(&mut self, rest: &'a [u8], endless: ProtocolError) -> Result<Option<&'a [u8]>, ProtocolError> {
        let Some(end) = self.find(rest, b'\r', endless)? else {
            return Ok(None);
        };
        if end + 1 >= rest.len() {
            self.line_searched = end - self.pos;
            return Ok(None);
        }
        let line = rest.get(self.pos..end).unwrap_or_default();
        self.pos = end + 2;
        Ok(Some(line))
    }

    /// Where the line at `pos` ends, searching only what has not been searched.
    fn find(&mut self, rest: &[u8], end: u8, endless: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        let from = self.pos + self.line_searched;
        let until = rest.len().min(self.pos + self.limits.inline_bytes_max + 1);
        let found = rest
            .get(from..until)
            .and_then(|unsearched| memchr::memchr(end, unsearched));
        match found {
            Some(at) => {
                self.line_searched = 0;
                Ok(Some(from + at))
            }
            None if rest.len() > self.pos + self.limits.inline_bytes_max => Err(endless),
            None => {
                self.line_searched = rest.len().saturating_sub(self.pos);
                Ok(None)
            }
        }
    }

    /// Copies the arguments so far out of the buffer: from here on the parser holds the request itself.
    fn put_aside(&mut self, rest: &[u8]) {
        if self.aside {
            return;
        }
        self.aside = true;
        for argument in &mut self.spans {
            let (start, len) = (argument.start as usize, argument.len as usize);
            *argument = span(self.side.len(), len);
            self.side
                .extend_from_slice(rest.get(start..start + len).unwrap_or_default());
        }
    }

    /// At the end of the bytes: how many of them an incomplete request no longer needs.
    const fn let_go_of_buffer(&mut self) -> usize {
        if !self.aside {
            return 0;
        }
        let gone = self.pos;
        self.pos = 0;
        self.wire_bytes_gone += gone as u64;
        gone
    }

    /// Adds the current request, which began at `base`, to the batch; gives where the next one begins.
    fn end_request(&mut self, base: usize, batch: &mut Batch) -> usize {
        let end = base + self.pos;
        if self.aside {
            let wire_bytes = self.wire_bytes_gone + self.pos as u64;
            batch.end_in_side(&mut self.side, &mut self.spans, &mut self.bigs, wire_bytes);
        } else {
            batch.take_spans(&mut self.spans);
            batch.end_in_buffer(base, end);
        }
        self.reset();
        end
    }

    const fn reset(&mut self) {
        self.stage = Stage::Start;
        self.pos = 0;
        self.line_searched = 0;
        self.aside = false;
        self.wire_bytes_gone = 0;
    }

    fn args_max(&self) -> usize {
        let unauthenticated_max = ParserLimits::UNAUTHENTICATED_ARGS_MAX;
        self.limits.args_max.min(if self.limits.authenticated {
            usize::MAX
        } else {
            unauthenticated_max
        })
    }

    fn bulk_bytes_max(&self) -> usize {
        let unauthenticated_max = ParserLimits::UNAUTHENTICATED_BULK_BYTES_MAX;
        self.limits.bulk_bytes_max.min(if self.limits.authenticated {
            usize::MAX
        } else {
            unauthenticated_max
        })
    }
}

/// A span of a request; callers keep `start + len` within [`OFFSET_MAX`].
#[expect(
    clippy::cast_possible_truncation,
    reason = "callers keep both within OFFSET_MAX, which fits"
)]
const fn span(start: usize, len: usize) -> Span {
    debug_assert!(start + len <= OFFSET_MAX);
    Span {
        start: start as u32,
        len: len as u32,
    }
}

/// The argument whose header is at `pos`, if it is all there and no longer than `len_max`; and where the next begins.
#[inline(always)]
fn short_argument(buf: &[u8], pos: usize, len_max: usize) -> Option<(Span, usize)> {
    if buf.get(pos) != Some(&b'$') {
        return None;
    }
    let (len, start) = short_number(buf, pos + 1)?;
    let end = start + len + 2;
    (len <= len_max && end <= buf.len()).then(|| (span(start, len), end))
}

/// The number of up to seven digits at `pos`, if it is well formed and its line has ended; and where the next begins.
#[inline(always)]
fn short_number(buf: &[u8], pos: usize) -> Option<(usize, usize)> {
    let digit = |at: usize| Some(usize::from(buf.get(at)?.wrapping_sub(b'0')));
    let mut value = digit(pos)?;
    if value > 9 {
        return None;
    }
    let mut at = pos + 1;
    loop {
        let next = digit(at)?;
        if next > 9 {
            break;
        }
        if value == 0 || at - pos >= 7 {
            return None;
        }
        value = value * 10 + next;
        at += 1;
    }
    (buf.get(at) == Some(&b'\r') && at + 1 < buf.len()).then_some((value, at + 2))
}
