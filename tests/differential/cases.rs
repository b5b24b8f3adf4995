//! One test per script in `cases/`, each over RESP2 and RESP3 with its own pair of servers: Redis 8.2, Valkey for what
//! only that has, Redis 7.0 for what must be as it was.

use crate::pair::{Pair, start_lokikv, start_redis, start_redis7, start_valkey};
use crate::script;
use crate::support::Server;

/// Differences shown in full before the rest is only counted.
const SHOWN_MAX: usize = 60;

fn run(name: &str, text: &str, redis: fn() -> Server, loki: fn() -> Server) {
    let lines = script::parse(name, text);
    let mut report = String::new();
    let mut count = 0;
    for protocol in [2, 3] {
        let mut pair = Pair::new(redis(), loki(), protocol);
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
    ($redis:ident, $itself:ident: $($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), include_str!(concat!("cases/", stringify!($name), ".txt")), $redis, start_lokikv);
            }
        )*

        #[test]
        #[ignore = "checks the scripts, not the server"]
        fn $itself() {
            $(run(stringify!($name), include_str!(concat!("cases/", stringify!($name), ".txt")), $redis, $redis);)*
        }
    };
}

cases!(start_redis, redis_agrees_with_itself:
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
    stream_references,
    redis8_bitop,
    redis8_hash,
    redis8_memory,
    vectors,
);

cases!(start_redis7, redis7_agrees_with_itself: redis7_dump);

cases!(start_valkey, valkey_agrees_with_itself: valkey_geo, valkey_hash, valkey_strings, valkey_zset);
