//! Certificates and what else is agreed on, exchanged while the server runs.

use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, SupportedProtocolVersion};

use crate::client::{Secure, TlsConn, Wishes, is_end};
use crate::pki::Authority;
use crate::support::Value;

const FAILED: &str = "ERR CONFIG SET failed (possibly related to argument";

fn certificate(conn: &TlsConn) -> Vec<u8> {
    conn.stream().conn.peer_certificates().unwrap()[0].to_vec()
}

fn set(secure: &Secure, name: &str, value: &str) -> String {
    secure.server.connect().call(&["CONFIG", "SET", name, value]).text()
}

#[test]
fn by_config_set() {
    let secure = Secure::for_all(&[]);
    let mut old = secure.connect();
    let next = secure.authority.server(2);
    std::fs::write(secure.files.path("cert2.pem"), &next.cert_pem).unwrap();
    std::fs::write(secure.files.path("key2.pem"), &next.key_pem).unwrap();
    let path = |name: &str| secure.files.path(name).display().to_string();
    let mut plain = secure.server.connect();
    let pairs = [
        "CONFIG",
        "SET",
        "tls-cert-file",
        &path("cert2.pem"),
        "tls-key-file",
        &path("key2.pem"),
    ];
    assert_eq!(plain.call(&pairs), Value::ok());
    assert_eq!(certificate(&secure.connect()), next.chain[0].to_vec());
    assert_eq!(secure.figure("tls_server_cert_serial"), "02");
    assert_eq!(old.call(&["PING"]).text(), "PONG");

    // One of the two alone does not fit the other.
    let refused = set(&secure, "tls-cert-file", &path("cert.pem"));
    let wanted = format!("{FAILED} 'tls-cert-file') - Unable to update TLS configuration. Check server logs.");
    assert_eq!(refused, wanted);
    assert_eq!(
        set(&secure, "tls-key-file", &path("missing.pem")).split(" - ").count(),
        2
    );
    assert_eq!(
        plain.call(&["CONFIG", "GET", "tls-cert-file"]).items()[1],
        Value::bulk(path("cert2.pem"))
    );
    assert_eq!(certificate(&secure.connect()), next.chain[0].to_vec());
    assert_eq!(secure.figure("tls_last_reload_status"), "ok");
    secure.wait_for_log("CONFIG SET: TLS stays as it was");
}

#[test]
fn when_the_files_change() {
    let secure = Secure::for_all(&[]);
    assert_eq!(secure.figure("tls_reloads"), "1");
    let mut old = secure.connect();
    let next = secure.authority.server(3);
    secure.files.put(&next);
    secure.wait_for("tls_server_cert_serial", |figure| figure == "03");
    assert_eq!(certificate(&secure.connect()), next.chain[0].to_vec());
    assert_eq!(old.call(&["PING"]).text(), "PONG");
    let left: i64 = secure.figure("tls_server_cert_expires_in_seconds").parse().unwrap();
    assert!(left > 70 * 365 * 86_400 && left < 80 * 365 * 86_400, "{left}");

    // A file that is no good, and one that is gone: what was there stays.
    secure.files.write("cert.pem", "not a certificate");
    secure.wait_for("tls_last_reload_status", |figure| figure == "err");
    assert!(
        secure
            .figure("tls_last_reload_error")
            .contains("cert.pem: no certificate")
    );
    secure.wait_for_log("the files have changed and cannot be used");
    assert_eq!(certificate(&secure.connect()), next.chain[0].to_vec());
    std::fs::remove_file(secure.files.path("cert.pem")).unwrap();
    secure.wait_for("tls_last_reload_error", |figure| figure.contains("No such file"));
    secure.serves();
    secure.files.put(&secure.authority.server(4));
    secure.wait_for("tls_server_cert_serial", |figure| figure == "04");
    assert_eq!(secure.figure("tls_last_reload_status"), "ok");
}

#[test]
fn an_authority_that_goes_takes_its_sessions_with_it() {
    let secure = Secure::start(&[]);
    let config = secure.config(
        Some(&secure.client),
        &Wishes {
            resumption: Resumption::in_memory_sessions(10),
            ..Wishes::default()
        },
    );
    let connect = || {
        let mut conn = crate::support::Conn::over(secure.stream(std::sync::Arc::clone(&config)));
        conn.try_call(&["PING"]).map(|_| conn.stream().conn.handshake_kind())
    };
    assert_eq!(connect().unwrap(), Some(HandshakeKind::Full));
    assert_eq!(connect().unwrap(), Some(HandshakeKind::Resumed));
    secure.files.write("ca.pem", &Authority::new("another authority").pem);
    secure.wait_for("tls_reloads", |figure| figure == "2");
    assert!(is_end(&connect().unwrap_err()));
}

#[test]
fn sessions() {
    let secure = Secure::for_all(&[]);
    for version in [&TLS12, &TLS13] {
        let kinds = |count: usize| -> Vec<Option<HandshakeKind>> {
            let config = secure.config(
                None,
                &Wishes {
                    versions: vec![version],
                    resumption: Resumption::in_memory_sessions(10),
                    ..Wishes::default()
                },
            );
            let connect = |_| {
                let mut conn = crate::support::Conn::over(secure.stream(std::sync::Arc::clone(&config)));
                conn.call(&["PING"]);
                conn.stream().conn.handshake_kind()
            };
            (0..count).map(connect).collect()
        };
        let (full, resumed) = (Some(HandshakeKind::Full), Some(HandshakeKind::Resumed));
        assert_eq!(kinds(3), [full, resumed, resumed]);
        for (name, off, on) in [
            ("tls-session-caching", "no", "yes"),
            ("tls-session-cache-timeout", "0", "300"),
        ] {
            assert_eq!(set(&secure, name, off), "OK");
            assert_eq!(kinds(2), [full, full], "{name}");
            assert_eq!(set(&secure, name, on), "OK");
        }
    }
    assert_eq!(secure.figure("tls_handshakes_resumed"), "4");
}

#[test]
fn protocols_and_ciphers() {
    let secure = Secure::for_all(&[]);
    let connect = |version: &'static SupportedProtocolVersion| {
        let wishes = Wishes {
            versions: vec![version],
            ..Wishes::default()
        };
        secure.try_connect(None, &wishes)
    };
    let cipher = |version| {
        let conn: TlsConn = connect(version).unwrap();
        format!("{:?}", conn.stream().conn.negotiated_cipher_suite().unwrap().suite())
    };
    assert_eq!(set(&secure, "tls-ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"), "OK");
    assert_eq!(set(&secure, "tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), "OK");
    assert_eq!(cipher(&TLS12), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    assert_eq!(cipher(&TLS13), "TLS13_CHACHA20_POLY1305_SHA256");
    assert_eq!(set(&secure, "tls-ciphersuites", ""), "OK");
    assert_eq!(set(&secure, "tls-protocols", "TLSv1.3"), "OK");
    assert!(is_end(&connect(&TLS12).unwrap_err()));
    assert!(connect(&TLS13).is_ok());
    assert_eq!(set(&secure, "tls-protocols", "TLSv1.2"), "OK");
    assert!(is_end(&connect(&TLS13).unwrap_err()));
    assert!(connect(&TLS12).is_ok());
    assert_eq!(set(&secure, "tls-prefer-server-ciphers", "yes"), "OK");
    let suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
    assert_eq!(set(&secure, "tls-ciphersuites", suites), "OK");
    assert_eq!(set(&secure, "tls-protocols", ""), "OK");
    assert_eq!(cipher(&TLS13), "TLS13_CHACHA20_POLY1305_SHA256");
}

#[test]
fn what_there_is_not_is_refused_with_the_reason() {
    let secure = Secure::for_all(&[]);
    for (name, value, why) in [
        (
            "tls-dh-params-file",
            "dh.pem",
            "keys are agreed on over elliptic curves only: there are no DH parameters",
        ),
        (
            "tls-key-file-pass",
            "x",
            "encrypted private keys cannot be read: decrypt it, and guard its file",
        ),
        ("tls-client-cert-file", "x", "this server connects to no other one"),
        (
            "tls-protocols",
            "TLSv1.1 TLSv1.2",
            "TLSv1.1 is not safe any more: this server speaks TLSv1.2 and TLSv1.3",
        ),
        (
            "tls-auth-clients",
            "maybe",
            "argument(s) must be one of the following: no, yes, optional",
        ),
        (
            "tls-auth-clients-user",
            "URI",
            "argument(s) must be one of the following: off, CN",
        ),
        ("tls-port", "1", "can't set immutable config"),
        (
            "tls-session-cache-size",
            "-1",
            "argument must be between 0 and 2147483647 inclusive",
        ),
    ] {
        assert_eq!(set(&secure, name, value), format!("{FAILED} '{name}') - {why}"));
    }
    assert_eq!(set(&secure, "tls-key-file-pass", ""), "OK");
    let refused = set(&secure, "tls-ciphers", "HIGH");
    assert!(
        refused.contains("\"HIGH\" is none of: ECDHE-ECDSA-AES256-GCM-SHA384:"),
        "{refused}"
    );
    // An encrypted key is named as one.
    let next = secure.authority.server(5);
    let hidden = next.key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    std::fs::write(secure.files.path("hidden.pem"), hidden).unwrap();
    let path = secure.files.path("hidden.pem").display().to_string();
    assert!(set(&secure, "tls-key-file", &path).contains("Check server logs"));
    secure.wait_for_log("encrypted private keys cannot be read");
    secure.serves();
}
