//! The output of a batch: replies written one after the other, ready for one vectored write.
//!
//! **Invariants**
//! - What is announced follows: whoever writes `array(n)` writes `n` replies after it (`map(n)`: `2n`).
//! - No reply text contains CR or LF except its own end: errors and simple strings are cleaned.
//! - Only what has been written as a whole is sent: nothing is drained while a [`Deferred`] or a [`Mark`] is open.
//! - What the client does not want is not written at all: it takes no memory and counts for no limit.

mod bytes;
mod double;
mod segments;
mod text;
#[cfg(test)]
mod wants_tests;

pub use double::{format_double, format_general, format_shortest};
pub use text::DeferredText;

use crate::shared::Shared;
use segments::{Position, Segments, short_header};
use std::io::IoSlice;
use std::ops::Range;

/// Shared values of at least this length are sent from where they are.
const LINK_BYTES: usize = 16 * 1024;

/// The protocol version a client speaks; `HELLO` switches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    /// What every client starts with.
    #[default]
    Resp2,
    /// With types for maps, sets, doubles, booleans, null and pushes.
    Resp3,
}

/// Which replies the client wants: CLIENT REPLY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wants {
    /// All.
    #[default]
    All,
    /// None.
    Nothing,
    /// All but the one to the next request.
    SkipsNext,
    /// All but the one to this request.
    SkipsThis,
}

/// The replies to a batch of requests, written in the client's protocol.
#[derive(Debug, Default)]
pub struct Reply {
    proto: Proto,
    wants: Wants,
    out: Segments,
}

/// A place between two replies, to go back to with [`Reply::truncate`].
#[derive(Clone, Copy, Debug)]
pub struct Mark(Position);

/// An aggregate whose length is not known yet. Finish the innermost first; marks taken inside are void then.
#[derive(Debug)]
#[must_use = "the reply lacks its header until the aggregate is finished"]
pub struct Deferred(Position);

impl Reply {
    /// An empty reply buffer.
    #[must_use]
    pub fn new(proto: Proto) -> Self {
        Self {
            proto,
            wants: Wants::All,
            out: Segments::default(),
        }
    }

    /// An empty buffer for the same client, to be [appended](Self::extend): it gets what is wanted here, as far as
    /// there is room for it here.
    #[must_use]
    pub fn sibling(&self) -> Self {
        let mut sibling = Self::new(self.proto);
        sibling.set_wants(self.wants);
        sibling.set_held_bytes_max(self.out.room_bytes());
        sibling
    }

    /// The protocol that is written.
    #[must_use]
    pub const fn proto(&self) -> Proto {
        self.proto
    }

    /// Switches the protocol of what is written from now on.
    pub const fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    /// Which replies the client wants.
    #[must_use]
    pub const fn wants(&self) -> Wants {
        self.wants
    }

    /// Has what is written from now on sent, or left out.
    pub const fn set_wants(&mut self, wants: Wants) {
        self.wants = wants;
        self.out.set_shut(matches!(wants, Wants::Nothing | Wants::SkipsThis));
    }

    /// Has `write` write what is no reply, and is sent whichever replies are wanted.
    pub fn whatever_is_wanted(&mut self, write: impl FnOnce(&mut Self)) {
        let wants = self.wants;
        self.set_wants(Wants::All);
        write(self);
        self.set_wants(wants);
    }

    /// A request has been answered: the next one is another.
    #[inline]
    pub fn end_request(&mut self) {
        match self.wants {
            Wants::All | Wants::Nothing => {}
            Wants::SkipsNext => self.set_wants(Wants::SkipsThis),
            Wants::SkipsThis => self.set_wants(Wants::All),
        }
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.put(b"+OK\r\n");
    }

    /// A simple string. CR and LF become spaces.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error; `text` begins with its code (`ERR …`) and without `-`. CR and LF become spaces.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// An error whose text quotes bytes of the client that may be no UTF-8.
    pub fn error_bytes(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        match value {
            0 => self.put(b":0\r\n"),
            1 => self.put(b":1\r\n"),
            _ => self.header(b':', value),
        }
    }

    /// A bulk string, copied.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.push_bulk(bytes);
        self.out.settle();
    }

    /// A shared value as a bulk string; a long one is linked, not copied.
    pub fn bulk_shared(&mut self, shared: &Shared) {
        self.bulk_shared_range(shared, 0..shared.len());
    }

    /// A part of a shared value as a bulk string; most of a long value is linked, not copied. What lies beyond the
    /// value's end is left out.
    pub fn bulk_shared_range(&mut self, shared: &Shared, range: Range<usize>) {
        let end = range.end.min(shared.len());
        let range = range.start.min(end)..end;
        // A link keeps the whole value, and counts as what is sent of it: so it has to be at least half.
        if range.len() < LINK_BYTES.max(shared.capacity() / 2) {
            return self.bulk(shared.get(range).unwrap_or_default());
        }
        self.len_header(b'$', range.len());
        self.out.link(shared.clone(), range);
        self.put(b"\r\n");
    }

    /// Parts of shared values as one bulk string of `len` bytes: each with whether it may be linked, as a long one then
    /// is. All that is linked has to be at least half of what the links keep.
    pub fn bulk_parts<'a>(&mut self, len: usize, parts: impl Iterator<Item = (&'a Shared, Range<usize>, bool)>) {
        self.len_header(b'$', len);
        for (shared, range, is_link) in parts {
            if is_link && range.len() >= LINK_BYTES {
                self.out.link(Shared::clone(shared), range);
            } else {
                self.put(shared.get(range).unwrap_or_default());
            }
        }
        self.put(b"\r\n");
    }

    /// A bulk string of the number's digits.
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Null, as the reply of a command that would give a bulk string.
    #[inline]
    pub fn null(&mut self) {
        self.put(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// Null, as the reply of a command that would give an array.
    pub fn null_array(&mut self) {
        self.put(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The header of an array of `n` replies.
    #[inline]
    pub fn array(&mut self, n: usize) {
        self.len_header(b'*', n);
    }

    /// The header of a map of `n` pairs.
    pub fn map(&mut self, n: usize) {
        self.aggregate(Aggregate::Map, n);
    }

    /// The header of a set of `n` replies.
    pub fn set(&mut self, n: usize) {
        self.aggregate(Aggregate::Set, n);
    }

    /// The header of a message of `n` parts that answers no request.
    pub fn push(&mut self, n: usize) {
        self.aggregate(Aggregate::Push, n);
    }

    /// A double, in the fewest digits.
    pub fn double(&mut self, value: f64) {
        self.double_of_digits(&format_double(value));
    }

    /// A double, given by its digits.
    pub fn double_of_digits(&mut self, digits: &str) {
        if self.is_resp3() {
            self.line(b',', digits.as_bytes())
        } else {
            self.bulk(digits.as_bytes())
        }
    }

    /// A truth value.
    pub fn boolean(&mut self, value: bool) {
        self.put(match (self.is_resp3(), value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// A number of any size, given by its digits.
    pub fn big_number(&mut self, digits: &str) {
        self.big_number_bytes(digits.as_bytes());
    }

    /// Begins an array whose length is known only at its end.
    pub fn deferred_array(&mut self) -> Deferred {
        Deferred(self.out.position())
    }

    /// Ends an array of `n` replies.
    pub fn finish_array(&mut self, deferred: Deferred, n: usize) {
        self.finish(deferred, Aggregate::Array, n);
    }

    /// Begins a map whose length is known only at its end.
    pub fn deferred_map(&mut self) -> Deferred {
        self.deferred_array()
    }

    /// Ends a map of `n` pairs.
    pub fn finish_map(&mut self, deferred: Deferred, n: usize) {
        self.finish(deferred, Aggregate::Map, n);
    }

    /// Begins a set whose length is known only at its end.
    pub fn deferred_set(&mut self) -> Deferred {
        self.deferred_array()
    }

    /// Ends a set of `n` replies.
    pub fn finish_set(&mut self, deferred: Deferred, n: usize) {
        self.finish(deferred, Aggregate::Set, n);
    }

    /// The place reached, for [`truncate`](Self::truncate). Valid until something before it is sent or cut off.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.out.position())
    }

    /// Drops all that was written since `mark`.
    pub fn truncate(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// The text of the reply behind `mark`, if that is an error.
    #[must_use]
    pub fn error_behind(&self, mark: Mark) -> Option<&[u8]> {
        let text = self.out.piece_from(mark.0).strip_prefix(b"-")?;
        text.get(..memchr::memchr(b'\r', text)?)
    }

    /// Bytes written and not sent.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.out.len()
    }

    /// Bytes written after `mark`, linked ones included.
    #[inline]
    #[must_use]
    pub fn bytes_since(&self, mark: Mark) -> usize {
        self.out.bytes_since(mark.0)
    }

    /// Memory held, linked values included. O(1).
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.out.held_bytes()
    }

    /// Limits what may be held. Beyond it all replies are dropped, those to come as well, and the client is lost:
    /// [`is_over_limit`](Self::is_over_limit). Judged while replies are written, so that a single one is bounded, too.
    pub const fn set_held_bytes_max(&mut self, held_bytes_max: usize) {
        self.out.set_held_bytes_max(held_bytes_max);
    }

    /// Whether more was held than may be.
    #[must_use]
    pub const fn is_over_limit(&self) -> bool {
        self.out.is_over()
    }

    /// Whether more than `bytes` are held, or were more than may be.
    #[inline]
    #[must_use]
    pub const fn is_full(&self, bytes: usize) -> bool {
        self.out.held_bytes() > bytes || self.out.is_over()
    }

    /// Whether nothing is left to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.out.len() == 0
    }

    /// Appends what another buffer has not sent, in whichever protocol it was written.
    pub fn extend(&mut self, other: Self) {
        self.out.extend(other.out);
    }

    /// Appends bytes that are encoded already.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.put(encoded);
    }

    /// Appends shared bytes that are encoded already; many are linked, not copied.
    pub fn raw_shared(&mut self, encoded: &Shared) {
        if encoded.len() < LINK_BYTES {
            self.put(encoded);
        } else {
            self.out.link(Shared::clone(encoded), 0..encoded.len());
        }
    }

    /// Puts what is to be sent into `out`, from the front, as many chunks as fit; says how many.
    pub fn io_slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        self.out.io_slices(out)
    }

    /// Forgets the first `n` bytes, which have been sent.
    pub fn advance(&mut self, n: usize) {
        self.out.advance(n);
    }

    /// Forgets everything; keeps little capacity.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// All that is to be sent, copied into one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.out.chunks().collect::<Vec<_>>().concat()
    }

    fn is_resp3(&self) -> bool {
        self.proto == Proto::Resp3
    }

    /// Ends a value with `bytes`.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.out.push(bytes);
        self.out.settle();
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(&[kind]);
        let mut rest = text;
        while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
            self.out.push(rest.get(..at).unwrap_or_default());
            self.out.push(b" ");
            rest = rest.get(at + 1..).unwrap_or_default();
        }
        self.out.push(rest);
        self.put(b"\r\n");
    }

    /// `kind`, a length, CR LF; short for the lengths that are common.
    #[inline]
    fn len_header(&mut self, kind: u8, len: usize) {
        match short_header(kind, len) {
            Some((header, bytes)) => self.out.push(header.get(..bytes).unwrap_or_default()),
            None => self.header(kind, len),
        }
    }

    fn header(&mut self, kind: u8, value: impl itoa::Integer) {
        self.out.push(&[kind]);
        self.out.push(itoa::Buffer::new().format(value).as_bytes());
        self.put(b"\r\n");
    }

    fn aggregate(&mut self, aggregate: Aggregate, n: usize) {
        let (kind, n) = aggregate.header(self.proto, n);
        self.len_header(kind, n);
    }

    fn finish(&mut self, deferred: Deferred, aggregate: Aggregate, n: usize) {
        let (kind, n) = aggregate.header(self.proto, n);
        let mut header = Vec::with_capacity(24);
        header.push(kind);
        header.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        header.extend_from_slice(b"\r\n");
        self.out.insert(deferred.0, &header);
    }
}

#[derive(Clone, Copy)]
enum Aggregate {
    Array,
    Map,
    Set,
    Push,
}

impl Aggregate {
    /// What a header announces for `n` elements.
    const fn header(self, proto: Proto, n: usize) -> (u8, usize) {
        match (proto, self) {
            (Proto::Resp3, Self::Map) => (b'%', n),
            (Proto::Resp3, Self::Set) => (b'~', n),
            (Proto::Resp3, Self::Push) => (b'>', n),
            (Proto::Resp2, Self::Map) => (b'*', 2 * n),
            _ => (b'*', n),
        }
    }
}
