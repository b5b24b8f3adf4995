//! What a connection does in the middle of its worker's turn, while a script of the worker keeps everybody out, or the
//! worker waits for one of another: it is answered, mostly that the server is busy.
//!
//! **Invariant:** one that ends meanwhile does nothing more until the turn in which it is taken off.

use std::time::Instant;

use super::{Connection, Next, State};
use crate::net::settling::{Owed, Settled, Verdict, judge};

impl Connection {
    /// Answers what has arrived.
    pub fn serve_meanwhile(&mut self) {
        if self.handle.is_killed() {
            return;
        }
        if self.go_on_meanwhile() == Next::End {
            return self.handle.kill();
        }
        // Whatever is to follow comes in the next turn.
        self.wake_later();
    }

    fn go_on_meanwhile(&mut self) -> Next {
        if matches!(self.state, State::Settling(_)) && self.may_be_shown() && self.settled() == Next::End {
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
            publishes: false,
        };
        let verdict = judge(&self.cx.server, &owed, false, Instant::now());
        matches!(verdict, Verdict::Settled(Settled::Free))
    }
}
