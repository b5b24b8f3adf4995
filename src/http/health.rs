//! Answers for probes: whether the process lives, and whether it can do its work.

use hyper::StatusCode;

use super::answer::{Answer, line};
use super::asked::Asked;
use crate::state::{Purpose, Server};

/// `/healthz`: the process answers. Nothing else is looked at: a restart would mend nothing of it.
pub(super) fn alive(_asked: &Asked<'_>) -> Answer {
    line(StatusCode::OK, "alive")
}

/// `/readyz`: whether commands that change data can be served, and if not, why, a line for each reason.
pub(super) fn ready(asked: &Asked<'_>) -> Answer {
    let hindrances = hindrances(asked.server);
    if hindrances.is_empty() {
        line(StatusCode::OK, "ready")
    } else {
        line(StatusCode::SERVICE_UNAVAILABLE, &hindrances.join("\n"))
    }
}

/// What keeps the server from its work, in words. They tell nothing of the data: no login is asked for.
pub(super) fn hindrances(server: &Server) -> Vec<String> {
    let mut found = Vec::new();
    if server.shutdown.is_requested() {
        found.push("the server is ending".to_owned());
    }
    if let Some(now) = server.loading.now() {
        found.push(format!("data is loading: {:.0} %", now.percent()));
    }
    if server.engine.refuses_writes() {
        found.push("the log has failed: writes are refused".to_owned());
    }
    if let Some(room) = server.space.lacking(&[Purpose::Log, Purpose::Checkpoints]) {
        let name = room.purpose.name();
        found.push(format!(
            "the disk of the folder for {name} is almost full: writes are refused"
        ));
    }
    if server.checkpoints.stops_writes() {
        found.push("checkpoints fail and there is no log: writes are refused".to_owned());
    }
    found
}
