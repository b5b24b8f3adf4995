//! Keyspace events: scenarios in `*.txt`, in the form of the others, and a generated part.
//!
//! Before a scenario all events are asked for, and `l` has subscribed to all of them. Keys expire only where they are
//! looked at, so that nothing is left to when a server looks by itself.

mod generated;

use crate::args;
use crate::beside::{Step, run_all, start_lokikv, start_redis};
use crate::support::Server;

/// All classes, on both channels.
const ALL: &str = "KEAmnoc";

/// Asks for all events, and lets keys die only where they are looked at.
fn prepare(server: &Server) {
    let mut conn = server.connect();
    for args in [
        args!["CONFIG", "SET", "notify-keyspace-events", ALL],
        args!["DEBUG", "SET-ACTIVE-EXPIRE", "0"],
    ] {
        assert_eq!(conn.call(&args).text(), "OK");
    }
}

fn run(name: &str, content: &str, peer: fn() -> Server) {
    let listens = Step::new('l', vec![args!["PSUBSCRIBE", "__key*__:*"]]);
    run_all(name, content, peer, prepare, &[listens]);
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), include_str!(concat!(stringify!($name), ".txt")), start_lokikv);
            }
        )*

        #[test]
        #[ignore = "checks the scenarios, not the server"]
        fn events_of_redis_agree_with_themselves() {
            $(run(stringify!($name), include_str!(concat!(stringify!($name), ".txt")), start_redis);)*
        }
    };
}

scenarios!(strings, keys, lists, sets, zsets, hashes, streams, ways);
