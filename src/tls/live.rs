//! TLS of a running server: what new connections get, how it is exchanged, and what INFO tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;

use super::certificate::Certificate;
use super::context::Context;
use super::error::TlsError;
use super::files::Stamps;
use crate::config::tls::Tls as Settings;
use crate::metrics::rarely::Rarely;

/// See the module.
#[derive(Default)]
pub struct Tls {
    now: RwLock<Option<Arc<Context>>>,
    /// Held while files are read.
    seen: Mutex<Seen>,
    reload_error: Mutex<Option<String>>,
    /// Times that something new came into use.
    pub reloads: AtomicU64,
    /// Handshakes that are not over.
    unfinished: AtomicU64,
    /// Connections that are open and have been greeted.
    pub clients: AtomicU64,
    /// Handshakes that came to an end.
    pub done: AtomicU64,
    /// Of them, those that resumed a session.
    pub resumed: AtomicU64,
    /// Handshakes that failed, for whatever reason: also those counted below.
    pub failed: AtomicU64,
    /// Those that took too long.
    pub timed_out: AtomicU64,
    /// Those given up because there were too many.
    pub crowded_out: AtomicU64,
    /// Log lines about handshakes that failed, about plain text on a TLS port, about TLS on a plain one.
    pub warnings: [Rarely; 3],
}

/// What was read last.
#[derive(Default)]
struct Seen {
    /// As they are in use; the files may have been of no good since.
    settings: Settings,
    /// What the files were, whether they were any good or not.
    stamps: Stamps,
}

/// What a new connection is made with.
pub struct Terms {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// Whether its certificate names its user.
    pub names_users: bool,
}

/// A handshake that is not over, counted until this is dropped.
pub struct Unfinished(Arc<Tls>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.unfinished.fetch_sub(1, Relaxed);
    }
}

impl Tls {
    /// What connections that come from now on are made with; `None`: there is no TLS.
    pub fn terms(&self) -> Option<Terms> {
        let now = self.now.read();
        now.as_ref().map(|context| Terms {
            config: Arc::clone(&context.config),
            names_users: context.names_users,
        })
    }

    /// Counts a handshake, if fewer than `max` are not over.
    pub fn begin(self: &Arc<Self>, max: u64) -> Option<Unfinished> {
        let more = |count: u64| (count < max).then(|| count.saturating_add(1));
        let begun = self.unfinished.fetch_update(Relaxed, Relaxed, more);
        begun.is_ok().then(|| Unfinished(Arc::clone(self)))
    }

    /// How many handshakes are not over.
    pub fn unfinished(&self) -> u64 {
        self.unfinished.load(Relaxed)
    }

    /// Reads the files and uses them from now on.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub fn take_over(&self, settings: &Settings) -> Result<(), TlsError> {
        let mut seen = self.seen.lock();
        let stamps = Stamps::of(settings);
        self.put(Context::build(settings)?);
        *seen = Seen {
            settings: settings.clone(),
            stamps,
        };
        Ok(())
    }

    /// The same, if the files have changed since they were last read.
    pub fn follow_files(&self) {
        let seen = &mut *self.seen.lock();
        let stamps = Stamps::of(&seen.settings);
        if seen.stamps == stamps {
            return;
        }
        seen.stamps = stamps;
        match Context::build(&seen.settings) {
            Ok(context) => {
                self.put(context);
                tracing::info!("TLS: the files have changed; new connections get what they have now");
            }
            Err(error) => {
                tracing::warn!(%error, "TLS: the files have changed and cannot be used; what was in use stays");
                *self.reload_error.lock() = Some(error.to_string());
            }
        }
    }

    fn put(&self, context: Context) {
        *self.now.write() = Some(Arc::new(context));
        *self.reload_error.lock() = None;
        self.reloads.fetch_add(1, Relaxed);
    }

    /// Why the files as they were last seen are not in use; `None`: they are.
    pub fn reload_error(&self) -> Option<String> {
        self.reload_error.lock().clone()
    }

    /// The server's certificate.
    pub fn certificate(&self) -> Option<Certificate> {
        self.now.read().as_ref().and_then(|context| context.certificate.clone())
    }

    /// Of the authorities of clients, the one that ends first.
    pub fn authority(&self) -> Option<Certificate> {
        self.now.read().as_ref().and_then(|context| context.authority.clone())
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        let counts = [
            &self.done,
            &self.resumed,
            &self.failed,
            &self.timed_out,
            &self.crowded_out,
        ];
        counts.into_iter().for_each(|count| count.store(0, Relaxed));
    }
}
