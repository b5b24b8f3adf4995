//! `acl.*`. The file and the users of the configuration are tested in `tests/acl`.

use super::{Effect, call, set};
use crate::in_memory;
use crate::support::Value;

pub const EFFECTS: &[Effect] = &[("acl.log_len_max", log_len_max), ("acl.pubsub_default", pubsub_default)];

fn log_len_max() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "acl.log_len_max", "2");
    for user in ["a", "b", "c"] {
        assert!(conn.call(&["AUTH", user, "wrong"]).is_error());
    }
    assert_eq!(call(&mut conn, "ACL LOG").items().len(), 2);
    set(&mut conn, "acl.log_len_max", "0");
    assert!(conn.call(&["AUTH", "d", "wrong"]).is_error());
    assert_eq!(call(&mut conn, "ACL LOG").items().len(), 0);
}

fn pubsub_default() {
    let server = in_memory();
    let mut conn = server.connect();
    for (default, user, may) in [("resetchannels", "quiet", false), ("allchannels", "loud", true)] {
        set(&mut conn, "acl.pubsub_default", default);
        let rules = ["ACL", "SETUSER", user, "on", "nopass", "+@all", "~*"];
        assert_eq!(conn.call(&rules), Value::ok());
        let mut other = server.connect();
        assert_eq!(other.call(&["AUTH", user, "any"]), Value::ok());
        assert_eq!(
            !other.call(&["PUBLISH", "channel", "message"]).is_error(),
            may,
            "{default}"
        );
    }
}
