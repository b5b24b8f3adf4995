//! `tls.*`. How certificates are exchanged, and what is refused, is tested in `tests/tls`.

use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, SupportedProtocolVersion};

use super::{Effect, set};
use crate::client::{Secure, Wishes, read_to_close};
use crate::pki::{Authority, Identity, Odd};
use crate::support::{Conn, Value};

pub const EFFECTS: &[Effect] = &[
    ("tls.cert_file", identity),
    ("tls.key_file", identity),
    ("tls.ca_file", authority),
    ("tls.ca_dir", authorities),
    ("tls.auth_clients", strangers),
    ("tls.auth_clients_user", user),
    ("tls.protocols", protocols),
    ("tls.ciphers", ciphers),
    ("tls.ciphersuites", ciphers),
    ("tls.prefer_server_ciphers", order),
    ("tls.session_caching", sessions),
    ("tls.session_cache_size", sessions_kept),
    ("tls.session_cache_timeout_s", sessions_for_a_time),
    ("tls.handshake_timeout_s", slow_handshakes),
    ("tls.handshakes_max", many_handshakes),
];

fn write(secure: &Secure, name: &str, text: &str) -> String {
    let path = secure.files.path(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn identity() {
    let secure = Secure::for_all(&[]);
    let next = secure.authority.server(2);
    let (cert, key) = (
        write(&secure, "b.crt", &next.cert_pem),
        write(&secure, "b.key", &next.key_pem),
    );
    let pairs = ["CONFIG", "SET", "tls-cert-file", &cert, "tls-key-file", &key];
    assert_eq!(secure.server.connect().call(&pairs), Value::ok());
    let conn = secure.connect();
    assert_eq!(conn.stream().conn.peer_certificates().unwrap()[0], next.chain[0]);
}

fn authority() {
    let secure = Secure::start(&[]);
    let other = Authority::new("another authority");
    let path = write(&secure, "other.crt", &other.pem);
    set(&mut secure.server.connect(), "tls-ca-cert-file", &path);
    let serves = |identity: &Identity| secure.try_connect(Some(identity), &Wishes::default()).is_ok();
    assert!(serves(&other.client("x", Odd::Nothing)) && !serves(&secure.client));
}

fn authorities() {
    let secure = Secure::start(&[]);
    let other = Authority::new("another authority");
    let folder = secure.files.path("more");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("other.crt"), &other.pem).unwrap();
    set(
        &mut secure.server.connect(),
        "tls-ca-cert-dir",
        &folder.display().to_string(),
    );
    let serves = |identity: &Identity| secure.try_connect(Some(identity), &Wishes::default()).is_ok();
    assert!(serves(&other.client("x", Odd::Nothing)) && serves(&secure.client));
}

fn strangers() {
    let secure = Secure::start(&[]);
    let serves = || secure.try_connect(None, &Wishes::default()).is_ok();
    assert!(!serves());
    for (word, is_served) in [("optional", true), ("yes", false), ("no", true)] {
        set(&mut secure.server.connect(), "tls-auth-clients", word);
        assert_eq!(serves(), is_served, "{word}");
    }
}

fn user() {
    let secure = Secure::start(&["server.requirepass=secret"]);
    let answer = || {
        let mut conn = secure.try_connect(Some(&secure.client), &Wishes::default()).unwrap();
        conn.call(&["PING"]).text()
    };
    assert!(answer().starts_with("NOAUTH"));
    let mut plain = secure.server.connect();
    plain.call(&["AUTH", "secret"]);
    set(&mut plain, "tls-auth-clients-user", "CN");
    assert_eq!(answer(), "PONG");
}

fn cipher(secure: &Secure, version: &'static SupportedProtocolVersion) -> Option<String> {
    let wishes = Wishes {
        versions: vec![version],
        ..Wishes::default()
    };
    let conn = secure.try_connect(None, &wishes).ok()?;
    let suite = conn.stream().conn.negotiated_cipher_suite()?;
    Some(format!("{:?}", suite.suite()))
}

fn protocols() {
    let secure = Secure::for_all(&[]);
    set(&mut secure.server.connect(), "tls-protocols", "TLSv1.3");
    assert!(cipher(&secure, &TLS12).is_none() && cipher(&secure, &TLS13).is_some());
}

fn ciphers() {
    let secure = Secure::for_all(&[]);
    let mut plain = secure.server.connect();
    set(&mut plain, "tls-ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305");
    set(&mut plain, "tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256");
    for version in [&TLS12, &TLS13] {
        assert!(cipher(&secure, version).unwrap().contains("CHACHA20"));
    }
}

fn order() {
    let secure = Secure::for_all(&[]);
    let mut plain = secure.server.connect();
    // A client prefers AES.
    set(
        &mut plain,
        "tls-ciphersuites",
        "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
    );
    assert!(cipher(&secure, &TLS13).unwrap().contains("AES"));
    set(&mut plain, "tls-prefer-server-ciphers", "yes");
    assert!(cipher(&secure, &TLS13).unwrap().contains("CHACHA20"));
}

/// Of how many clients, which connect twice in turn, the second connection resumes a session.
fn resumed(secure: &Secure, clients: usize) -> usize {
    let wishes = || Wishes {
        resumption: Resumption::in_memory_sessions(10),
        ..Wishes::default()
    };
    let configs: Vec<_> = (0..clients).map(|_| secure.config(None, &wishes())).collect();
    let connect = |config: &std::sync::Arc<rustls::ClientConfig>| {
        let mut conn = Conn::over(secure.stream(std::sync::Arc::clone(config)));
        conn.call(&["PING"]);
        conn.stream().conn.handshake_kind() == Some(HandshakeKind::Resumed)
    };
    assert!(configs.iter().all(|config| !connect(config)));
    configs.iter().filter(|config| connect(config)).count()
}

fn sessions() {
    let secure = Secure::for_all(&[]);
    assert_eq!(resumed(&secure, 3), 3);
    set(&mut secure.server.connect(), "tls-session-caching", "no");
    assert_eq!(resumed(&secure, 3), 0);
}

fn sessions_kept() {
    let secure = Secure::for_all(&[]);
    set(&mut secure.server.connect(), "tls-session-cache-size", "1");
    assert!(resumed(&secure, 3) <= 1);
    set(&mut secure.server.connect(), "tls-session-cache-size", "0");
    assert_eq!(resumed(&secure, 3), 3);
}

fn sessions_for_a_time() {
    let secure = Secure::for_all(&[]);
    set(&mut secure.server.connect(), "tls-session-cache-timeout", "0");
    assert_eq!(resumed(&secure, 2), 0);
}

fn slow_handshakes() {
    let secure = Secure::for_all(&[]);
    set(&mut secure.server.connect(), "tls.handshake_timeout_s", "1");
    assert_eq!(read_to_close(&mut secure.socket()), b"");
    assert_eq!(secure.figure("tls_handshakes_timed_out"), "1");
}

fn many_handshakes() {
    let secure = Secure::for_all(&["server.workers=1"]);
    set(&mut secure.server.connect(), "tls.handshakes_max", "1");
    let mut first = secure.socket();
    secure.wait_for("tls_handshakes_unfinished", |figure| figure == "1");
    let _second = secure.socket();
    assert_eq!(read_to_close(&mut first), b"");
    assert_eq!(secure.figure("tls_handshakes_crowded_out"), "1");
}
