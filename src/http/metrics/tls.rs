//! TLS, where there is a port for it.

use std::sync::atomic::Ordering::Relaxed;

use super::super::exposition::{Exposition, Rows};
use crate::engine::worker::unix_ms;
use crate::state::Server;
use crate::tls::Tls;

const COUNTS: &Rows<Tls> = &[
    ("lokikv_tls_handshakes_total", "Handshakes done", |tls| {
        tls.done.load(Relaxed)
    }),
    (
        "lokikv_tls_handshakes_resumed_total",
        "Those that resumed a session",
        |tls| tls.resumed.load(Relaxed),
    ),
    ("lokikv_tls_handshakes_failed_total", "Handshakes that failed", |tls| {
        tls.failed.load(Relaxed)
    }),
    (
        "lokikv_tls_handshakes_timed_out_total",
        "Those that took too long",
        |tls| tls.timed_out.load(Relaxed),
    ),
    (
        "lokikv_tls_handshakes_crowded_out_total",
        "Those for which there was no room",
        |tls| tls.crowded_out.load(Relaxed),
    ),
    ("lokikv_tls_reloads_total", "How often files were read again", |tls| {
        tls.reloads.load(Relaxed)
    }),
];

pub(super) fn put(server: &Server, out: &mut Exposition) {
    let tls = &*server.tls;
    if !server.params.config().tls.is_on() {
        return;
    }
    out.gauge(
        "lokikv_tls_connected_clients",
        "Clients over TLS",
        tls.clients.load(Relaxed),
    );
    out.gauge(
        "lokikv_tls_handshakes_unfinished",
        "Handshakes under way",
        tls.unfinished(),
    );
    out.count_each(COUNTS, tls);
    let is_failing = tls.reload_error().is_some();
    out.gauge(
        "lokikv_tls_reload_failing",
        "What is in the files cannot be used",
        is_failing,
    );
    let now_s = unix_ms() / 1000;
    let certificates = [("server", tls.certificate()), ("ca", tls.authority())];
    let mut ends = out.gauges("lokikv_tls_certificate_expires_in_seconds", "How long it is valid yet");
    for (which, certificate) in certificates {
        if let Some(certificate) = certificate {
            ends.put(&[("certificate", which)], certificate.ends_in_s(now_s));
        }
    }
}
