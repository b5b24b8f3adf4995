//! Hand-written scenarios.

use crate::beside::{run_all, start_lokikv, start_redis};
use crate::support::Server;

fn run(name: &str, content: &str, peer: fn() -> Server) {
    run_all(name, content, peer, |_| {}, &[]);
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), include_str!(concat!("scenarios/", stringify!($name), ".txt")), start_lokikv);
            }
        )*

        #[test]
        #[ignore = "checks the scenarios, not the server"]
        fn redis_agrees_with_itself() {
            $(run(stringify!($name), include_str!(concat!("scenarios/", stringify!($name), ".txt")), start_redis);)*
        }
    };
}

scenarios!(
    channels,
    patterns,
    sharded,
    protocol,
    transactions,
    monitor,
    caching,
    caching_commands,
    caching_modes,
    clients,
    scripts,
    slowlog,
    waiting,
);
