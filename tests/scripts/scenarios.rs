//! Hand-written scenarios, each on servers that know no scripts.

use std::collections::BTreeSet;
use std::path::Path;

use crate::args;
use crate::beside::{parse, run_all, start_lokikv, start_redis};
use crate::support::Server;

/// What tells of what was before a scenario.
fn prepare(server: &Server) {
    let mut conn = server.connect();
    for args in [
        args!["FUNCTION", "FLUSH", "SYNC"],
        args!["SCRIPT", "FLUSH", "SYNC"],
        args!["SLOWLOG", "RESET"],
        args!["CONFIG", "RESETSTAT"],
    ] {
        assert_eq!(conn.call(&args).text(), "OK", "{args:?}");
    }
}

/// The text of a file of scenarios, as it is now.
fn content(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scripts/scenarios/{name}.txt"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn run(name: &str, peer: fn() -> Server) {
    run_all(name, &content(name), peer, prepare, &[]);
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), start_lokikv);
            }
        )*

        const ALL: &[&str] = &[$(stringify!($name)),*];
    };
}

scenarios!(
    calls, replies, errors, commands, context, observed, memory, libraries, language, sandbox, functions,
);

#[test]
#[ignore = "checks the scenarios, not the server"]
fn redis_agrees_with_itself() {
    for name in ALL {
        run(name, start_redis);
    }
}

#[test]
fn all_files_are_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let names: BTreeSet<String> = files
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ALL.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn differences_that_are_meant_are_explained() {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("redis-compat.md")).unwrap();
    let scenarios = ALL.iter().flat_map(|name| parse(name, &content(name)));
    for id in scenarios
        .flat_map(|scenario| scenario.steps)
        .filter_map(|step| step.known)
    {
        assert!(document.contains(&format!("| {id} |")), "{id}");
    }
}
