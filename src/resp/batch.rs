//! The whole requests found in one look at a read buffer.
//!
//! **Invariants**
//! - A request's spans are relative to the request: to its first byte in the read buffer, or, for a request that was
//!   put together from several reads (inline, or with big arguments), to its first byte in `side`.
//! - Where one request's spans and bigs end, the next one's begin.

use super::args::{Args, Span};
use crate::shared::Shared;

/// What a cleared batch keeps of its capacity: enough for a long pipeline.
const REQUESTS_KEPT: usize = 1024;
const SPANS_KEPT: usize = 4 * 1024;
const SIDE_BYTES_KEPT: usize = 4 * 1024;
/// What a parser keeps of its lists: one per connection, so little.
const PARSER_ITEMS_KEPT: usize = 64;

/// Whole requests, in order. Reused from read to read; one per worker will do, if each read clears it.
#[derive(Debug, Default)]
pub struct Batch {
    requests: Vec<Request>,
    pub(super) spans: Vec<Span>,
    bigs: Vec<Shared>,
    side: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    /// Where its bytes lie, in the read buffer or in `side`.
    start: usize,
    end: usize,
    in_side: bool,
    /// Its share of `spans` ends here, and of `bigs` there.
    spans_end: usize,
    bigs_end: usize,
    wire_bytes: u64,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of requests.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is no request.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Forgets all requests, lets go of big arguments and of capacity out of the ordinary.
    pub fn clear(&mut self) {
        clear_keeping(&mut self.spans, SPANS_KEPT);
        clear_keeping(&mut self.requests, REQUESTS_KEPT);
        clear_keeping(&mut self.side, SIDE_BYTES_KEPT);
        clear_keeping(&mut self.bigs, 0);
    }

    /// The arguments of request `i`; `buf` is the buffer the batch was filled from, unchanged since. No arguments if
    /// there is no request `i`.
    #[inline]
    #[must_use]
    pub fn args<'a>(&'a self, i: usize, buf: &'a [u8]) -> Args<'a> {
        let Some(request) = self.requests.get(i) else {
            return Args::default();
        };
        let (spans_start, bigs_start) = match i.checked_sub(1).and_then(|before| self.requests.get(before)) {
            Some(before) => (before.spans_end, before.bigs_end),
            None => (0, 0),
        };
        let source = if request.in_side { &self.side } else { buf };
        Args::new(
            source.get(request.start..request.end).unwrap_or_default(),
            self.spans.get(spans_start..request.spans_end).unwrap_or_default(),
            self.bigs.get(bigs_start..request.bigs_end).unwrap_or_default(),
        )
    }

    /// The requests from number `at` on, in memory of their own size; the others stay.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        let at = at.min(self.requests.len());
        let (spans_at, bigs_at) = match at.checked_sub(1).and_then(|before| self.requests.get(before)) {
            Some(before) => (before.spans_end, before.bigs_end),
            None => (0, 0),
        };
        let mut requests: Vec<Request> = self.requests.drain(at..).collect();
        let side_at = requests.iter().find(|request| request.in_side);
        let side_at = side_at.map_or(self.side.len(), |request| request.start);
        for request in &mut requests {
            request.spans_end -= spans_at;
            request.bigs_end -= bigs_at;
            if request.in_side {
                request.start -= side_at;
                request.end -= side_at;
            }
        }
        Self {
            requests,
            spans: self.spans.drain(spans_at..).collect(),
            bigs: self.bigs.drain(bigs_at..).collect(),
            side: self.side.drain(side_at..).collect(),
        }
    }

    /// Where in the read buffer the first request that lies there begins.
    #[must_use]
    pub fn start_in_buffer(&self) -> Option<usize> {
        let first = self.requests.iter().find(|request| !request.in_side);
        first.map(|request| request.start)
    }

    /// The first `count` bytes of the read buffer, in which no request lies, have gone.
    pub fn shift(&mut self, count: usize) {
        for request in self.requests.iter_mut().filter(|request| !request.in_side) {
            request.start -= count;
            request.end -= count;
        }
    }

    /// How many bytes request `i` took on the wire.
    #[must_use]
    pub fn request_bytes(&self, i: usize) -> u64 {
        self.requests.get(i).map_or(0, |request| request.wire_bytes)
    }

    /// Memory held, big arguments included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.requests.capacity() * size_of::<Request>()
            + self.spans.capacity() * size_of::<Span>()
            + self.side.capacity()
            + self
                .bigs
                .iter()
                .map(|big| big.capacity() + size_of::<Shared>())
                .sum::<usize>()
    }

    /// Ends a request in the read buffer whose spans are already the last of `spans`.
    #[inline]
    pub(super) fn end_in_buffer(&mut self, start: usize, end: usize) {
        let wire_bytes = (end - start) as u64;
        self.end(start, end, false, wire_bytes);
    }

    /// Adds a request whose bytes were gathered aside. Leaves the three lists empty.
    pub(super) fn end_in_side(
        &mut self,
        side: &mut Vec<u8>,
        spans: &mut Vec<Span>,
        bigs: &mut Vec<Shared>,
        wire_bytes: u64,
    ) {
        let start = self.side.len();
        move_all(side, &mut self.side);
        move_all(spans, &mut self.spans);
        move_all(bigs, &mut self.bigs);
        self.end(start, self.side.len(), true, wire_bytes);
    }

    /// Moves spans found earlier to the end of `spans`.
    pub(super) fn take_spans(&mut self, spans: &mut Vec<Span>) {
        move_all(spans, &mut self.spans);
    }

    #[inline]
    fn end(&mut self, start: usize, end: usize, in_side: bool, wire_bytes: u64) {
        let (spans_end, bigs_end) = (self.spans.len(), self.bigs.len());
        self.requests.push(Request {
            start,
            end,
            in_side,
            spans_end,
            bigs_end,
            wire_bytes,
        });
    }
}

/// Appends `from` to `to` and leaves `from` without capacity if that was large; O(1) if `to` is empty.
fn move_all<T>(from: &mut Vec<T>, to: &mut Vec<T>) {
    if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.append(from);
    }
    clear_keeping(from, PARSER_ITEMS_KEPT);
}

fn clear_keeping<T>(list: &mut Vec<T>, kept: usize) {
    list.clear();
    if list.capacity() > kept {
        list.shrink_to(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{ParserLimits, RequestParser};

    #[test]
    fn what_is_split_off_has_its_arguments_wherever_they_lie() {
        let texts = ["SET a 1", "PING", "GET a", "ECHO b", "DEL a b"];
        let mut buf = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            // Every other request is inline, and so put together aside.
            if number % 2 == 1 {
                buf.extend_from_slice(format!("{text}\r\n").as_bytes());
                continue;
            }
            let words: Vec<&str> = text.split(' ').collect();
            buf.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
            buf.extend(bulks.collect::<String>().into_bytes());
        }
        for at in 0..=texts.len() + 1 {
            let mut batch = Batch::new();
            let taken = RequestParser::new(ParserLimits::default()).fill(&buf, &mut batch, 100);
            assert_eq!((taken, batch.len()), (Ok(buf.len()), texts.len()));
            let mut rest = batch.split_off(at);
            assert_eq!(batch.len(), at.min(texts.len()));
            let gone = rest.start_in_buffer().unwrap_or(buf.len());
            rest.shift(gone);
            let shown = |batch: &Batch, buf: &[u8]| -> Vec<String> {
                let requests = (0..batch.len()).map(|i| batch.args(i, buf));
                let words = requests.map(|args| args.iter().collect::<Vec<_>>().join(&b' '));
                words.map(|text| String::from_utf8(text).unwrap()).collect()
            };
            assert_eq!(shown(&batch, &buf), texts[..at.min(texts.len())]);
            assert_eq!(shown(&rest, &buf[gone..]), texts[at.min(texts.len())..]);
        }
    }
}
