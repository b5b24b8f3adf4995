//! `DEBUG RELOAD`: every value that has a form in Redis's format is written in it and read back, for tests that the two
//! agree.
//!
//! **Invariant:** a value is replaced by what was read back in one step; whatever happens in between, none is missing.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::engine::worker::Kit;
use crate::rdb::{self, Reason, RestoreError};

const FAILED: CmdError = CmdError::text("ERR Error trying to load the RDB dump, check server logs.");

/// Writes and reads back all values of all collections, while nobody else runs.
pub(super) fn reload_values(cx: &mut MaintenanceCx<'_>) -> Result<(), CmdError> {
    let engine = Arc::clone(&cx.server.engine);
    cx.worker.with_exclusive(&engine, |kit, pass| {
        let slots = ExclusiveTxn::new(&mut Scope::exclusive(&engine, kit, pass), DatabaseId::DEFAULT).slots();
        for slot in slots {
            for key in keys(&engine, kit, &slot.collection) {
                // A scope for each key, so that no record holds more than one value.
                let mut scope = Scope::exclusive(&engine, kit, pass);
                let mut txn = Txn::new(&mut scope, &slot.collection, true);
                reload(&mut txn, &key).map_err(|why| {
                    tracing::error!("DEBUG RELOAD: key \"{}\": {why}", key.escape_ascii());
                    FAILED
                })?;
            }
        }
        Ok(())
    })
}

fn keys(engine: &Engine, kit: &mut Kit, collection: &Collection) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let mut scope = Scope::visiting(engine, kit);
    KeyspaceTxn::new(&mut scope, collection).for_each(|entry| {
        keys.push(entry.key().to_vec());
        ControlFlow::Continue(())
    });
    keys
}

/// Why a value does not come back from Redis's format.
#[derive(Debug)]
enum NotReloaded {
    /// It has no form in it, or what was read has none here.
    Form(Reason),
    /// What was written cannot be read.
    Read(RestoreError),
}

impl fmt::Display for NotReloaded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(reason) => reason.fmt(out),
            Self::Read(error) => write!(out, "{error:?}"),
        }
    }
}

impl std::error::Error for NotReloaded {}

impl From<Reason> for NotReloaded {
    fn from(reason: Reason) -> Self {
        Self::Form(reason)
    }
}

fn reload(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<(), NotReloaded> {
    let now_ms = txn.now_ms();
    let Some(entry) = txn.peek(key) else { return Ok(()) };
    let (expire_at_ms, access) = (entry.expire_at_ms(), entry.access());
    let object = match rdb::convert::object_of(entry.value(), now_ms) {
        // It has no form in Redis's format, so it stays as it is.
        Err(Reason::Unsupported(_)) => return Ok(()),
        object => object?,
    };
    let reloaded = match object {
        Some(object) => {
            let read = rdb::restore(&rdb::dump(&object)).map_err(NotReloaded::Read)?;
            rdb::convert::stored(read, txn.thresholds(), now_ms)?
        }
        None => None,
    };
    match reloaded {
        Some(stored) => {
            txn.put(key, stored.value(), expire_at_ms);
            txn.set_access(key, access);
        }
        None => {
            txn.delete(key);
        }
    }
    Ok(())
}
