//! One client: what it has sent, what of it has run, what it waits for.

use lokikv::resp::{Batch, ParserLimits, RequestParser};
use lokikv::session::{LateCall, Ran, Session, Waiting};

use crate::bench::Bench;
use crate::replies;

/// Whole requests that have not all run; they lie at the front of what was sent.
struct Work {
    batch: Batch,
    bytes: usize,
    next: usize,
}

/// See the module.
pub struct Client {
    session: Session,
    parser: RequestParser,
    sent: Vec<u8>,
    work: Option<Work>,
    blocked: Option<(Waiting, Option<LateCall>)>,
    /// Requests that have run since the replies were last looked at.
    answered: usize,
    /// It may have said that it wants no replies.
    may_be_mute: bool,
}

impl Client {
    pub fn new(session: Session) -> Self {
        Self {
            session,
            parser: RequestParser::new(ParserLimits::default()),
            sent: Vec::new(),
            work: None,
            blocked: None,
            answered: 0,
            may_be_mute: false,
        }
    }

    /// More bytes arrive.
    pub fn send(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
    }

    /// Runs what can run.
    pub fn go_on(&mut self, bench: &Bench) {
        if self.session.client().handle.is_killed() {
            self.begin_anew(bench);
        }
        while !self.is_blocked(bench) {
            if self.work.is_none() && !self.take_requests(bench) {
                return;
            }
            self.run(bench);
        }
    }

    /// Its connection ends.
    pub fn leave(mut self, bench: &Bench) {
        self.end(bench);
    }

    fn is_blocked(&mut self, bench: &Bench) -> bool {
        let Some((waiting, _)) = &mut self.blocked else {
            return false;
        };
        let polled = bench.within(|context| waiting.as_mut().poll(context));
        let std::task::Poll::Ready(result) = polled else {
            return true;
        };
        let call = self.blocked.take().and_then(|(_, call)| call);
        self.session.reply_late(&bench.cx, call, result);
        self.answered += 1;
        self.check_replies();
        false
    }

    /// Whether there is a whole request.
    fn take_requests(&mut self, bench: &Bench) -> bool {
        let mut batch = Batch::new();
        self.may_be_mute |= self.sent.windows(5).any(|word| word.eq_ignore_ascii_case(b"reply"));
        match self.parser.fill(&self.sent, &mut batch, usize::MAX) {
            Ok(bytes) if !batch.is_empty() => {
                self.work = Some(Work { batch, bytes, next: 0 });
                true
            }
            // A large argument that is announced does not come here.
            Ok(_) if self.parser.big_bulk().is_none() => false,
            Ok(_) | Err(_) => {
                self.begin_anew(bench);
                self.sent.clear();
                false
            }
        }
    }

    fn run(&mut self, bench: &Bench) {
        let Some(mut work) = self.work.take() else { return };
        let before = work.next;
        let ran = bench.within(|_| self.session.run(&bench.cx, &work.batch, &self.sent, before, None));
        bench.cx.worker.borrow_mut().take_dependencies();
        match ran {
            Ran::All => work.next = work.batch.len(),
            // Memory that is waited for comes with time.
            // One client alone never meets a busy script.
            Ran::Full { next } | Ran::Short { next } | Ran::Busy { next } => work.next = next,
            Ran::Paused { next } => {
                let server = &bench.cx.server;
                server.pause.clear(|| server.engine.hold_expiry(0));
                work.next = next;
            }
            Ran::Waiting { next, waiting, call } => {
                work.next = next;
                self.answered += next - before - 1;
                self.check_replies();
                self.blocked = Some((waiting, call));
                self.keep(work);
                return;
            }
            Ran::Close => {
                self.begin_anew(bench);
                self.sent.clear();
                return;
            }
        }
        self.answered += work.next - before;
        self.check_replies();
        self.keep(work);
    }

    fn keep(&mut self, work: Work) {
        if work.next < work.batch.len() {
            self.work = Some(work);
        } else {
            self.sent.drain(..work.bytes);
        }
    }

    fn check_replies(&mut self) {
        let bytes = self.session.reply().to_vec();
        let found = replies::count(&bytes);
        let found = found.unwrap_or_else(|| panic!("malformed: {:?}", String::from_utf8_lossy(&bytes)));
        assert!(
            found == self.answered || self.may_be_mute && found < self.answered,
            "{found} of {}",
            self.answered
        );
        self.session.reply().clear();
        self.answered = 0;
    }

    fn begin_anew(&mut self, bench: &Bench) {
        self.end(bench);
        *self = Self {
            sent: std::mem::take(&mut self.sent),
            ..Self::new(bench.session(self.session.client().handle.id))
        };
    }

    fn end(&mut self, bench: &Bench) {
        // As a connection does: what it waits for goes before what the session holds.
        self.blocked = None;
        self.work = None;
        self.session.end(&bench.cx);
        bench.cx.server.clients.remove(self.session.client().handle.id);
    }
}
