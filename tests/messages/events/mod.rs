//! Keyspace events: scenarios in `*.txt`, in the form of the others, and a generated part.
//!
//! Before a scenario all events are asked for, and `l` has subscribed to all of them. Keys expire only where they are
//! looked at, so that nothing is left to when a server looks by itself.

mod generated;

use crate::args;
use crate::scenarios::{parse, start_lokikv, start_redis, take};
use crate::side::Step;
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
    let (redis, loki) = (start_redis(), peer());
    let scenarios = parse(name, content);
    assert!(!scenarios.is_empty());
    let mut report = String::new();
    for scenario in &scenarios {
        let mut steps = vec![Step {
            name: 'l',
            commands: vec![args!["PSUBSCRIBE", "__key*__:*"]],
            blocks: false,
        }];
        steps.extend(scenario.steps.iter().cloned());
        for protocol in [2, 3] {
            [&redis, &loki].into_iter().for_each(prepare);
            if let Err((at, why)) = take(&redis, &loki, protocol, &steps) {
                let step = steps.get(at).map(Step::to_string).unwrap_or_default();
                report.push_str(&format!("{} (RESP{protocol}) {step}\n{why}", scenario.title));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
    eprintln!("{name}: {} scenarios, no difference", scenarios.len());
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
