//! `kill -9` at every named point of durable work (`src/storage/fault_point.rs`), restart, and a look at what is there:
//! all of what was before or all of what was to be, and whatever was acknowledged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

#[path = "server/audience.rs"]
mod audience;
#[path = "faults/backup.rs"]
mod backup;
#[path = "faults/checkpoints.rs"]
mod checkpoints;
#[path = "faults/collections.rs"]
mod collections;
#[path = "faults/converting.rs"]
mod converting;
#[path = "faults/data.rs"]
mod data;
#[path = "faults/offline.rs"]
mod offline;
#[path = "faults/scripts.rs"]
mod scripts;
#[path = "faults/under_load/mod.rs"]
mod under_load;

use support::Conn;

/// How often a point may be passed in one run before the next run need not strike there any more.
const PASSINGS: u64 = 3;

/// Every checkpoint that is listed reads back.
fn verify_checkpoints(conn: &mut Conn, what: &str) {
    for snapshot in conn.call(&["CHECKPOINT", "LIST"]).items() {
        let id = snapshot.items()[1].int().expect("an id").to_string();
        let verified = conn.call(&["CHECKPOINT", "VERIFY", &id]).items();
        assert_eq!(verified[7].items().len(), 0, "{what}: checkpoint {id}: {verified:?}");
    }
}
