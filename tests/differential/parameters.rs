//! Parameters: all names that `CONFIG GET *` of the three peers gives are known, and take and refuse values as in Redis
//! 8.2 (what only the others have, as there).

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Conn, Server, Value};

/// A value that hardly any parameter takes: the error tells the form.
const ODD: &str = "\x01odd";
/// Numbers out of bounds, which the peers describe in different words.
const BEYOND: [&str; 2] = ["-99999999999999", "99999999999999999999"];

/// What differs on purpose: redis-compat.md says so.
const DIFFERING: &[&str] = &[
    // Only one value of these is true here; another one is refused with the reason.
    "bind-source-addr",
    "cluster-announce-",
    "import-mode",
    "locale-collate",
    "log-format",
    "log-timestamp-format",
    "masterauth",
    "masteruser",
    "min-replicas-to-write",
    "min-slaves-to-write",
    "oom-score-adj",
    "primaryauth",
    "primaryuser",
    "rdma-",
    "replica-announce-",
    "slave-announce-",
    "tls-",
    // Bounds, and what they take, are our own.
    "acl-pubsub-default",
    "acllog-max-len",
    "active-defrag-ignore-bytes",
    "appendonly",
    "bind",
    "client-output-buffer-limit",
    "client-query-buffer-limit",
    "cluster-blacklist-ttl",
    "cluster-link-sendbuf-limit",
    "databases",
    "dir",
    "locale-",
    "logfile",
    "maxclients",
    "maxmemory",
    "port",
    "proto-max-bulk-len",
    "save",
    "shutdown-on-",
    "slot-migration-",
    "tcp-",
    "unixsocket",
];

fn parameters(conn: &mut Conn) -> BTreeMap<String, String> {
    let reply = conn.call(&["CONFIG", "GET", "*"]);
    let Value::Array(items) = reply else {
        panic!("{reply:?}")
    };
    let texts: Vec<String> = items.iter().map(Value::text).collect();
    texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

#[test]
fn each_name_of_the_peers_is_known_and_set_as_there() {
    let loki = crate::pair::start_lokikv();
    let mut own = loki.connect();
    let known = parameters(&mut own);
    let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
    for peer in [Server::redis8(&[]), Server::valkey(&[]), Server::redis(&[])] {
        let mut other = peer.connect();
        for (name, value) in parameters(&mut other) {
            if !known.contains_key(&name) {
                faults.push(format!("{name} is unknown"));
            }
            if !seen.insert(name.clone()) || DIFFERING.iter().any(|differing| name.starts_with(differing)) {
                continue;
            }
            for given in [ODD, BEYOND[0], BEYOND[1], &value] {
                let pairs = ["CONFIG", "SET", &name, given];
                let (wanted, found) = (other.call(&pairs), own.call(&pairs));
                let is_same = if BEYOND.contains(&given) {
                    matches!(wanted, Value::Error(_)) == matches!(found, Value::Error(_))
                } else {
                    wanted == found
                };
                if !is_same {
                    faults.push(format!("{name} {given:?}: {wanted} there, {found} here"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
