//! Users in files: the ACL file, and the configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Conn, Server, Value};

fn list(conn: &mut Conn) -> Vec<String> {
    conn.call(&["ACL", "LIST"]).items().iter().map(Value::text).collect()
}

#[test]
fn users_are_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    fs::write(
        &path,
        "user alice on #148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940 ~a* +@all\n\n",
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let setting = format!("acl.file={}", path.display());
    let mut server = Server::lokikv(&["wal.fsync=no", &setting]);
    let mut admin = server.connect();
    assert_eq!(
        admin.call(&["CONFIG", "GET", "aclfile"]).pairs()[0].1.text(),
        path.display().to_string()
    );
    let mut alice = server.connect();
    assert_eq!(alice.call(&["AUTH", "alice", "p"]), Value::ok());
    assert_eq!(alice.call(&["SET", "a1", "x"]), Value::ok());
    admin.call(&[
        "ACL",
        "SETUSER",
        "bob",
        "on",
        "nopass",
        "%RW~*",
        "%R~x",
        "(~c +get)",
        "db=0,app_*",
        "+client|list",
    ]);
    let mut bob = server.connect();
    assert_eq!(bob.call(&["AUTH", "bob", "x"]), Value::ok());
    assert_eq!(admin.call(&["ACL", "SAVE"]), Value::ok());
    let users = list(&mut admin);
    assert_eq!(fs::read_to_string(&path).unwrap(), users.join("\n") + "\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "something was left behind"
    );
    // What is loaded again is the same, and its clients stay.
    assert_eq!(admin.call(&["ACL", "LOAD"]), Value::ok());
    assert_eq!(list(&mut admin), users);
    assert_eq!(alice.call(&["GET", "a1"]).text(), "x");
    // A user that the file has no more is closed; all others have its rules.
    fs::write(&path, "user alice on nopass ~b* +@all\n").unwrap();
    assert_eq!(admin.call(&["ACL", "LOAD"]), Value::ok());
    assert!(bob.read_to_close().is_ok());
    assert!(alice.call(&["GET", "a1"]).text().starts_with("NOPERM"));
    assert_eq!(list(&mut admin).len(), 2);
    // After a start, too.
    drop(admin);
    server.terminate();
    server.restart();
    assert_eq!(server.connect().call(&["ACL", "USERS"]).items().len(), 2);
}

#[test]
fn a_wrong_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    fs::write(&path, "user alice on nopass ~a* +@all\n").unwrap();
    let server = Server::lokikv(&["wal.fsync=no", &format!("acl.file={}", path.display())]);
    let mut admin = server.connect();
    let users = list(&mut admin);
    let end = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    let place = |line: usize| format!("{}:{line}", path.display());
    for (text, wanted) in [
        (
            "user a on\n# remark\n",
            format!("{} should start with user keyword followed by the username. ", place(2)),
        ),
        (
            "usera on\n",
            format!("{} should start with user keyword followed by the username. ", place(1)),
        ),
        (
            "user\n",
            format!("{} should start with user keyword followed by the username. ", place(1)),
        ),
        (
            "user a on\nuser a off\n",
            "WARNING: Duplicate user 'a' found on line 2. ".to_owned(),
        ),
        (
            "user b foo\nuser c +nope\n",
            format!(
                "{}: Syntax error. {}: Error in applying operation '+nope': Unknown command or category name in ACL. ",
                place(1),
                place(2)
            ),
        ),
        (
            "user b (~a\n",
            format!("{}: Unmatched parenthesis in selector definition. ", place(1)),
        ),
    ] {
        fs::write(&path, text).unwrap();
        let answer = admin.call(&["ACL", "LOAD"]).text();
        assert_eq!(answer, format!("ERR {wanted}{end}"), "{text}");
        assert_eq!(list(&mut admin), users);
    }
    fs::remove_file(&path).unwrap();
    let answer = admin.call(&["ACL", "LOAD"]).text();
    assert_eq!(
        answer,
        format!(
            "ERR Error loading ACLs, opening file '{}': No such file or directory",
            path.display()
        )
    );
    fs::create_dir(&path).unwrap();
    let answer = admin.call(&["ACL", "SAVE"]).text();
    assert_eq!(
        answer,
        "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
    );
}

#[test]
fn a_server_does_not_start_with_wrong_users() {
    let mut server = Server::lokikv_stopped(&["acl.file=/proc/nonexistent/users.acl"]);
    assert!(server.try_start().is_err());
    assert!(
        server.stderr().contains("acl.file: Error loading ACLs, opening file"),
        "{}",
        server.stderr()
    );
    server.set_settings(&["acl.users=[\"alice on\", \"bob +nope\"]"]);
    assert!(server.try_start().is_err());
    let told = server.stderr();
    assert!(
        told.contains("acl.users: user 2 of the list: Error in applying operation '+nope'"),
        "{told}"
    );
}

#[test]
fn users_of_the_configuration_are_written_back() {
    let mut server = Server::lokikv_stopped(&[]);
    let path = server.data_dir().parent().unwrap().join("config.toml");
    fs::write(&path, "# mine\n[acl]\nusers = [\"user alice on >p ~a* +get\"] # one\n").unwrap();
    server.restart();
    let mut admin = server.connect();
    assert_eq!(list(&mut admin).len(), 2);
    assert_eq!(admin.call(&["ACL", "SAVE"]).text().split(' ').nth(1), Some("This"));
    admin.call(&["ACL", "SETUSER", "bob", "on", ">q", "~b\"*", "(~c +get)"]);
    admin.call(&["CONFIG", "SET", "requirepass", "secret"]);
    let users = list(&mut admin);
    assert_eq!(admin.call(&["CONFIG", "REWRITE"]), Value::ok());
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# mine\n[acl]\nusers = ["), "{text}");
    assert!(!text.contains(">p") && !text.contains(">q"), "{text}");
    drop(admin);
    server.terminate();
    server.set_settings(&["server.requirepass=secret"]);
    server.restart();
    let mut admin = server.connect();
    assert_eq!(admin.call(&["AUTH", "secret"]), Value::ok());
    assert_eq!(list(&mut admin), users);
    // Nothing to be told of is not told.
    admin.call(&["ACL", "DELUSER", "alice", "bob"]);
    assert_eq!(admin.call(&["CONFIG", "REWRITE"]), Value::ok());
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("users = [] # one"), "{text}");
}
