//! Messages for a client that has subscribed: they come beside its replies, in whichever state the connection is.
//!
//! **Invariant:** a message stands between whole replies, behind those of the requests that have run.

use super::{Connection, Next, State};
use crate::pubsub::{Delivery, put_message};
use crate::session::Ran;

impl Connection {
    /// Puts a message behind the replies; whether [`send_news`](Self::send_news) is to follow that was not due yet.
    pub fn put_news(&mut self, delivery: &Delivery) -> bool {
        let is_closing = matches!(self.state, State::Closing(_));
        // Nothing of what it has run itself is shown behind the reply to QUIT.
        if is_closing || delivery.is_of_lines() && matches!(self.state, State::Settling(Ran::Close)) {
            return false;
        }
        let hard_bytes = self.output_bytes_max();
        let reply = self.session.reply();
        reply.set_held_bytes_max(hard_bytes);
        put_message(reply, delivery);
        !std::mem::replace(&mut self.has_news, true)
    }

    /// Lines of MONITOR could not be kept until its worker had time for them.
    pub fn close_for_lost_lines(&self) {
        tracing::warn!(
            client = self.handle.id,
            "closing: more lines of MONITOR than the worker can keep"
        );
        self.handle.kill();
    }

    /// Sends messages, unless replies that stand before them may not leave yet; they go with those then.
    pub fn send_news(&mut self) -> Next {
        self.has_news = false;
        if self.handle.is_killed() {
            return Next::End;
        }
        match self.state {
            State::Settling(_) | State::Closing(_) => Next::Rest,
            _ => self.send_or_end(),
        }
    }
}
