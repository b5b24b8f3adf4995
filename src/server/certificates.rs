//! The thread that looks whether the files of TLS have changed, and has new connections get what they have.
//!
//! **Invariant:** it alone reads them without being told to, so a file system that does not answer holds up nothing
//! else.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::state::Server;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Starts the thread. It ends with the server.
///
/// # Errors
/// When it cannot be started.
pub(super) fn watch(server: &Arc<Server>) -> std::io::Result<()> {
    let weak = Arc::downgrade(server);
    let builder = std::thread::Builder::new().name("certificates".to_owned());
    builder.spawn(move || run(&weak)).map(drop)
}

fn run(server: &Weak<Server>) {
    loop {
        std::thread::sleep(INTERVAL);
        let Some(server) = server.upgrade().filter(|server| !server.shutdown.is_requested()) else {
            return;
        };
        server.tls.follow_files();
    }
}
