//! How many clients the process's limit on open files has room for.
//!
//! **Invariant:** what the server itself opens (the log's next segment, a checkpoint's files) is never left to chance:
//! clients get only what is beyond that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::derived::{ADMIN_CLIENTS_MAX, HTTP_CONNECTIONS_MAX};
use super::{check::Conflict, schema::Config};

/// Files of the server itself, counted: the standard streams and a log file (4), locked directories (4), listening
/// sockets and a connection that is being refused (8), what signals come by (3), the log's last segment, its next one
/// and their directory (3), its readers (2), a checkpoint's page file, manifest, control file and directory (4), page
/// files that it takes pages over from or that a restore reads (24), `DISPLAY_WAL`, CONFIG REWRITE and what INFO reads
/// (12).
const OWN_FILES: u64 = 64;
/// The poll of a thread that serves sockets, its second handle, its wake-up, its end of the signals, and its ring.
const FILES_PER_THREAD: u64 = 5;
/// Connections by HTTP, half as many that had to go and are not closed yet, and their thread.
const HTTP_FILES: u64 = HTTP_CONNECTIONS_MAX as u64 * 3 / 2 + FILES_PER_THREAD;

/// How many clients fit, at most as many as the configuration wants; the limit is raised as far as allowed.
pub(super) fn fitting(config: &Config) -> u64 {
    // The thread that accepts connections has a poll of its own.
    let threads = config.serving_threads() as u64 + 1;
    let admins = config.admin_door().map_or(0, |_| ADMIN_CLIENTS_MAX);
    let http = if config.http.port > 0 { HTTP_FILES } else { 0 };
    let own = OWN_FILES + FILES_PER_THREAD * threads + admins + http;
    let wanted = config.server.maxclients.saturating_add(own);
    raised_to(wanted).saturating_sub(own).min(config.server.maxclients)
}

/// Whether the clients that `new` allows fit, where it allows more than `old`.
pub(super) fn check(new: &Config, old: &Config) -> Result<(), Conflict> {
    let fitting = if new.server.maxclients > old.server.maxclients {
        fitting(new)
    } else {
        new.server.maxclients
    };
    if fitting < new.server.maxclients {
        return Err(Conflict {
            key: "server.maxclients".to_owned(),
            reason: format!(
                "The operating system is not able to handle the specified number of clients, try with {fitting}"
            ),
        });
    }
    Ok(())
}

/// The limit, raised to `wanted` if it is lower and that is allowed, else to what is.
fn raised_to(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let is_enough = |current: Option<u64>| current.is_none_or(|current| current >= wanted);
    if !is_enough(limit.current) {
        let raise = |current: u64, maximum: Option<u64>| {
            let current = Some(current);
            setrlimit(Resource::Nofile, Rlimit { current, maximum })
        };
        // A privileged process may raise the hard limit, too.
        if raise(wanted, limit.maximum.map(|maximum| maximum.max(wanted))).is_err() {
            let allowed = limit.maximum.map_or(wanted, |maximum| wanted.min(maximum));
            // Refused: what there is is what there was, which is looked up below.
            let _ = raise(allowed, limit.maximum);
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
