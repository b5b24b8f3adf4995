//! What `FUNCTION DUMP` writes is restored by the other server.

use crate::beside::{start_lokikv, start_redis};
use crate::support::{Conn, Server, Value};

fn load(conn: &mut Conn) {
    let long = "local text = 'abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc' ".repeat(40);
    for (name, body) in [
        ("small", "return 'small'".to_owned()),
        ("long", format!("{long} return #text")),
        ("bytes", "return '\u{1F980}\\0'".to_owned()),
    ] {
        let code = format!("#!lua name={name}\nredis.register_function('{name}', function() {body} end)");
        assert_eq!(conn.call(&["FUNCTION", "LOAD", &code]), Value::bulk(name));
    }
}

fn codes(conn: &mut Conn) -> Vec<(String, String)> {
    let listed = conn.call(&["FUNCTION", "LIST", "WITHCODE"]).items();
    let mut codes: Vec<_> = listed
        .iter()
        .map(|library| (library.items()[1].text(), library.items()[7].text()))
        .collect();
    codes.sort();
    codes
}

fn hand_over(from: &Server, to: &Server) {
    let (mut from, mut to) = (from.connect(), to.connect());
    load(&mut from);
    let Value::Bulk(dump) = from.call(&["FUNCTION", "DUMP"]) else {
        panic!("no dump");
    };
    let restored = to.call(&[&b"FUNCTION"[..], b"RESTORE", &dump, b"FLUSH"]);
    assert_eq!(restored, Value::ok());
    assert_eq!(codes(&mut to), codes(&mut from));
    assert_eq!(codes(&mut to).len(), 3);
    for name in ["small", "long", "bytes"] {
        let called = [&mut from, &mut to].map(|conn| conn.call(&["FCALL", name, "0"]));
        assert_eq!(called[0], called[1]);
        assert!(!called[0].is_error(), "{called:?}");
    }
}

#[test]
fn libraries_go_both_ways() {
    hand_over(&start_lokikv(), &start_redis());
    hand_over(&start_redis(), &start_lokikv());
}
