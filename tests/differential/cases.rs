//! One test per script in `cases/`, each over RESP2 and RESP3 with its own pair of servers: Redis 7.0, or the newer
//! server that the script's name begins with (`redis8_`, `valkey_`).

use crate::pair::{Pair, start_lokikv, start_redis};
use crate::script;
use crate::support::Server;

/// Differences shown in full before the rest is only counted.
const SHOWN_MAX: usize = 60;

fn run(name: &str, text: &str, loki: fn() -> Server) {
    run_beside(start_redis, name, text, loki);
}

fn run_beside(peer: fn() -> Server, name: &str, text: &str, loki: fn() -> Server) {
    let lines = script::parse(name, text);
    let mut report = String::new();
    let mut count = 0;
    for protocol in [2, 3] {
        let mut pair = Pair::new(peer(), loki(), protocol);
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

macro_rules! cases_beside {
    ($peer:expr, $($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                let text = include_str!(concat!("cases/", stringify!($name), ".txt"));
                run_beside($peer, stringify!($name), text, start_lokikv);
            }
        )*
    };
}

cases_beside!(|| Server::redis8(&[]), redis8_bitop, redis8_hash);
cases_beside!(
    || Server::valkey(&[]),
    valkey_geo,
    valkey_hash,
    valkey_strings,
    valkey_zset
);

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
