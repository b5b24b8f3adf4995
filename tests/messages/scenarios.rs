//! Hand-written scenarios: a heading `== what`, then steps `name: COMMAND argument ;; COMMAND …`; `name~:` blocks.

use crate::alike::compare;
use crate::side::{Side, Step};
use crate::support::{Server, text};

/// A scenario.
pub struct Scenario {
    pub title: String,
    pub steps: Vec<Step>,
}

/// A started redis-server, with a log as LokiKV has one.
pub fn start_redis() -> Server {
    Server::redis8(&["--appendonly", "yes"])
}

/// A started LokiKV.
pub fn start_lokikv() -> Server {
    Server::lokikv(&[
        "wal.fsync=no",
        "checkpoint.interval_s=0",
        "server.enable_debug_command=yes",
    ])
}

fn parse(file: &str, content: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (number, line) in content.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("==") {
            scenarios.push(Scenario {
                title: format!("{file}:{}: {}", number + 1, title.trim()),
                steps: Vec::new(),
            });
            continue;
        }
        let (head, commands) = line.split_once(':').unwrap_or_else(|| panic!("{file}:{}", number + 1));
        let split = |command: &str| text::split(command).unwrap_or_else(|why| panic!("{file}:{}: {why}", number + 1));
        let step = Step {
            name: head.chars().next().unwrap(),
            commands: commands.split(" ;; ").map(split).collect(),
            blocks: head.ends_with('~'),
        };
        let scenario = scenarios.last_mut().expect("a heading before the first step");
        scenario.steps.push(step);
    }
    scenarios
}

/// Takes the steps on both servers; where they first differ, and how.
pub fn take(redis: &Server, loki: &Server, protocol: u8, steps: &[Step]) -> Result<(), (usize, String)> {
    for server in [redis, loki] {
        server.connect().call(&["FLUSHALL"]);
        settle(server);
    }
    let mut sides = [Side::new(redis, protocol), Side::new(loki, protocol)];
    for (at, step) in steps.iter().enumerate() {
        let [theirs, ours] = sides.each_mut().map(|side| side.step(step));
        compare(step, &theirs, &ours).map_err(|why| (at, why))?;
    }
    let [theirs, ours] = sides.each_mut().map(Side::end);
    if let Some(last) = steps.last() {
        compare(last, &theirs, &ours).map_err(|why| (steps.len(), format!("at the end\n{why}")))?;
    }
    Ok(())
}

/// Waits until a server has seen that connections are gone.
fn settle(server: &Server) {
    let mut conn = server.connect();
    for _ in 0..2_000 {
        let clients = conn.call(&["CLIENT", "LIST"]).text();
        if clients.lines().count() == 1 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("connections stay");
}

fn run(name: &str, content: &str, peer: fn() -> Server) {
    run_all(name, content, peer, |_| {}, &[]);
}

/// Takes all scenarios of a file, each behind `first`, on servers that are prepared so each time.
pub fn run_all(name: &str, content: &str, peer: fn() -> Server, prepare: fn(&Server), first: &[Step]) {
    let (redis, loki) = (start_redis(), peer());
    let scenarios = parse(name, content);
    assert!(!scenarios.is_empty());
    let mut report = String::new();
    for scenario in &scenarios {
        let steps = [first, &scenario.steps].concat();
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
