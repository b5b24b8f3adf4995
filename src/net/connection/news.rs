//! News for a client: messages of what it has subscribed to, notices about what it caches, lines of MONITOR. They come
//! beside its replies, in whichever state the connection is.
//!
//! **Invariant:** news stand between whole replies, behind those of the requests that have run; a notice of what a
//! blocked command has read stands behind its answer.

use super::{Connection, Next, State};
use crate::pubsub::{Addressee, News, put_lines, put_message, put_notice};
use crate::resp::Reply;
use crate::session::Ran;

impl Connection {
    /// Puts news behind the replies, for the client that is addressed, if any is; whether
    /// [`send_news`](Self::send_news) is to follow that was not due yet.
    pub fn put_news(&mut self, news: &News, addressee: Option<&Addressee>) -> bool {
        let is_another = addressee.is_some_and(|addressee| addressee.client != self.handle.id);
        // Nothing of what it has run itself is shown behind the reply to QUIT, but messages.
        let is_over = matches!(self.state, State::Settling(Ran::Close)) && !matches!(news, News::Message(_));
        if is_another || is_over || self.handle.is_killed() || matches!(self.state, State::Closing(_)) {
            return false;
        }
        if matches!(news, News::Lost) {
            self.close_for("more messages than the worker can keep");
            return false;
        }
        let hard_bytes = self.output_bytes_max();
        let is_early = addressee.is_some_and(|addressee| addressee.behind_answer) && self.handle.caching.is_answered();
        let reply = self.session.reply();
        reply.set_held_bytes_max(hard_bytes);
        if is_early {
            let behind = self.behind_answer.get_or_insert_with(|| Box::new(reply.sibling()));
            put(behind, news, addressee);
            return false;
        }
        put(reply, news, addressee);
        !std::mem::replace(&mut self.has_news, true)
    }

    /// The answer stands: what belongs behind it comes there.
    pub(super) fn release_news(&mut self) {
        if let Some(behind) = self.behind_answer.take() {
            self.session.reply().whatever_is_wanted(|reply| reply.extend(*behind));
        }
    }

    /// Lines of MONITOR could not be kept until its worker had time for them.
    pub fn close_for_lost_lines(&self) {
        self.close_for("more lines of MONITOR than the worker can keep");
    }

    fn close_for(&self, reason: &str) {
        tracing::warn!(client = self.handle.id, "closing: {reason}");
        self.handle.kill();
    }

    /// Sends news, unless replies that stand before them may not leave yet; they go with those then.
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

fn put(reply: &mut Reply, news: &News, addressee: Option<&Addressee>) {
    match news {
        News::Message(message) => put_message(reply, message),
        News::Lines(lines) => put_lines(reply, lines),
        News::Lost => {}
        News::Notice(notice) => {
            let listens = addressee.is_some_and(|addressee| addressee.listens);
            put_notice(reply, notice, listens);
        }
    }
}
