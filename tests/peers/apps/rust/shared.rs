//! What the applications of Rust share: `APP HOST PORT`.
//!
//! Deadlines only guard against hanging; what is checked does not depend on the machine's speed.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

/// Whatever may go wrong here.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

const DEADLINE: Duration = Duration::from_secs(60);

/// The server's URL, for this protocol (2 or 3).
pub fn url(protocol: u8) -> String {
    let arguments: Vec<String> = std::env::args().collect();
    let place = format!("redis://{}:{}", arguments[1], arguments[2]);
    match protocol {
        3 => format!("{place}/?protocol=resp3"),
        _ => place,
    }
}

/// Fails unless `got` is what was wanted.
pub fn check<T: PartialEq + Debug>(what: &str, got: T, wanted: T) {
    assert!(got == wanted, "{what}: wanted {wanted:?}, got {got:?}");
}

/// Tells what has been shown; a section that says nothing has shown nothing.
pub fn checked(application: &str, what: &str) {
    println!("{application}: {what}");
}

/// Fails if it takes too long.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not within {DEADLINE:?}: {what}"),
    }
}

/// Moves a number from one key to another, if there is enough.
pub const TRANSFER: &str = "
    local amount = tonumber(ARGV[1])
    if tonumber(redis.call('GET', KEYS[1])) < amount then return redis.error_reply('POOR too little') end
    redis.call('DECRBY', KEYS[1], amount)
    return redis.call('INCRBY', KEYS[2], amount)";
