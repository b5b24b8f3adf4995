//! Which clients are served by their certificates, and as whom.

use rustls::version::{TLS12, TLS13};

use crate::client::{Secure, Wishes, is_end};
use crate::pki::{Authority, Identity, Odd};
use crate::support::{Server, Value};

/// What a client hears: `PONG`, or the alert that ends it.
fn answer(secure: &Secure, identity: Option<&Identity>, wishes: &Wishes) -> String {
    match secure.try_connect(identity, wishes) {
        Ok(mut conn) => conn.call(&["PING"]).text(),
        Err(error) => {
            assert!(is_end(&error), "{error}");
            error.to_string()
        }
    }
}

fn versions() -> [Wishes; 2] {
    [&TLS12, &TLS13].map(|version| Wishes {
        versions: vec![version],
        ..Wishes::default()
    })
}

#[test]
fn required() {
    let secure = Secure::start(&[]);
    let other = Authority::new("another authority");
    // Of the same name, so that its certificates look as if they were signed by the right one.
    let double = Authority::new("authority");
    for wishes in versions() {
        let hears = |identity: Option<&Identity>| answer(&secure, identity, &wishes);
        assert_eq!(hears(Some(&secure.client)), "PONG");
        let none = hears(None);
        assert!(
            none.contains("CertificateRequired") || none.contains("HandshakeFailure"),
            "{none}"
        );
        for (identity, alert) in [
            (secure.authority.client("default", Odd::Expired), "CertificateExpired"),
            (secure.authority.client("default", Odd::NotYet), "Certificate"),
            (secure.authority.client("default", Odd::ForServers), "Certificate"),
            (other.client("default", Odd::Nothing), "UnknownCA"),
            (double.client("default", Odd::Nothing), ""),
        ] {
            let heard = hears(Some(&identity));
            assert!(heard != "PONG" && heard.contains(alert), "{alert}: {heard}");
        }
    }
    secure.wait_for("tls_handshakes_failed", |figure| figure == "12");
    secure.wait_for_log("closing: the TLS handshake failed");
    assert!(secure.try_connect(Some(&secure.client), &Wishes::default()).is_ok());
}

#[test]
fn optional() {
    let secure = Secure::start(&["tls.auth_clients=optional"]);
    let other = Authority::new("another authority");
    for wishes in versions() {
        let hears = |identity: Option<&Identity>| answer(&secure, identity, &wishes);
        assert_eq!(hears(None), "PONG");
        assert_eq!(hears(Some(&secure.client)), "PONG");
        let heard = hears(Some(&other.client("default", Odd::Nothing)));
        assert!(heard.contains("UnknownCA"), "{heard}");
    }
}

#[test]
fn not_asked_for() {
    let secure = Secure::for_all(&[]);
    let other = Authority::new("another authority");
    for wishes in versions() {
        for identity in [None, Some(&secure.client), Some(&other.client("x", Odd::Expired))] {
            assert_eq!(answer(&secure, identity, &wishes), "PONG");
        }
    }
}

#[test]
fn authorities_of_a_folder() {
    let secure = Secure::for_all(&[]);
    let other = Authority::new("another authority");
    let folder = secure.files.path("authorities");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("README"), "no certificate").unwrap();
    std::fs::write(folder.join("a.pem"), &other.pem).unwrap();
    let mut plain = secure.server.connect();
    let folder = folder.display().to_string();
    let pairs = [
        "CONFIG",
        "SET",
        "tls-ca-cert-dir",
        &folder,
        "tls-ca-cert-file",
        "",
        "tls-auth-clients",
        "yes",
    ];
    assert_eq!(plain.call(&pairs), Value::ok());
    let wishes = Wishes::default();
    assert_eq!(answer(&secure, Some(&other.client("x", Odd::Nothing)), &wishes), "PONG");
    assert!(answer(&secure, Some(&secure.client), &wishes).contains("UnknownCA"));
}

#[test]
fn who_a_certificate_names_is_logged_in() {
    let settings = [
        "server.requirepass=secret",
        "tls.auth_clients=optional",
        "tls.auth_clients_user=CN",
    ];
    let secure = Secure::start(&settings);
    let wishes = Wishes::default();
    let hears = |name: &str| answer(&secure, Some(&secure.authority.client(name, Odd::Nothing)), &wishes);
    assert_eq!(hears("default"), "PONG");
    let stranger = "NOAUTH Authentication required.";
    // Whoever compares names that end at a NUL would take the second for `default`.
    for name in ["nobody", "default\0.example.org", "Default", "default ", ""] {
        assert_eq!(hears(name), stranger, "{name:?}");
    }
    assert_eq!(answer(&secure, None, &wishes), stranger);
    let mut admin = crate::support::Conn::connect(secure.server.port()).unwrap();
    admin.call(&["AUTH", "secret"]);
    // Nobody has a password: the certificate is what counts.
    for (user, state, answer) in [
        ("pinger", "on", "PONG"),
        (
            "reader",
            "on",
            "NOPERM User reader has no permissions to run the 'ping' command",
        ),
        ("locked", "off", stranger),
    ] {
        let command = if user == "reader" { "+get" } else { "+ping" };
        assert_eq!(admin.call(&["ACL", "SETUSER", user, state, command]), Value::ok());
        assert_eq!(hears(user), answer);
    }
    admin.call(&["ACL", "DELUSER", "pinger"]);
    assert_eq!(hears("pinger"), stranger);
    assert_eq!(
        admin.call(&["CONFIG", "SET", "tls-auth-clients-user", "off"]),
        Value::ok()
    );
    assert_eq!(hears("default"), stranger);
}

#[test]
fn what_a_port_needs_to_start() {
    let whole = Secure::for_all(&[]);
    let broken = whole.files.path("broken.pem");
    std::fs::write(&broken, "no certificate").unwrap();
    let (cert, key) = (whole.files.path("cert.pem"), whole.files.path("key.pem"));
    let start = |settings: &[String]| {
        let mut all = vec!["tls.port=1".to_owned(), "tls.auth_clients=no".to_owned()];
        all.extend_from_slice(settings);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Server::lokikv_stopped(&all).try_start().unwrap_err()
    };
    let cert_is = |path: &std::path::Path| format!("tls.cert_file={}", path.display());
    let key_is = |path: &std::path::Path| format!("tls.key_file={}", path.display());
    for (settings, why) in [
        (vec![], "tls.cert_file: a TLS port needs a certificate"),
        (
            vec![cert_is(&cert)],
            "tls.key_file: a TLS port needs the key of its certificate",
        ),
        (
            vec![cert_is(&cert), key_is(&key), "tls.auth_clients=yes".to_owned()],
            "tls.ca_file or tls.ca_dir",
        ),
        (
            vec![cert_is(&cert), key_is(&key), "tls.protocols=TLSv1.1".to_owned()],
            "not safe any more",
        ),
    ] {
        let said = start(&settings);
        assert!(said.contains(why), "{said}");
    }
}
