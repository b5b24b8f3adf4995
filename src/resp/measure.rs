//! Where a reply ends, told while it comes.
//!
//! **Invariants**
//! - What a reply says of its own length is judged before that much is gathered, and its nesting before it is decoded
//!   by a function that calls itself.
//! - No byte is looked at again but for those of a line that has not ended.

use std::fmt;

use super::number::parse_i64;

const DEPTH_MAX: usize = 32;
const LINE_BYTES_MAX: usize = 64 << 10;
const ELEMENTS_MAX: u64 = 1 << 20;
const LINE_END: &[u8; 2] = b"\r\n";

/// What a reply has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Levels of nesting.
    Depth,
    /// Bytes of a line.
    Line,
    /// Elements of its arrays.
    Elements,
    /// More bytes than this.
    Bytes(usize),
}

impl fmt::Display for Excess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth => write!(out, "a reply is nested deeper than {DEPTH_MAX}"),
            Self::Line => write!(out, "a line of a reply is longer than {LINE_BYTES_MAX} bytes"),
            Self::Elements => write!(out, "a reply has more than {ELEMENTS_MAX} elements"),
            Self::Bytes(max) => write!(out, "a reply is longer than {max} bytes"),
        }
    }
}

impl std::error::Error for Excess {}

/// Why a reply is not to be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Excess(Excess),
    /// A length that is none.
    Length,
}

/// See the module.
#[derive(Debug)]
pub struct Measure {
    /// The reply reaches at least so far, and is known up to there.
    known: usize,
    /// How many elements of each open array are to come, the outermost first.
    open: Vec<u64>,
    elements: u64,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            known: 0,
            open: vec![1],
            elements: 0,
        }
    }
}

impl Measure {
    /// How long the reply is that `bytes` are the beginning of, if it is all there. Each call gives more of the same.
    pub fn advance(&mut self, bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Fault> {
        loop {
            let Some(rest) = bytes.get(self.known..) else {
                return Ok(None);
            };
            while self.open.last() == Some(&0) {
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(Some(self.known));
            }
            let Some(line) = line_of(rest)? else { return Ok(None) };
            self.item(line)?;
            if self.known > bytes_max {
                return Err(Fault::Excess(Excess::Bytes(bytes_max)));
            }
        }
    }

    /// Goes past a line, and past the string that it announces.
    fn item(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.known += line.len() + LINE_END.len();
        let (kind, text) = line.split_first().ok_or(Fault::Length)?;
        // Attributes stand before an element, and are none.
        if *kind != b'|'
            && let Some(left) = self.open.last_mut()
        {
            *left = left.saturating_sub(1);
        }
        match kind {
            b'$' | b'!' | b'=' => {
                if let Some(length) = length(text)? {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    self.known = self.known.saturating_add(length).saturating_add(LINE_END.len());
                }
            }
            b'*' | b'~' | b'>' => self.enter(length(text)?.unwrap_or(0))?,
            b'%' | b'|' => self.enter(length(text)?.unwrap_or(0).saturating_mul(2))?,
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, count: u64) -> Result<(), Fault> {
        self.elements = self.elements.saturating_add(count);
        if self.elements > ELEMENTS_MAX {
            return Err(Fault::Excess(Excess::Elements));
        }
        if self.open.len() > DEPTH_MAX {
            return Err(Fault::Excess(Excess::Depth));
        }
        self.open.push(count);
        Ok(())
    }
}

/// The line up to its end, if that is there.
fn line_of(bytes: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let looked_at = bytes.get(..LINE_BYTES_MAX + LINE_END.len()).unwrap_or(bytes);
    match memchr::memmem::find(looked_at, LINE_END) {
        Some(end) => Ok(looked_at.get(..end)),
        None if bytes.len() >= LINE_BYTES_MAX + LINE_END.len() => Err(Fault::Excess(Excess::Line)),
        None => Ok(None),
    }
}

/// How long something is; `None` for what is not there (-1).
fn length(text: &[u8]) -> Result<Option<u64>, Fault> {
    match parse_i64(text) {
        Some(-1) => Ok(None),
        Some(length) => u64::try_from(length).map(Some).map_err(|_| Fault::Length),
        None => Err(Fault::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1000;

    #[test]
    fn replies_end_where_they_do_however_they_come() {
        for reply in [
            &b"+OK\r\n"[..],
            b":-3\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"*0\r\n",
            b"$0\r\n\r\n",
            b"$4\r\n\r\n*9\r\n",
            b"*3\r\n$1\r\nv\r\n*2\r\n*0\r\n+a\r\n:1\r\n",
            b"%1\r\n+a\r\n~1\r\n_\r\n",
            b"|1\r\n+a\r\n+b\r\n*1\r\n,1.5\r\n",
            b"=5\r\ntxt:x\r\n",
        ] {
            let all = [reply, b"+next\r\n"].concat();
            assert_eq!(
                Measure::default().advance(&all, MAX),
                Ok(Some(reply.len())),
                "{reply:?}"
            );
            let mut measure = Measure::default();
            for end in 0..reply.len() {
                assert_eq!(measure.advance(&reply[..end], MAX), Ok(None), "{reply:?} {end}");
            }
            assert_eq!(measure.advance(reply, MAX), Ok(Some(reply.len())), "{reply:?}");
        }
    }

    #[test]
    fn what_is_too_much_shows_before_it_has_come() {
        let excess = |bytes: &[u8]| Measure::default().advance(bytes, MAX);
        let fault = |excess| Err(Fault::Excess(excess));
        assert_eq!(excess(b"$990\r\n"), Ok(None));
        assert_eq!(excess(b"$1000\r\n"), fault(Excess::Bytes(MAX)));
        assert_eq!(excess(b"*2\r\n$500\r\n"), Ok(None));
        for huge in [
            "$500000000000\r\n",
            "$9223372036854775807\r\n",
            "*2\r\n$-1\r\n=2000\r\n",
        ] {
            assert_eq!(excess(huge.as_bytes()), fault(Excess::Bytes(MAX)), "{huge}");
        }
        for many in [
            "*2147483647\r\n",
            "*9223372036854775807\r\n",
            "%1000000\r\n",
            "*3\r\n*1048576\r\n",
        ] {
            assert_eq!(excess(many.as_bytes()), fault(Excess::Elements), "{many}");
        }
        assert_eq!(excess("*1\r\n".repeat(32).as_bytes()), Ok(None));
        assert_eq!(excess("*1\r\n".repeat(33).as_bytes()), fault(Excess::Depth));
        assert_eq!(excess("|1\r\n".repeat(33).as_bytes()), fault(Excess::Depth));
        assert_eq!(excess(&b"+".repeat(LINE_BYTES_MAX + 1)), Ok(None));
        assert_eq!(excess(&b"+".repeat(LINE_BYTES_MAX + 2)), fault(Excess::Line));
        for none in ["$-2\r\n", "*x\r\n", "$\r\n", "\r\n", "$?\r\n"] {
            assert_eq!(excess(none.as_bytes()), Err(Fault::Length), "{none}");
        }
    }
}
