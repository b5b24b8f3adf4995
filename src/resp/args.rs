//! The argument list of one request, wherever its bytes live.
//!
//! **Invariants**
//! - A [`Span`] whose `start` is [`Span::BIG`] names the big argument number `len`; every other span lies within the
//!   bytes it was made for.
//! - An argument is either small (a span of the bytes) or big (its own allocation), never split over both.

use crate::shared::Shared;
use std::ops::Index;
use std::sync::Arc;

/// What an [`OwnedRequest`] keeps when it is cleared.
const ROOM_BYTES_KEPT: usize = 16 * 1024;

/// Where one argument lies: an offset and a length, or the number of a big argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte, or [`Span::BIG`].
    pub start: u32,
    /// Length in bytes, or the index among the big arguments.
    pub len: u32,
}

impl Span {
    /// The `start` of a span that names a big argument.
    pub const BIG: u32 = u32::MAX;

    /// The span of big argument number `index`.
    pub(super) const fn big(index: u32) -> Self {
        Self {
            start: Self::BIG,
            len: index,
        }
    }
}

/// The argument list of one request. A cheap, copyable view; the command's name is argument 0.
#[derive(Clone, Copy, Default)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
    bigs: &'a [Shared],
}

impl<'a> Args<'a> {
    /// A view of `spans` over `bytes`, with the big arguments in `bigs`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], spans: &'a [Span], bigs: &'a [Shared]) -> Self {
        Self { bytes, spans, bigs }
    }

    /// The number of arguments.
    #[must_use]
    pub const fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument (never so for a whole request, but so for the rest of one).
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `i`, if there are so many.
    #[inline]
    #[must_use]
    pub fn get(self, i: usize) -> Option<&'a [u8]> {
        self.resolve(*self.spans.get(i)?)
    }

    /// Argument `i`, which the arity check has made sure of. Panics when out of range, like a slice.
    #[inline]
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "an index out of range is a bug of the caller, as with a slice"
    )]
    pub fn at(self, i: usize) -> &'a [u8] {
        match self.get(i) {
            Some(arg) => arg,
            None => panic!("argument {i} of {}", self.len()),
        }
    }

    /// Argument `i` as shared bytes: only an argument that was big enough to get its own allocation has them.
    #[must_use]
    pub fn shared(self, i: usize) -> Option<&'a Shared> {
        let span = self.spans.get(i)?;
        if span.start == Span::BIG {
            self.bigs.get(span.len as usize)
        } else {
            None
        }
    }

    /// Bytes that the arguments came in, those of big ones included. O(big arguments).
    #[inline]
    #[must_use]
    pub fn len_bytes(self) -> usize {
        let bigs = self.bigs.iter().map(|big| big.len());
        self.bytes.len().saturating_add(bigs.sum())
    }

    /// Whether an argument with its own allocation has more than `max` bytes; others are far shorter.
    #[inline]
    #[must_use]
    pub fn has_longer_than(self, max: usize) -> bool {
        self.bigs.iter().any(|big| big.len() > max)
    }

    /// All arguments in order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone {
        self.spans
            .iter()
            .map(move |&span| self.resolve(span).unwrap_or_default())
    }

    /// The arguments after the first `n` (none if there are fewer).
    #[must_use]
    pub fn skip(self, n: usize) -> Self {
        Self {
            spans: self.spans.get(n..).unwrap_or_default(),
            ..self
        }
    }

    /// A copy that outlives the read buffer. Copies small arguments, shares big ones. O(bytes of small arguments).
    #[must_use]
    pub fn to_owned(self) -> OwnedRequest {
        let mut owned = OwnedRequest::with_capacity(self.len());
        for i in 0..self.len() {
            match self.shared(i) {
                Some(big) => owned.push_shared(big.clone()),
                None => owned.push(self.get(i).unwrap_or_default()),
            }
        }
        owned
    }

    #[inline]
    fn resolve(self, span: Span) -> Option<&'a [u8]> {
        if span.start == Span::BIG {
            return self.bigs.get(span.len as usize).map(|big| big.as_slice());
        }
        let start = span.start as usize;
        self.bytes.get(start..start + span.len as usize)
    }
}

/// Panics when out of range, like a slice: the arity check comes before.
impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, i: usize) -> &[u8] {
        self.at(i)
    }
}

impl std::fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|arg| arg.escape_ascii().to_string()))
            .finish()
    }
}

/// A request with bytes of its own: what MULTI queues, and what scripts call.
#[derive(Clone, Debug, Default)]
pub struct OwnedRequest {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    bigs: Vec<Shared>,
}

impl OwnedRequest {
    fn with_capacity(args: usize) -> Self {
        Self {
            spans: Vec::with_capacity(args),
            ..Self::default()
        }
    }

    /// A request of these arguments.
    #[must_use]
    pub fn from_slices(args: &[&[u8]]) -> Self {
        let mut owned = Self::with_capacity(args.len());
        for arg in args {
            owned.push(arg);
        }
        owned
    }

    /// Forgets its arguments, and keeps the room of small ones.
    pub fn clear(&mut self) {
        if self.heap_bytes() > ROOM_BYTES_KEPT {
            *self = Self::default();
        } else {
            self.bytes.clear();
            self.spans.clear();
            self.bigs.clear();
        }
    }

    /// Adds an argument by copying it.
    pub fn push(&mut self, arg: &[u8]) {
        match (u32::try_from(self.bytes.len()), u32::try_from(arg.len())) {
            // The end must be below Span::BIG, too, so that no start can be mistaken for it.
            (Ok(start), Ok(len)) if start.checked_add(len).is_some_and(|end| end < Span::BIG) => {
                self.bytes.extend_from_slice(arg);
                self.spans.push(Span { start, len });
            }
            _ => self.push_shared(Arc::new(arg.to_vec())),
        }
    }

    /// Adds an argument by sharing it.
    pub fn push_shared(&mut self, arg: Shared) {
        // More than u32::MAX arguments would need 32 GiB of spans; saturating keeps this total without a panic.
        let index = u32::try_from(self.bigs.len()).unwrap_or(u32::MAX);
        self.spans.push(Span::big(index));
        self.bigs.push(arg);
    }

    /// The arguments.
    #[must_use]
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans, &self.bigs)
    }

    /// Heap memory held, big arguments included.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self
                .bigs
                .iter()
                .map(|big| big.capacity() + size_of::<Shared>())
                .sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_request_gives_back_its_slices() {
        let owned = OwnedRequest::from_slices(&[b"SET", b"key", b""]);
        let args = owned.args();
        assert_eq!(args.len(), 3);
        assert_eq!(&args[0], b"SET");
        assert_eq!(args.get(2), Some(&b""[..]));
        assert_eq!(args.get(3), None);
        assert_eq!(args.skip(1).iter().collect::<Vec<_>>(), [&b"key"[..], b""]);
        assert!(args.skip(3).is_empty() && args.skip(9).is_empty());
    }

    #[test]
    fn to_owned_shares_big_arguments() {
        let big: Shared = Arc::new(vec![7; 100_000]);
        let mut owned = OwnedRequest::from_slices(&[b"SET", b"k"]);
        owned.push_shared(big.clone());
        owned.push(b"NX");
        let copy = owned.args().skip(1).to_owned();
        assert!(Arc::ptr_eq(copy.args().shared(1).unwrap(), &big));
        assert_eq!(copy.args().shared(0), None);
        assert_eq!(copy.args().iter().map(<[u8]>::len).collect::<Vec<_>>(), [1, 100_000, 2]);
        assert!(copy.heap_bytes() >= 100_000);
    }

    #[test]
    #[should_panic(expected = "argument 1 of 1")]
    fn index_out_of_range_panics() {
        let owned = OwnedRequest::from_slices(&[b"PING"]);
        let _ = &owned.args()[1];
    }
}
