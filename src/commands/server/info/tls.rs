//! The section about TLS.

use std::sync::atomic::Ordering::Relaxed;

use super::lines::{Lines, View};
use crate::engine::worker::unix_ms;
use crate::tls::Certificate;

/// Nothing is told of while there is no TLS port.
pub(super) fn tls(view: &View<'_>, lines: &mut Lines) {
    let (tls, config) = (&view.server.tls, view.server.params.config());
    lines.put("tls_port", config.tls.port);
    if !config.tls.is_on() {
        return;
    }
    lines.put("tls_connected_clients", tls.clients.load(Relaxed));
    lines.put("tls_handshakes_unfinished", tls.unfinished());
    lines.put("tls_handshakes", tls.done.load(Relaxed));
    lines.put("tls_handshakes_resumed", tls.resumed.load(Relaxed));
    lines.put("tls_handshakes_failed", tls.failed.load(Relaxed));
    lines.put("tls_handshakes_timed_out", tls.timed_out.load(Relaxed));
    lines.put("tls_handshakes_crowded_out", tls.crowded_out.load(Relaxed));
    certificate(lines, "tls_server_cert", tls.certificate());
    certificate(lines, "tls_ca_cert", tls.authority());
    let error = tls.reload_error();
    lines.put("tls_reloads", tls.reloads.load(Relaxed));
    lines.put("tls_last_reload_status", if error.is_some() { "err" } else { "ok" });
    if let Some(error) = error {
        lines.put("tls_last_reload_error", error.replace(['\r', '\n'], " "));
    }
}

/// As Valkey names it.
fn certificate(lines: &mut Lines, name: &str, certificate: Option<Certificate>) {
    if let Some(certificate) = certificate {
        lines.put(&format!("{name}_serial"), &certificate.serial);
        lines.put(
            &format!("{name}_expires_in_seconds"),
            certificate.ends_in_s(unix_ms() / 1000),
        );
    }
}
