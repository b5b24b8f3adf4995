//! Hand-written scenarios, each on servers that know no scripts.

use std::path::Path;

use crate::args;
use crate::beside::{parse, run_all, start_lokikv, start_redis};
use crate::support::Server;

/// What tells of what was before a scenario.
fn prepare(server: &Server) {
    let mut conn = server.connect();
    conn.call(&["FUNCTION", "FLUSH", "SYNC"]);
    for args in [
        args!["SCRIPT", "FLUSH", "SYNC"],
        args!["SLOWLOG", "RESET"],
        args!["CONFIG", "RESETSTAT"],
    ] {
        assert_eq!(conn.call(&args).text(), "OK", "{args:?}");
    }
}

fn run(name: &str, content: &str, peer: fn() -> Server) {
    run_all(name, content, peer, prepare, &[]);
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), include_str!(concat!("scenarios/", stringify!($name), ".txt")), start_lokikv);
            }
        )*

        const ALL: &[(&str, &str)] = &[
            $((stringify!($name), include_str!(concat!("scenarios/", stringify!($name), ".txt")))),*
        ];
    };
}

scenarios!(
    calls, replies, errors, commands, context, observed, memory, libraries, language, sandbox,
);

#[test]
#[ignore = "checks the scenarios, not the server"]
fn redis_agrees_with_itself() {
    for (name, content) in ALL {
        run(name, content, start_redis);
    }
}

#[test]
fn differences_that_are_meant_are_explained() {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("redis-compat.md")).unwrap();
    let scenarios = ALL.iter().flat_map(|(name, content)| parse(name, content));
    for id in scenarios
        .flat_map(|scenario| scenario.steps)
        .filter_map(|step| step.known)
    {
        assert!(document.contains(&format!("| {id} |")), "{id}");
    }
}
