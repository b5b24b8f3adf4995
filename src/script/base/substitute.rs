//! `string.gsub`.

use super::super::lua::{Buffer, Kind, Next, Raise, Stack, Steps};
use super::super::made::Made;
use super::super::patterns::{BYTES_PER_STEP, Captured, Match, Matcher};
use super::search::{anchored, push_capture, push_captures};

/// `gsub(text, pattern, replacement, count)`, in steps: each ends where a replacement has to be asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Substitution {
    /// What is made, once it has begun.
    made: Option<Buffer>,
    /// How many matches are replaced at most.
    count_max: i64,
    /// Up to where the text is done.
    at: usize,
    done: i64,
    /// The match whose replacement was asked for.
    start: usize,
    end: usize,
}

impl Steps for Substitution {
    fn step(&mut self, stack: &mut Stack<'_>) -> Result<Next, Raise> {
        let (text, pattern) = (stack.check_text(1)?, stack.check_text(2)?);
        let (pattern, is_anchored) = anchored(pattern);
        if self.made.is_none() {
            let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
            self.count_max = super::c_integer(stack, 4, super::c_int_of(len.saturating_add(1)))?;
        }
        let work = Work {
            text,
            pattern,
            is_anchored,
            count_max: self.count_max,
        };
        let kind = stack.kind(3);
        match kind {
            Kind::String | Kind::Number => return work.replace_by_text(stack),
            Kind::Table | Kind::Function => {}
            _ => return Err(Raise::Argument(3, "string/function/table expected".into())),
        }
        let mut made = match self.made {
            None => Buffer::push(stack),
            Some(mut made) => {
                add_replacement(stack, &mut made, text.get(self.start..self.end).unwrap_or_default())?;
                made
            }
        };
        let next = self.ask_for_next(stack, &work, &mut made, kind);
        self.made = Some(made);
        next
    }
}

impl Substitution {
    /// Goes to the next match and asks for its replacement.
    fn ask_for_next(
        &mut self,
        stack: &mut Stack<'_>,
        work: &Work<'_>,
        made: &mut Buffer,
        kind: Kind,
    ) -> Result<Next, Raise> {
        let mut pacer = stack.pacer();
        let mut matcher = Matcher::new(work.text, work.pattern, &mut pacer);
        if self.made.is_some() {
            if self.start == self.end {
                // Nothing was matched: one byte is left as it is.
                let Some(byte) = work.text.get(self.end..=self.end) else {
                    return self.end_with(stack, work, *made);
                };
                made.add(stack, byte)?;
                self.at += 1;
            }
            if work.is_anchored {
                return self.end_with(stack, work, *made);
            }
        }
        if self.done >= work.count_max {
            return self.end_with(stack, work, *made);
        }
        let Some(found) = matcher.find(self.at, work.is_anchored)? else {
            return self.end_with(stack, work, *made);
        };
        made.add(stack, work.text.get(self.at..found.start).unwrap_or_default())?;
        self.done += 1;
        (self.at, self.start, self.end) = (found.end, found.start, found.end);
        if kind == Kind::Function {
            stack
                .reserve(1)
                .map_err(|_| Raise::here("stack overflow (too many captures)"))?;
            stack.push_copy(3);
            let captures = matcher.captures().max(1);
            push_captures(stack, work.text, &matcher, &found, captures).map(Next::Call)
        } else {
            push_capture(stack, work.text, &matcher.captured(0, &found)?)?;
            Ok(Next::Index(3))
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "it is less than 2^53")]
    fn end_with(&self, stack: &mut Stack<'_>, work: &Work<'_>, mut made: Buffer) -> Result<Next, Raise> {
        made.add(stack, work.text.get(self.at..).unwrap_or_default())?;
        made.push_all(stack)?;
        stack.push_number(self.done as f64);
        Ok(Next::Done(2))
    }
}

/// Adds what was asked for, which is on top, or `matched` where that is nothing.
fn add_replacement(stack: &mut Stack<'_>, made: &mut Buffer, matched: &[u8]) -> Result<(), Raise> {
    if !stack.truth(-1) {
        stack.pop(1);
        return made.add(stack, matched);
    }
    if made.add_top(stack)? {
        return Ok(());
    }
    let kind = stack.kind(-1).name();
    Err(Raise::here(format!("invalid replacement value (a {kind})")))
}

/// What is replaced where.
struct Work<'t> {
    text: &'t [u8],
    pattern: &'t [u8],
    is_anchored: bool,
    count_max: i64,
}

impl Work<'_> {
    #[expect(clippy::cast_precision_loss, reason = "it is less than 2^53")]
    fn replace_by_text(&self, stack: &mut Stack<'_>) -> Result<Next, Raise> {
        let replacement = stack.check_text(3)?;
        let mut made = Made::new(stack);
        made.bytes.reserve(self.text.len());
        let mut pacer = stack.pacer();
        let mut matcher = Matcher::new(self.text, self.pattern, &mut pacer);
        let (mut at, mut done) = (0, 0_i64);
        while done < self.count_max {
            let Some(found) = matcher.find(at, self.is_anchored)? else {
                break;
            };
            done += 1;
            made.add(self.text.get(at..found.start).unwrap_or_default())?;
            add_text(&mut made, replacement, (self.text, &found), &matcher)?;
            at = found.end;
            if found.is_empty() {
                let Some(byte) = self.text.get(at..=at) else {
                    break;
                };
                made.add(byte)?;
                at += 1;
            }
            if self.is_anchored {
                break;
            }
            matcher.spend(replacement.len() / BYTES_PER_STEP)?;
        }
        made.add(self.text.get(at..).unwrap_or_default())?;
        stack.push_text(&made.bytes)?;
        stack.push_number(done as f64);
        Ok(Next::Done(2))
    }
}

/// Adds a replacement, in which `%0` is the match, `%1` its first capture, and `%` before any other byte is that byte.
fn add_text(
    made: &mut Made<'_>,
    mut replacement: &[u8],
    (text, found): (&[u8], &Match),
    matcher: &Matcher<'_, '_>,
) -> Result<(), Raise> {
    while let Some(escape) = memchr::memchr(b'%', replacement) {
        let (plain, rest) = replacement.split_at(escape);
        made.add(plain)?;
        let captured = match rest.get(1) {
            Some(b'0') => Captured::Text(found.clone()),
            Some(digit @ b'1'..=b'9') => matcher.captured(usize::from(digit - b'1'), found)?,
            // As in C, a string ends with a NUL.
            other => {
                made.add(&[other.copied().unwrap_or(0)])?;
                replacement = rest.get(2..).unwrap_or_default();
                continue;
            }
        };
        match captured {
            Captured::Text(place) => made.add(text.get(place).unwrap_or_default())?,
            Captured::Position(at) => made.add(itoa::Buffer::new().format(at + 1).as_bytes())?,
        }
        replacement = rest.get(2..).unwrap_or_default();
    }
    made.add(replacement)
}
