//! Asks for one checkpoint after another.

use super::common::Result;
use super::common::client::Client;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often Redis is asked whether it has saved.
const POLL: Duration = Duration::from_millis(20);

/// A running saver.
pub struct Saver {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64>>,
}

impl Saver {
    /// Connects and begins.
    pub fn start(address: SocketAddr, is_redis: bool) -> Result<Self> {
        let mut client = Client::connect(address)?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut saved = 0;
            while !seen.load(Ordering::Relaxed) {
                if is_redis {
                    save_in_background(&mut client)?;
                } else {
                    client.call(&[b"CHECKPOINT"])?;
                }
                saved += 1;
            }
            Ok(saved)
        });
        Ok(Self { stop, thread })
    }

    /// Ends it when the checkpoint that runs is complete: how many there were.
    pub fn finish(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the saver panicked")?
    }
}

fn save_in_background(client: &mut Client) -> Result<()> {
    let before = client.call(&[b"LASTSAVE"])?;
    // The time of the last one has seconds only: the next must end in another.
    std::thread::sleep(Duration::from_secs(1));
    client.call(&[b"BGSAVE"])?;
    while client.call(&[b"LASTSAVE"])? == before {
        std::thread::sleep(POLL);
    }
    Ok(())
}
