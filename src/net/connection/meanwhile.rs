//! What a connection does in the middle of its worker's turn, while a script of the worker keeps everybody out, or the
//! worker waits for one of another: it is answered, mostly that the server is busy.
//!
//! **Invariants**
//! - One that ends meanwhile does nothing more until the turn in which it is taken off.
//! - Nothing is done here that waits for the gate or for a lock on data, which this thread may have: no blocked command
//!   is looked after, or ended.

use std::time::Instant;

use super::{Connection, Next, State};
use crate::net::settling::{Owed, Settled, Verdict, judge};
use crate::session::Ran;

impl Connection {
    /// Answers what has arrived.
    pub fn serve_meanwhile(&mut self) {
        if self.handle.is_killed() {
            return;
        }
        if self.go_on_meanwhile() == Next::End {
            self.give_back_handshake();
            return self.handle.kill();
        }
        // Whatever is to follow comes in the next turn.
        self.wake_later();
    }

    fn go_on_meanwhile(&mut self) -> Next {
        let may_settle = match &self.state {
            // It would be left again where its answer is there already, and that takes the gate.
            State::Settling(Ran::Waiting { .. }) => false,
            State::Settling(_) => self.may_be_shown(),
            _ => false,
        };
        if may_settle && self.settled() == Next::End {
            return Next::End;
        }
        if matches!(self.state, State::Reading | State::Handshaking(_)) {
            // Nobody tells of readiness meanwhile.
            self.is_unread = true;
            if self.go_on() == Next::End {
                return Next::End;
            }
        }
        if matches!(self.state, State::Running) {
            self.has_run_meanwhile = true;
            let ran = self.run_work(None);
            self.state = State::Settling(ran);
            return self.settled();
        }
        Next::Rest
    }

    /// Whether its replies may leave. It has run in the turn that the script is in the middle of: what may be shown of
    /// that need not wait.
    fn may_be_shown(&self) -> bool {
        let owed = Owed {
            depends_on: self.depends_on,
            ..Owed::default()
        };
        let verdict = judge(&self.cx.server, &owed, false, Instant::now());
        matches!(verdict, Verdict::Settled(Settled::Free))
    }
}
