//! `/metrics`: the names that dashboards for redis_exporter read, and ours for what only this server has.

mod clients;
mod collections;
mod commands;
mod memory;
mod process;
mod redis;
mod scripts;
mod storage;
mod tls;
mod work;

use super::answer::{Answer, answer};
use super::asked::Asked;
use super::exposition::{Exposition, Form};
use crate::state::figures::{ClientFigures, MemoryFigures};
use hyper::StatusCode;

/// Answers with all figures, in the form that the client would like.
pub(super) fn metrics(asked: &Asked<'_>) -> Answer {
    let form = Form::wanted(asked.accept);
    answer(StatusCode::OK, form.content_type(), text(asked, form))
}

fn text(asked: &Asked<'_>, form: Form) -> String {
    let out = &mut Exposition::new(form);
    let server = &**asked.server;
    redis::put(server, out);
    clients::put(&ClientFigures::of(server), out);
    memory::put(&MemoryFigures::of(server), out);
    work::put(server, out);
    scripts::put(server, out);
    commands::put(asked, out);
    storage::put(server, out);
    collections::put(server, out);
    tls::put(server, out);
    process::put(server, out);
    std::mem::replace(out, Exposition::new(form)).into_text()
}
