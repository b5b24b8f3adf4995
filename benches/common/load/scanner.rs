//! Counts replies in a stream of bytes, keeps none of them.
//!
//! **Invariant**: a reply counts once its last byte was seen, wherever the stream was cut.

const ERROR_BYTES_MAX: usize = 200;

/// One connection's place within its stream of replies.
#[derive(Debug)]
pub struct Scanner {
    state: State,
    /// Replies still to come before the outermost one is whole.
    open: u64,
    error: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Kind,
    /// The rest of a line that does not matter, or of an error.
    Line {
        error: bool,
    },
    /// The length of a bulk string or an array.
    Length {
        array: bool,
        nil: bool,
        value: u64,
    },
    /// Bytes to skip, the line's end included.
    Body(u64),
}

impl Scanner {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self {
            state: State::Kind,
            open: 1,
            error: Vec::new(),
        }
    }

    /// The first error reply, if there was one.
    pub fn error(&self) -> Option<String> {
        (!self.error.is_empty()).then(|| String::from_utf8_lossy(&self.error).trim_end().to_owned())
    }

    /// How many replies these bytes complete.
    pub fn scan(&mut self, bytes: &[u8]) -> u64 {
        let mut rest = bytes;
        let mut whole = 0;
        while let Some((&byte, tail)) = rest.split_first() {
            if let State::Body(left) = self.state {
                let taken = left.min(rest.len() as u64);
                rest = usize::try_from(taken).map_or(&[], |taken| rest.get(taken..).unwrap_or_default());
                self.state = State::Body(left - taken);
                whole += if left == taken { self.close(0) } else { 0 };
                continue;
            }
            rest = tail;
            whole += self.step(byte);
        }
        whole
    }

    /// Takes one byte of a line; 1 if it completes a reply.
    fn step(&mut self, byte: u8) -> u64 {
        match (&mut self.state, byte) {
            (State::Kind, kind) => {
                self.state = match kind {
                    b'$' | b'*' => State::Length {
                        array: kind == b'*',
                        nil: false,
                        value: 0,
                    },
                    _ => State::Line {
                        error: kind == b'-' && self.error.is_empty(),
                    },
                };
                0
            }
            (State::Line { .. }, b'\n') => self.close(0),
            (State::Line { error }, byte) => {
                if *error && self.error.len() < ERROR_BYTES_MAX {
                    self.error.push(byte);
                }
                0
            }
            (&mut State::Length { array, nil, value }, b'\n') => match (array, nil) {
                (_, true) => self.close(0),
                (true, false) => self.close(value),
                (false, false) => {
                    self.state = State::Body(value + 2);
                    0
                }
            },
            (State::Length { nil, value, .. }, byte) => {
                *nil |= byte == b'-';
                if byte.is_ascii_digit() {
                    *value = *value * 10 + u64::from(byte - b'0');
                }
                0
            }
            (State::Body(_), _) => 0,
        }
    }

    /// One reply is over, but for `inner` ones in it.
    fn close(&mut self, inner: u64) -> u64 {
        self.state = State::Kind;
        self.open = self.open - 1 + inner;
        if self.open > 0 {
            return 0;
        }
        self.open = 1;
        1
    }
}
