//! What a running script asks of the server. Scripts know nothing of sessions or the engine: they know a [`Host`].

use crate::resp::{Args, Reply};

/// The script may not go on, for good: it is killed, or has to start again elsewhere. The host knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// How important a message of a script's is: `redis.LOG_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// `redis.LOG_DEBUG`
    Debug,
    /// `redis.LOG_VERBOSE`
    Verbose,
    /// `redis.LOG_NOTICE`
    Notice,
    /// `redis.LOG_WARNING`
    Warning,
}

impl LogLevel {
    /// Writes a line to the server's log.
    pub(super) fn log(self, message: &[u8]) {
        let message = String::from_utf8_lossy(message);
        match self {
            Self::Debug | Self::Verbose => tracing::debug!(target: "script", "{message}"),
            Self::Notice => tracing::info!(target: "script", "{message}"),
            Self::Warning => tracing::warn!(target: "script", "{message}"),
        }
    }
}

/// The server, as a script sees it.
pub trait Host {
    /// Runs a command for `redis.call` or `redis.pcall`. Its one reply goes into `reply`, which is empty and has the
    /// protocol that the script has chosen; an error is a reply like any other.
    ///
    /// # Errors
    /// [`Stop`] ends the script.
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), Stop>;

    /// Writes a line to the server's log.
    fn log(&mut self, level: LogLevel, message: &[u8]) {
        level.log(message);
    }

    /// Whether the user may run this command; `None`: there is no such command.
    fn acl_check(&mut self, args: Args<'_>) -> Option<bool>;

    /// Asked now and then once the script has been [interrupted](super::Interrupter::arm): may it go on?
    ///
    /// # Errors
    /// [`Stop`] ends the script.
    fn interrupt(&mut self) -> Result<(), Stop>;
}
