//! `/status`: the figures that one looks at first, as JSON.

use hyper::StatusCode;
use serde_json::json;

use super::answer::{Answer, JSON, answer};
use super::asked::Asked;
use super::health::hindrances;
use crate::commands::server::LOKIKV_VERSION;
use crate::state::figures::{ClientFigures, MemoryFigures, WorkFigures, slots};

pub(super) fn status(asked: &Asked<'_>) -> Answer {
    let server = &**asked.server;
    let (memory, work) = (MemoryFigures::of(server), WorkFigures::of(server));
    let (log, checkpoints) = (server.engine.wal().stats(), server.checkpoints.stats());
    let slots = slots(&server.engine);
    // Those of attached collections are of another time.
    let own = slots.iter().filter(|slot| !slot.id.is_attached());
    let keys: u64 = own.map(|slot| slot.collection.sums().keys).sum();
    let hindrances = hindrances(server);
    let status = json!({
        "version": LOKIKV_VERSION,
        "run_id": server.run_id,
        "port": server.port,
        "uptime_s": server.started.elapsed().as_secs(),
        "is_ready": hindrances.is_empty(),
        "hindrances": hindrances,
        "keys": keys,
        "clients": ClientFigures::of(server).connected,
        "memory": {
            "used_bytes": memory.used(),
            "resident_bytes": memory.resident,
            "max_bytes": memory.max,
        },
        "commands": { "total": work.commands, "per_s": work.per_second[0].round() },
        "log": {
            "is_enabled": server.engine.wal().is_enabled(),
            "last_lsn": log.last_lsn.get(),
            "stable_lsn": log.stable_lsn.get(),
            "disk_bytes": log.disk_bytes,
            "pending_bytes": log.pending_bytes,
        },
        "checkpoints": {
            "is_running": checkpoints.running,
            "completed": checkpoints.completed,
            "failed": checkpoints.failed,
            "kept": checkpoints.kept,
            "last_lsn": checkpoints.last.map(|last| last.lsn.get()),
            "last_unix_ms": checkpoints.last.map(|last| last.wall_ms),
        },
    });
    answer(StatusCode::OK, JSON, status.to_string())
}
