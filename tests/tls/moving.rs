//! `lokikv import --from rediss://` checks who it talks to.

use std::process::Command;

use crate::args;
use crate::client::Secure;
use crate::support::Value;

#[test]
fn a_server_is_copied_over_tls() {
    let secure = Secure::start(&["tls.auth_clients=yes"]);
    let mut conn = secure.server.connect();
    assert_eq!(conn.call(&args!["SET", "large", "x".repeat(300_000)]), Value::ok());
    secure.files.write("own.pem", &secure.client.cert_pem);
    secure.files.write("own.key", &secure.client.key_pem);
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| secure.files.path(name).display().to_string();
    let (ca, port) = (path("ca.pem"), secure.port);
    let run = |host: &str, ca: &str, with_identity: bool| {
        let from = format!("rediss://{host}:{port}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
        command.args([
            "import",
            "--from",
            &from,
            "--data-dir",
            "data",
            "--replace",
            "--verify",
            "--ca",
            ca,
        ]);
        if with_identity {
            command.args(["--cert", &path("own.pem"), "--key", &path("own.key")]);
        }
        let done = command.current_dir(home.path()).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = run("localhost", &ca, true);
    assert!(
        code == Some(0) && said.contains("compared 1 keys: all are alike"),
        "{said}"
    );
    let (code, said) = run("localhost", &ca, false);
    assert!(code == Some(1) && said.contains("connecting: "), "{said}");
    // Another authority, and none.
    let other = home.path().join("other.crt");
    std::fs::write(&other, crate::pki::Authority::new("other").pem).unwrap();
    let (code, said) = run("localhost", &other.display().to_string(), true);
    assert!(
        code == Some(1) && said.contains("connecting: invalid peer certificate"),
        "{said}"
    );
    let (code, said) = run("localhost", &path("own.key"), true);
    assert!(code == Some(1) && said.contains("no certificate in PEM form"), "{said}");
}
