//! One test per script in `cases/`, each over RESP2 and RESP3 with its own pair of servers.

use crate::pair::{Pair, start_lokikv, start_redis};
use crate::script;
use crate::support::Server;

/// Differences shown in full before the rest is only counted.
const SHOWN_MAX: usize = 60;

fn run(name: &str, text: &str, loki: fn() -> Server) {
    let lines = script::parse(name, text);
    let mut report = String::new();
    let mut count = 0;
    for protocol in [2, 3] {
        let mut pair = Pair::new(start_redis(), loki(), protocol);
        for (line, difference) in script::run(&mut pair, &lines) {
            count += 1;
            if count <= SHOWN_MAX {
                report.push_str(&format!("cases/{name}.txt:{line} (RESP{protocol}) {difference}"));
            }
        }
    }
    assert!(count == 0, "{count} differences\n{report}");
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), include_str!(concat!("cases/", stringify!($name), ".txt")), start_lokikv);
            }
        )*

        #[test]
        #[ignore = "checks the scripts, not the server"]
        fn redis_agrees_with_itself() {
            $(run(stringify!($name), include_str!(concat!("cases/", stringify!($name), ".txt")), start_redis);)*
        }
    };
}

cases!(
    connection,
    client,
    generic,
    expiry,
    scan,
    dump,
    object,
    strings,
    string_ranges,
    string_numbers,
    set_options,
    lcs,
    list,
    stream,
    set,
    hash,
    zset,
    geo,
    sort,
    bits,
    bitfield,
    server,
    config,
    command,
    transactions,
    watch,
    databases,
    hyperloglog,
    protocol,
);
