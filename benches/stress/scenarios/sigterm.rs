//! Being told to stop while clients write.

use super::super::common::client::{Client, Reply, encode};
use super::super::common::server::Server;
use super::super::common::{Result, client};
use super::Outcome;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

const WRITERS: usize = 4;
const PIPELINE: usize = 16;
const LIMIT: Duration = Duration::from_secs(10);

/// Each writer counts in a key of its own until the server is gone; after a restart no count may be
/// below what was acknowledged (if the server keeps a log at all).
pub fn run(mut server: Server, duration: Duration) -> Result<Outcome> {
    let address = server.address();
    let writers: Vec<_> = (0..WRITERS)
        .map(|id| std::thread::spawn(move || count_until_gone(address, id)))
        .collect();
    std::thread::sleep(duration.min(Duration::from_secs(2)));
    let peak_bytes = server.resident_peak_bytes()?;
    let (took, status) = server.terminate(LIMIT)?;
    let acknowledged = writers.into_iter().map(join).collect::<Result<Vec<_>>>()?;
    let server = server.restart()?;
    let lost = lost(server.address(), &acknowledged)?;
    let total: i64 = acknowledged.iter().sum();
    let ms = took.as_secs_f64() * 1e3;
    Ok(Outcome {
        latencies: None,
        peak_bytes,
        note: format!("gone after {ms:.0} ms ({status}); {lost} of {total} acknowledged writes lost"),
    })
}

/// The last count the server acknowledged.
fn count_until_gone(address: SocketAddr, id: usize) -> Result<i64> {
    let mut client = Client::connect(address)?;
    let request = encode(&[b"INCR", counter(id).as_bytes()]).repeat(PIPELINE);
    let mut acknowledged = 0;
    loop {
        if client.send(&request).is_err() {
            return Ok(acknowledged);
        }
        for _ in 0..PIPELINE {
            match client.read() {
                Ok(Reply::Integer(count)) => acknowledged = count,
                // Gone, or refusing because it stops.
                Ok(client::Reply::Error(_)) | Err(_) => return Ok(acknowledged),
                Ok(other) => return Err(format!("INCR gave {other:?}").into()),
            }
        }
    }
}

fn join(writer: JoinHandle<Result<i64>>) -> Result<i64> {
    writer.join().map_err(|_| "a writer panicked")?
}

/// How many acknowledged increments the restarted server does not have.
fn lost(address: SocketAddr, acknowledged: &[i64]) -> Result<i64> {
    let mut client = Client::connect(address)?;
    let mut lost = 0;
    for (id, &count) in acknowledged.iter().enumerate() {
        match client.call(&[b"INCRBY", counter(id).as_bytes(), b"0"])? {
            Reply::Integer(kept) => lost += (count - kept).max(0),
            other => return Err(format!("INCRBY gave {other:?}").into()),
        }
    }
    Ok(lost)
}

fn counter(id: usize) -> String {
    format!("counter:{id}")
}
