//! Reads the commands of a file, one at a time.
//!
//! **Invariants**
//! - A command is whole or not told of.
//! - Where it begins is known to the byte, for who is told that it cannot be run.

use std::io::{ErrorKind, Read};

use super::error::CommandsError;
use crate::migrate::{MigrateError, Outcome};
use crate::page::value::STRING_BYTES_MAX;
use crate::resp::{Args, Batch, ParserLimits, RequestParser};

const READ_BYTES: usize = 256 * 1024;
/// What is kept of a buffer that had to hold a long command.
const KEPT_BYTES: usize = 4 * READ_BYTES;
/// A remark of more bytes is damage.
const REMARK_BYTES_MAX: usize = 4096;
const TIMESTAMP: &[u8] = b"#TS:";

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A command: [`CommandReader::command`].
    Command,
    /// What follows was run in this second (Unix).
    Time(u64),
    /// The file ends where a command could begin.
    End,
    /// The file ends within a command.
    Torn,
}

/// See the module.
pub struct CommandReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// What is done with of the buffer, and what is filled.
    at: usize,
    end: usize,
    /// Bytes of the file before the buffer's.
    before: u64,
    /// Where in the buffer the bytes lie that the batch is of, and where in the file the command begins.
    slice_at: usize,
    begins: u64,
    parser: RequestParser,
    batch: Batch,
    is_over: bool,
}

impl<R: Read> CommandReader<R> {
    /// Reads `input`, which begins at the byte `offset` of its file.
    pub fn new(input: R, offset: u64) -> Self {
        let limits = ParserLimits {
            args_max: i32::MAX as usize,
            bulk_bytes_max: STRING_BYTES_MAX as usize,
            ..ParserLimits::default()
        };
        Self {
            input,
            buffer: Vec::new(),
            at: 0,
            end: 0,
            before: offset,
            slice_at: 0,
            begins: offset,
            parser: RequestParser::new(limits),
            batch: Batch::new(),
            is_over: false,
        }
    }

    /// Where in the file the command, or what is wrong, begins.
    pub fn begins(&self) -> u64 {
        self.begins
    }

    /// The command that came last.
    pub fn command(&self) -> Args<'_> {
        let (batch, bytes) = self.as_batch();
        batch.args(0, bytes)
    }

    /// The same as a batch, with the bytes that it is of.
    pub fn as_batch(&self) -> (&Batch, &[u8]) {
        (
            &self.batch,
            self.buffer.get(self.slice_at..self.end).unwrap_or_default(),
        )
    }

    /// Reads on.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn read_next(&mut self) -> Outcome<Next> {
        self.begins = self.before + self.at as u64;
        loop {
            let ready = self.buffer.get(self.at..self.end).unwrap_or_default();
            let step = match ready.first() {
                _ if self.parser.is_mid_request() => self.parse()?,
                None => None,
                Some(b'#') => self.remark()?,
                Some(b'*') => self.parse()?,
                Some(_) => return Err(CommandsError::NoCommand(self.begins).into()),
            };
            match step {
                Some(Next::End) => self.begins = self.before + self.at as u64,
                Some(next) => return Ok(next),
                None if self.is_over => return Ok(self.over()),
                None => self.read_more()?,
            }
        }
    }

    fn over(&self) -> Next {
        if self.at == self.end && !self.parser.is_mid_request() {
            Next::End
        } else {
            Next::Torn
        }
    }

    /// Goes on with a command; `None`: it needs more bytes.
    fn parse(&mut self) -> Outcome<Option<Next>> {
        let ready = self.buffer.get(self.at..self.end).unwrap_or_default();
        let used = self.parser.fill(ready, &mut self.batch, 1);
        let used = used.map_err(|why| CommandsError::BadCommand(self.begins, why))?;
        self.slice_at = self.at;
        self.at += used;
        Ok((!self.batch.is_empty()).then_some(Next::Command))
    }

    /// Reads a line that is no command; `End` stands for one that says nothing of the time.
    fn remark(&mut self) -> Outcome<Option<Next>> {
        let ready = self.buffer.get(self.at..self.end).unwrap_or_default();
        let Some(len) = ready.iter().position(|byte| *byte == b'\n') else {
            return match ready.len() > REMARK_BYTES_MAX {
                true => Err(CommandsError::NoCommand(self.begins).into()),
                false => Ok(None),
            };
        };
        let line = ready.get(..len).unwrap_or_default();
        let second = line.strip_prefix(TIMESTAMP).and_then(|digits| {
            let digits = std::str::from_utf8(digits.trim_ascii_end()).ok()?;
            digits.parse().ok()
        });
        self.at += len + 1;
        Ok(Some(second.map_or(Next::End, Next::Time)))
    }

    fn read_more(&mut self) -> Outcome<()> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.before += self.at as u64;
        (self.at, self.end) = (0, self.end - self.at);
        if self.end == 0 && self.buffer.len() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
        if self.buffer.len() < self.end + READ_BYTES {
            let len = (self.end + READ_BYTES).max(self.buffer.len() * 2);
            self.buffer.resize(len, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result.map_err(MigrateError::Read)?,
            }
        };
        self.end += count;
        self.is_over = count == 0;
        Ok(())
    }
}
