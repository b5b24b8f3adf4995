//! A host that answers what the input says: replies of all kinds, nested, and now and then that the script is to stop.

use lokikv::resp::{Args, Proto, Reply};
use lokikv::script::{Host, LogLevel, Stop};

/// Calls, and questions whether it may go on, of one script.
const CALLS_MAX: u32 = 200;
const QUESTIONS_MAX: u32 = 300;
const DEPTH_MAX: u32 = 6;

pub struct StubHost<'d> {
    answers: &'d [u8],
    calls: u32,
    questions: u32,
}

impl<'d> StubHost<'d> {
    pub fn new(answers: &'d [u8]) -> Self {
        Self {
            answers,
            calls: 0,
            questions: 0,
        }
    }

    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.answers.split_first() else {
            return 0;
        };
        self.answers = rest;
        byte
    }

    fn text(&mut self) -> &'d [u8] {
        let len = usize::from(self.byte() % 32).min(self.answers.len());
        let (text, rest) = self.answers.split_at(len);
        self.answers = rest;
        text
    }

    fn answer(&mut self, reply: &mut Reply, depth: u32) {
        let is_3 = reply.proto() == Proto::Resp3;
        match self.byte() % 16 {
            0 => reply.ok(),
            1 => reply.null(),
            2 => reply.null_array(),
            3 => reply.int(i64::from(self.byte()) << (self.byte() % 56)),
            4 => reply.double(f64::from(self.byte()) * 1e300),
            5 => reply.boolean(self.byte() % 2 == 0),
            6 => reply.error_bytes(self.text()),
            7 => reply.simple_bytes(self.text()),
            8 if is_3 => reply.big_number_bytes(b"123456789012345678901234567890"),
            9 => reply.verbatim_bytes(b"txt", self.text()),
            10..13 if depth < DEPTH_MAX => {
                let count = usize::from(self.byte() % 5);
                reply.array(count);
                (0..count).for_each(|_| self.answer(reply, depth + 1));
            }
            13 if depth < DEPTH_MAX => {
                let count = usize::from(self.byte() % 4);
                reply.map(count);
                (0..2 * count).for_each(|_| self.answer(reply, depth + 1));
            }
            14 if depth < DEPTH_MAX => {
                let count = usize::from(self.byte() % 4);
                reply.set(count);
                (0..count).for_each(|_| self.answer(reply, depth + 1));
            }
            _ => reply.bulk(self.text()),
        }
    }
}

impl Host for StubHost<'_> {
    fn call(&mut self, _: Args<'_>, reply: &mut Reply) -> Result<(), Stop> {
        self.calls += 1;
        if self.calls > CALLS_MAX || self.byte() == 0xff {
            return Err(Stop);
        }
        self.answer(reply, 0);
        Ok(())
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn acl_check(&mut self, args: Args<'_>) -> Option<bool> {
        (!args.is_empty()).then(|| self.byte() % 2 == 0)
    }

    fn interrupt(&mut self) -> Result<(), Stop> {
        self.questions += 1;
        if self.questions > QUESTIONS_MAX {
            Err(Stop)
        } else {
            Ok(())
        }
    }
}
