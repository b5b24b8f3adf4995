//! Writers that keep a pace, whatever the server does.

use super::common::Result;
use super::common::client::Client;
use super::common::stats::Latencies;
use super::data::Data;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections, each with a thread.
const WRITERS: u64 = 4;

/// Writes `rate` times a second for so long.
pub fn run(address: SocketAddr, data: Data, rate: u64, time: Duration) -> Result<Latencies> {
    let gap = Duration::from_secs(1) * WRITERS as u32 / rate.max(1) as u32;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let start = Instant::now() + Duration::from_millis(50) + gap / WRITERS as u32 * writer as u32;
            std::thread::spawn(move || write(address, data, writer, gap, start, start + time))
        })
        .collect();
    let mut all = Vec::new();
    for writer in writers {
        all.extend(writer.join().map_err(|_| "a writer panicked")??);
    }
    Ok(Latencies::of(all))
}

/// The clock of the measurement must not wait for what is measured; without the right to this it may have to.
fn step_forward() {
    // SAFETY: a plain call; 0 is the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, -10);
    }
}

fn write(
    address: SocketAddr,
    data: Data,
    writer: u64,
    gap: Duration,
    start: Instant,
    end: Instant,
) -> Result<Vec<Duration>> {
    step_forward();
    let mut client = Client::connect(address)?;
    let (mut times, mut request) = (Vec::new(), Vec::new());
    let (mut due, mut was_late) = (start, false);
    while due < end {
        let now = Instant::now();
        if now < due {
            std::thread::sleep(due - now);
        }
        let number = times.len() as u64 * WRITERS + writer;
        request.clear();
        data.write(number, &mut request);
        // That the timer was late is this program's affair; that the server was, is not.
        let from = if was_late { due } else { Instant::now() };
        client.send(&request)?;
        client.read_ok()?;
        let done = Instant::now();
        times.push(done - from);
        due += gap;
        was_late = done > due;
    }
    Ok(times)
}
