//! The search for a match, step by step, with what is left to try on a stack of its own.
//!
//! **Invariants**
//! - Each item of a pattern is tried in Lua's order, so that captures are the same and errors come where they do.
//! - No step takes longer than its cost says, so that a script can be stopped in the middle of a search.
//! - A frame stands for an item of the pattern, and those above it for later ones: there are never more frames than
//!   items.

use super::super::lua::{Pacer, Raise};
use super::classes::{Bytes, Set, Single};
use smallvec::SmallVec;
use std::ops::Range;

/// Captures of one pattern.
const CAPTURES_MAX: usize = 32;
/// Items of a pattern that have more than one way to match: 8 MiB, as much as Lua, which recurses, has of C's stack.
const FRAMES_MAX: usize = 1 << 18;
/// Sets in brackets that are kept.
const SETS_MAX: usize = 8;
/// Bytes that are looked at before the cost is paid.
const STRETCH_BYTES: usize = 4_096;
/// Bytes that are compared in one step.
pub(in crate::script) const BYTES_PER_STEP: usize = 16;

/// Where in the subject a match is.
pub(in crate::script) type Match = Range<usize>;

/// What a capture has caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::script) enum Captured {
    /// The bytes there.
    Text(Range<usize>),
    /// A place, counted from 0.
    Position(usize),
}

#[derive(Clone, Copy, Debug)]
struct Capture {
    start: usize,
    extent: Extent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Unfinished,
    Position,
    Bytes(usize),
}

/// What to do when the way that was taken leads nowhere. `rest` is where the pattern goes on.
#[derive(Clone, Copy, Debug)]
enum Frame {
    /// `?` has taken a byte; try without.
    Without { at: usize, rest: usize },
    /// `*` or `+` has taken all up to `at`; try with fewer, but not less than up to `least`.
    Fewer { least: usize, at: usize, rest: usize },
    /// `-` after the item has taken all up to `at`; try with one more.
    More { at: usize, item: usize },
    /// A capture was begun.
    Opened,
    /// This one was closed.
    Closed(usize),
}

/// One item of a pattern: a single character, and where what follows it is.
struct Item {
    single: Single,
    end: usize,
}

/// A pattern and the subject in which it is looked for. The pattern has no NUL, and no anchor.
pub(in crate::script) struct Matcher<'t, 'p> {
    subject: &'t [u8],
    pattern: &'t [u8],
    pacer: &'p mut Pacer<'t>,
    captures: SmallVec<[Capture; 4]>,
    frames: SmallVec<[Frame; 8]>,
    /// Sets that were read last, each with where its bracket is.
    sets: SmallVec<[(usize, Set); 2]>,
    /// Which of them was replaced last.
    oldest: usize,
    /// The byte that every match begins with, if that is plain to see.
    first: Option<u8>,
}

impl<'t, 'p> Matcher<'t, 'p> {
    pub(in crate::script) fn new(subject: &'t [u8], pattern: &'t [u8], pacer: &'p mut Pacer<'t>) -> Self {
        Self {
            subject,
            pattern,
            pacer,
            captures: SmallVec::new(),
            frames: SmallVec::new(),
            sets: SmallVec::new(),
            oldest: 0,
            first: first_byte(pattern),
        }
    }

    /// The first match that begins at `from` or later, or only at `from` if it is `anchored`.
    pub(in crate::script) fn find(&mut self, from: usize, is_anchored: bool) -> Result<Option<Match>, Raise> {
        let mut start = from;
        loop {
            if let Some(first) = self.first.filter(|_| !is_anchored) {
                let rest = self.subject.get(start..).unwrap_or_default();
                let skipped = memchr::memchr(first, rest);
                self.pacer.spend(skipped.unwrap_or(rest.len()) / BYTES_PER_STEP)?;
                match skipped {
                    Some(skipped) => start += skipped,
                    None => return Ok(None),
                }
            }
            if let Some(end) = self.match_at(start)? {
                return Ok(Some(start..end));
            }
            if is_anchored || start >= self.subject.len() {
                return Ok(None);
            }
            start += 1;
        }
    }

    /// Counts what is done with a match: see [`Pacer`].
    pub(in crate::script) fn spend(&mut self, steps: usize) -> Result<(), Raise> {
        self.pacer.spend(steps)
    }

    /// How many captures the match has.
    pub(in crate::script) fn captures(&self) -> usize {
        self.captures.len()
    }

    /// What a capture of the last match has caught; without captures, the first is the whole match.
    pub(in crate::script) fn captured(&self, index: usize, whole: &Match) -> Result<Captured, Raise> {
        let Some(capture) = self.captures.get(index) else {
            return match index {
                0 => Ok(Captured::Text(whole.clone())),
                _ => Err(Raise::here("invalid capture index")),
            };
        };
        match capture.extent {
            Extent::Unfinished => Err(Raise::here("unfinished capture")),
            Extent::Position => Ok(Captured::Position(capture.start)),
            Extent::Bytes(bytes) => Ok(Captured::Text(capture.start..capture.start + bytes)),
        }
    }

    /// Where the match that begins at `start` ends.
    fn match_at(&mut self, start: usize) -> Result<Option<usize>, Raise> {
        self.captures.clear();
        self.frames.clear();
        let mut next = Some((start, 0));
        while let Some((at, item)) = next {
            if let Some(end) = self.go_on(at, item)? {
                return Ok(Some(end));
            }
            next = self.turn_back()?;
        }
        Ok(None)
    }

    /// Matches from here until the end of the pattern, or until nothing fits any more.
    fn go_on(&mut self, mut at: usize, mut item: usize) -> Result<Option<usize>, Raise> {
        loop {
            self.pacer.spend(1)?;
            let Some(&byte) = self.pattern.get(item) else {
                return Ok(Some(at));
            };
            let next = match (byte, self.pattern.get(item + 1)) {
                (b'(', after) => Some((at, self.open(at, item, after == Some(&b')'))?)),
                (b')', _) => {
                    self.close(at)?;
                    Some((at, item + 1))
                }
                (b'$', None) => return Ok((at == self.subject.len()).then_some(at)),
                (b'%', Some(b'b')) => self.balanced(at, item + 2)?.map(|end| (end, item + 4)),
                (b'%', Some(b'f')) => self.frontier(at, item + 2)?.map(|end| (at, end)),
                (b'%', Some(digit @ b'0'..=b'9')) => self.repeated(at, *digit)?.map(|end| (end, item + 2)),
                _ => self.single(at, item)?,
            };
            match next {
                Some(next) => (at, item) = next,
                None => return Ok(None),
            }
        }
    }

    /// The next way that is left to try: where in the subject and where in the pattern.
    fn turn_back(&mut self) -> Result<Option<(usize, usize)>, Raise> {
        while let Some(frame) = self.frames.pop() {
            match frame {
                Frame::Without { at, rest } => return Ok(Some((at, rest))),
                Frame::Fewer { least, at, rest } => {
                    let at = at - 1;
                    if at > least {
                        self.frames.push(Frame::Fewer { least, at, rest });
                    }
                    return Ok(Some((at, rest)));
                }
                Frame::More { at, item } => {
                    let Item { single, end } = self.item(item)?;
                    if self.fits(at, single) {
                        self.frames.push(Frame::More { at: at + 1, item });
                        return Ok(Some((at + 1, end + 1)));
                    }
                }
                Frame::Opened => {
                    self.captures.pop();
                }
                Frame::Closed(index) => {
                    if let Some(capture) = self.captures.get_mut(index) {
                        capture.extent = Extent::Unfinished;
                    }
                }
            }
            self.pacer.spend(1)?;
        }
        Ok(None)
    }

    fn push(&mut self, frame: Frame) -> Result<(), Raise> {
        if self.frames.len() >= FRAMES_MAX {
            return Err(Raise::here("pattern too complex"));
        }
        self.frames.push(frame);
        Ok(())
    }

    /// Begins a capture; where the pattern goes on.
    fn open(&mut self, start: usize, item: usize, is_position: bool) -> Result<usize, Raise> {
        if self.captures.len() >= CAPTURES_MAX {
            return Err(Raise::here("too many captures"));
        }
        let (extent, end) = if is_position {
            (Extent::Position, item + 2)
        } else {
            (Extent::Unfinished, item + 1)
        };
        self.captures.push(Capture { start, extent });
        self.push(Frame::Opened)?;
        Ok(end)
    }

    /// Ends the capture that was begun last and has no end yet.
    fn close(&mut self, at: usize) -> Result<(), Raise> {
        let is_open = |capture: &Capture| capture.extent == Extent::Unfinished;
        let open = self.captures.iter().rposition(is_open);
        let index = open.ok_or_else(|| Raise::here("invalid pattern capture"))?;
        if let Some(capture) = self.captures.get_mut(index) {
            capture.extent = Extent::Bytes(at - capture.start);
        }
        self.push(Frame::Closed(index))
    }

    /// `%bxy`: where what begins here is in balance again.
    fn balanced(&mut self, at: usize, item: usize) -> Result<Option<usize>, Raise> {
        let (Some(&open), Some(&close)) = (self.pattern.get(item), self.pattern.get(item + 1)) else {
            return Err(Raise::here("unbalanced pattern"));
        };
        if self.subject.get(at) != Some(&open) {
            return Ok(None);
        }
        let (mut depth, mut start) = (1_usize, at + 1);
        while let Some(rest) = self.subject.get(start..).filter(|rest| !rest.is_empty()) {
            let stretch = rest.get(..STRETCH_BYTES).unwrap_or(rest);
            for (distance, &byte) in stretch.iter().enumerate() {
                if byte == close {
                    depth -= 1;
                    if depth == 0 {
                        self.pacer.spend(distance / 4)?;
                        return Ok(Some(start + distance + 1));
                    }
                } else if byte == open {
                    depth += 1;
                }
            }
            self.pacer.spend(stretch.len() / 4)?;
            start += stretch.len();
        }
        Ok(None)
    }

    /// `%f[set]`: where the pattern goes on, if here a byte of the set follows one that is not of it.
    fn frontier(&mut self, at: usize, item: usize) -> Result<Option<usize>, Raise> {
        if self.pattern.get(item) != Some(&b'[') {
            return Err(Raise::here("missing '[' after '%f' in pattern"));
        }
        let (_, Set { bytes, end }) = self.set(item)?;
        let before = at.checked_sub(1).and_then(|before| self.subject.get(before));
        let [before, after] = [before, self.subject.get(at)].map(|byte| byte.copied().unwrap_or(0));
        Ok((!bytes.has(before) && bytes.has(after)).then_some(end))
    }

    /// `%1` to `%9`: where what is there ends, if it is what the capture has caught.
    fn repeated(&mut self, at: usize, digit: u8) -> Result<Option<usize>, Raise> {
        let index = usize::from(digit).checked_sub(usize::from(b'1'));
        let capture = index.and_then(|index| self.captures.get(index));
        let Some(Capture { start, extent }) = capture.filter(|capture| capture.extent != Extent::Unfinished) else {
            return Err(Raise::here("invalid capture index"));
        };
        let Extent::Bytes(bytes) = *extent else {
            return Ok(None);
        };
        let first = self.subject.get(*start..*start + bytes);
        let is_same = first.is_some() && first == self.subject.get(at..at + bytes);
        self.pacer.spend(bytes / BYTES_PER_STEP)?;
        Ok(is_same.then_some(at + bytes))
    }

    /// A character and how often it may be there: where subject and pattern go on.
    #[inline]
    fn single(&mut self, at: usize, item: usize) -> Result<Option<(usize, usize)>, Raise> {
        let Item { single, end } = self.item(item)?;
        let rest = end + 1;
        match self.pattern.get(end) {
            Some(b'?') => {
                if !self.fits(at, single) {
                    return Ok(Some((at, rest)));
                }
                self.push(Frame::Without { at, rest })?;
                Ok(Some((at + 1, rest)))
            }
            Some(b'*') => self.as_many_as_can_be(at, at, single, rest).map(Some),
            Some(b'+') if self.fits(at, single) => self.as_many_as_can_be(at + 1, at + 1, single, rest).map(Some),
            Some(b'+') => Ok(None),
            Some(b'-') => {
                self.push(Frame::More { at, item })?;
                Ok(Some((at, rest)))
            }
            _ => Ok(self.fits(at, single).then_some((at + 1, end))),
        }
    }

    fn as_many_as_can_be(
        &mut self,
        least: usize,
        mut at: usize,
        single: Single,
        rest: usize,
    ) -> Result<(usize, usize), Raise> {
        while let Some(bytes) = self.subject.get(at..).filter(|bytes| !bytes.is_empty()) {
            let stretch = bytes.get(..STRETCH_BYTES).unwrap_or(bytes);
            let fitting = self.fitting(stretch, single);
            self.pacer.spend(fitting / 4)?;
            at += fitting;
            if fitting < stretch.len() {
                break;
            }
        }
        if at > least {
            self.push(Frame::Fewer { least, at, rest })?;
        }
        Ok((at, rest))
    }

    /// How many bytes of a stretch fit, from its beginning.
    fn fitting(&self, stretch: &[u8], single: Single) -> usize {
        let count = |bytes: &Bytes| stretch.iter().position(|&byte| !bytes.has(byte));
        let end = match single {
            Single::Any => None,
            Single::Byte(only) => stretch.iter().position(|&byte| byte != only),
            Single::Class(class) => count(class),
            Single::Set(kept) => self.sets.get(kept).map_or(Some(0), |(_, set)| count(&set.bytes)),
        };
        end.unwrap_or(stretch.len())
    }

    #[inline]
    fn fits(&self, at: usize, single: Single) -> bool {
        let Some(&byte) = self.subject.get(at) else {
            return false;
        };
        match single {
            Single::Any => true,
            Single::Byte(only) => byte == only,
            Single::Class(class) => class.has(byte),
            Single::Set(kept) => self.sets.get(kept).is_some_and(|(_, set)| set.bytes.has(byte)),
        }
    }

    #[inline]
    fn item(&mut self, item: usize) -> Result<Item, Raise> {
        let (single, end) = match self.pattern.get(item) {
            Some(b'%') => {
                let escaped = self.pattern.get(item + 1);
                let escaped = escaped.ok_or_else(|| Raise::here("malformed pattern (ends with '%')"))?;
                (Single::escaped(*escaped), item + 2)
            }
            Some(b'[') => {
                let (kept, set) = self.set(item)?;
                (Single::Set(kept), set.end)
            }
            Some(b'.') | None => (Single::Any, item + 1),
            Some(&byte) => (Single::Byte(byte), item + 1),
        };
        Ok(Item { single, end })
    }

    /// The set whose bracket is at `item`, and under which number it is kept.
    fn set(&mut self, item: usize) -> Result<(usize, Set), Raise> {
        if let Some(kept) = self.sets.iter().position(|(at, _)| *at == item)
            && let Some((_, set)) = self.sets.get(kept)
        {
            return Ok((kept, *set));
        }
        let Some(set) = Set::read(self.pattern, item) else {
            self.pacer.spend((self.pattern.len() - item) / 4)?;
            return Err(Raise::here("malformed pattern (missing ']')"));
        };
        self.pacer.spend((set.end - item) / 4)?;
        if self.sets.len() < SETS_MAX {
            self.sets.push((item, set));
            return Ok((self.sets.len() - 1, set));
        }
        self.oldest = (self.oldest + 1) % SETS_MAX;
        if let Some(kept) = self.sets.get_mut(self.oldest) {
            *kept = (item, set);
        }
        Ok((self.oldest, set))
    }
}

/// The byte that a match of the pattern has to begin with, where its first item is just that.
fn first_byte(pattern: &[u8]) -> Option<u8> {
    match pattern {
        [b'(' | b')' | b'%' | b'.' | b'[', ..] | [b'$'] | [_, b'?' | b'*' | b'-', ..] => None,
        [byte, ..] => Some(*byte),
        [] => None,
    }
}
