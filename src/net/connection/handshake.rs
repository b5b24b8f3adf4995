//! The beginning of a connection that speaks TLS: it agrees with its client, before anything else and for a bounded
//! time.
//!
//! **Invariants**
//! - A handshake costs more than most requests: a worker takes a step of one as it takes up requests that take long, in
//!   rotation, when all others have been served.
//! - Nothing that the client sends is run before it has been agreed with.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::receive::Received;
use super::{Connection, Next, State};
use crate::engine::worker::unix_ms;
use crate::net::tls::{Fault, STREAM_BYTES, TlsStream};
use crate::tls::{Terms, Tls, Unfinished, common_name};

/// Seconds between two log lines of a kind.
const WARNING_GAP_S: u64 = 1;

/// What a connection has that speaks TLS.
pub(super) struct Secured {
    pub stream: TlsStream,
    names_users: bool,
    /// As long as the handshake is not over.
    unfinished: Option<Unfinished>,
    /// Counted among those that are open.
    counted: Option<Arc<Tls>>,
}

impl Drop for Secured {
    fn drop(&mut self) {
        if let Some(tls) = &self.counted {
            tls.clients.fetch_sub(1, Relaxed);
        }
    }
}

/// A kind of log line that clients can cause.
#[derive(Clone, Copy)]
enum Warning {
    Failed,
    PlainText,
    TlsOnPlainPort,
}

impl Connection {
    /// Begins a handshake on these terms, in this place among those that are not over.
    ///
    /// # Errors
    /// When the library cannot.
    pub(in crate::net) fn secure(&mut self, terms: Terms, place: Unfinished) -> io::Result<()> {
        let timeout_s = self.cx.server.params.config().tls.handshake_timeout_s;
        self.tls = Some(Box::new(Secured {
            stream: TlsStream::new(terms.config)?,
            names_users: terms.names_users,
            unfinished: Some(place),
            counted: None,
        }));
        self.handle.keep(STREAM_BYTES);
        self.state = State::Handshaking(Instant::now() + Duration::from_secs(timeout_s));
        Ok(())
    }

    /// Whether its handshake is not over.
    pub fn is_handshaking(&self) -> bool {
        matches!(self.state, State::Handshaking(_)) && !self.handle.is_killed()
    }

    /// It ends; its handshake, if that was not over, takes no place any more.
    pub(super) fn give_back_handshake(&mut self) {
        if let Some(secured) = &mut self.tls {
            secured.unfinished = None;
        }
    }

    /// There are too many handshakes, and its client is one of those that take their time; its place is another's now.
    pub fn crowd_out(&mut self) -> Option<Unfinished> {
        let tls = &self.cx.server.tls;
        tls.crowded_out.fetch_add(1, Relaxed);
        tls.failed.fetch_add(1, Relaxed);
        self.handle.kill();
        self.tls.as_mut()?.unfinished.take()
    }

    /// Its handshake is not over in time.
    pub(super) fn time_out(&self) -> Next {
        let tls = &self.cx.server.tls;
        tls.timed_out.fetch_add(1, Relaxed);
        tls.failed.fetch_add(1, Relaxed);
        tracing::debug!(client = self.handle.id, "closing: the TLS handshake takes too long");
        Next::End
    }

    /// A step of the handshake, if the client has sent something.
    pub(super) fn shake_hands(&mut self) -> Next {
        if self.is_ending {
            return Next::End;
        }
        let received = match self.receive() {
            Ok(Received::End) => {
                self.cx.server.tls.failed.fetch_add(1, Relaxed);
                return Next::End;
            }
            Ok(received) => received,
            Err(error) => return self.note_failed_handshake(&error),
        };
        let is_over = self.tls.as_ref().is_none_or(|secured| !secured.stream.is_handshaking());
        if !is_over {
            return Next::Rest;
        }
        self.state = State::Reading;
        self.greet();
        match received {
            Received::Bytes => self.begin_work(),
            _ => match self.watch() {
                Ok(()) => Next::Rest,
                Err(error) => self.note_error(&error),
            },
        }
    }

    /// Client and server have agreed.
    fn greet(&mut self) {
        let Some(secured) = &mut self.tls else { return };
        let tls = Arc::clone(&self.cx.server.tls);
        secured.unfinished = None;
        tls.done.fetch_add(1, Relaxed);
        if secured.stream.is_resumed() {
            tls.resumed.fetch_add(1, Relaxed);
        }
        tls.clients.fetch_add(1, Relaxed);
        secured.counted = Some(tls);
        let name = secured
            .stream
            .peer_certificate()
            .filter(|_| secured.names_users)
            .and_then(common_name);
        if let Some(name) = name
            && !self.session.log_in_as(&self.cx.server.acl, name.as_bytes())
        {
            tracing::debug!(client = self.handle.id, name, "the certificate names no user");
        }
    }

    fn note_failed_handshake(&self, error: &io::Error) -> Next {
        self.cx.server.tls.failed.fetch_add(1, Relaxed);
        let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>());
        match fault {
            Some(Fault::PlainText) => self.warn(Warning::PlainText, "closing: plain text on the TLS port"),
            Some(fault) => {
                if self.is_warning_due(Warning::Failed) {
                    let (client, addr) = (self.handle.id, &self.handle.addr);
                    tracing::warn!(client, addr, why = %fault, "closing: the TLS handshake failed");
                }
            }
            None => return self.note_error(error),
        }
        Next::End
    }

    /// Whether what has come first over a plain connection is TLS; the log is told then.
    pub(super) fn begins_tls(&self) -> bool {
        // The first byte of a record of a handshake. No request begins with it.
        let is_tls = self.tls.is_none() && self.buf.first() == Some(&0x16);
        if is_tls {
            self.warn(Warning::TlsOnPlainPort, "closing: TLS on a port without TLS");
        }
        is_tls
    }

    fn warn(&self, kind: Warning, text: &'static str) {
        if self.is_warning_due(kind) {
            tracing::warn!(client = self.handle.id, addr = self.handle.addr, "{text}");
        }
    }

    fn is_warning_due(&self, kind: Warning) -> bool {
        let rarely = self.cx.server.tls.warnings.get(kind as usize);
        rarely.is_some_and(|rarely| rarely.is_due(unix_ms() / 1000, WARNING_GAP_S))
    }

    /// Tells the client that nothing follows, if it can be told at once.
    pub(super) fn say_goodbye(&mut self) {
        if let Some(secured) = &mut self.tls {
            secured.stream.close();
            // It ends either way.
            let _ = self.send();
        }
    }
}
