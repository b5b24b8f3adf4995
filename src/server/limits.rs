//! The process's limit on open files, raised to what `maxclients` needs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors the server itself needs: listeners, WAL and checkpoint files, epoll.
const OWN_FILES: u64 = 64;

/// Raises the limit as far as allowed; returns how many clients then fit.
pub fn raise_open_files(clients: u64) -> u64 {
    let wanted = clients.saturating_add(OWN_FILES);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return clients;
    }
    let granted = limit.maximum.map_or(wanted, |maximum| wanted.min(maximum));
    // A privileged process may raise the hard limit too.
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted),
            maximum: limit.maximum.max(Some(wanted)),
        },
    )
    .or_else(|_| {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(granted),
                maximum: limit.maximum,
            },
        )
    });
    let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if raised.is_err() || current < wanted {
        return current.saturating_sub(OWN_FILES).min(clients);
    }
    clients
}
