//! Generated steps on five connections of both protocols.

use std::collections::BTreeSet;

use crate::args;
use crate::beside::{Step, differences, start_lokikv, start_redis};
use crate::support::{Args, Rng, Server, env_number, seed};

/// Steps, unless `LOKIKV_STEPS` says otherwise.
const STEPS_DEFAULT: u64 = 4_000;
/// Steps after which everything begins anew.
const SEQUENCE_LEN: usize = 100;

const CHANNELS: [&str; 6] = ["news", "news.a", "news.b", "n", "other", ""];
const PATTERNS: [&str; 6] = ["news.*", "n*", "*", "news.?", "[no]*", "other"];
const KEYS: [&str; 6] = ["k", "l", "ka", "kab", "", "x"];
const PREFIXES: [&str; 5] = ["k", "ka", "", "x", "kab"];
const NAMES: [char; 5] = ['a', 'b', 'c', 'A', 'B'];

fn some(rng: &mut Rng, word: &str, names: &[&str]) -> Args {
    let mut args = args![word];
    for _ in 0..rng.below(3) + 1 {
        args.push(rng.pick(names).as_bytes().to_vec());
    }
    args
}

/// What a connection may be asked beside the rest, so that it is known whether it answers.
#[derive(Clone, Copy)]
struct May {
    /// Not inside MULTI, where it would have its effect at EXEC, nor where subscriptions refuse it.
    end_replies: bool,
    change_protocol: bool,
    /// Inside MULTI it would have its effect at EXEC.
    act_at_once: bool,
    /// Others are told of it by itself.
    is_alone: bool,
    /// Who can be killed.
    victim: Option<char>,
}

/// Turns client-side caching on or off.
fn tracking(rng: &mut Rng) -> Args {
    let mut args = args!["CLIENT", "TRACKING", *rng.pick(&["ON", "ON", "ON", "OFF"])];
    if rng.one_in(3) {
        args.extend(args!["BCAST"]);
        if rng.one_in(2) {
            args.extend(args!["PREFIX", rng.pick(&PREFIXES)]);
        }
    }
    for option in ["NOLOOP", "OPTIN", "OPTOUT"] {
        if rng.one_in(5) {
            args.extend(args![option]);
        }
    }
    if rng.one_in(3) {
        args.extend(args!["REDIRECT", format!("%id:{}%", rng.pick(&NAMES))]);
    }
    args
}

/// Reads, writes, and what is said of caching.
fn cached(rng: &mut Rng, payload: &str, may: May) -> Args {
    match rng.below(20) {
        0..=3 => args!["GET", rng.pick(&KEYS)],
        4..=6 => some(rng, "MGET", &KEYS),
        7 | 8 => args!["SET", rng.pick(&KEYS), payload],
        9 => args!["MSET", rng.pick(&KEYS), payload, rng.pick(&KEYS), payload],
        10 => {
            let word = *rng.pick(&["DEL", "EXISTS", "TOUCH", "UNLINK"]);
            some(rng, word, &KEYS)
        }
        11 => args!["EXPIRE", rng.pick(&KEYS), *rng.pick(&["100", "-1"])],
        12 => args!["RENAME", rng.pick(&KEYS), rng.pick(&KEYS)],
        13 => args!["APPEND", rng.pick(&KEYS), "x"],
        14 => args!["CLIENT", "CACHING", *rng.pick(&["YES", "NO"])],
        15 if may.act_at_once && may.is_alone => args!["CLIENT", "GETREDIR"],
        15 => args!["CLIENT", "TRACKINGINFO"],
        16 if may.is_alone => args![*rng.pick(&["FLUSHALL", "FLUSHDB"])],
        17 if may.act_at_once => args!["SELECT", *rng.pick(&["0", "0", "1"])],
        18 if may.act_at_once && may.is_alone && rng.one_in(2) => match may.victim {
            Some(victim) => args!["CLIENT", "KILL", "ID", format!("%id:{victim}%")],
            None => args!["GETDEL", rng.pick(&KEYS)],
        },
        18 => args!["LPUSH", rng.pick(&KEYS), payload],
        _ => tracking(rng),
    }
}

fn command(rng: &mut Rng, number: usize, may: May) -> Args {
    let payload = format!("message {number}");
    match rng.below(66) {
        33.. => cached(rng, &payload, may),
        0..=5 => args!["PUBLISH", rng.pick(&CHANNELS), payload],
        6 | 7 => args!["SPUBLISH", rng.pick(&CHANNELS), payload],
        8..=10 => some(rng, "SUBSCRIBE", &CHANNELS),
        11 | 12 => some(rng, "PSUBSCRIBE", &PATTERNS),
        13 => some(rng, "SSUBSCRIBE", &CHANNELS),
        14 | 15 => some(rng, "UNSUBSCRIBE", &CHANNELS),
        16 => some(rng, "PUNSUBSCRIBE", &PATTERNS),
        17 => some(rng, "SUNSUBSCRIBE", &CHANNELS),
        18 => args![*rng.pick(&["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"])],
        19 => args!["SET", rng.pick(&KEYS), payload],
        20 => args!["GET", rng.pick(&KEYS)],
        21 => args!["MULTI"],
        22 | 23 => args!["EXEC"],
        24 if may.change_protocol => args!["RESET"],
        24 => args!["DISCARD"],
        25 => args!["PUBSUB", "CHANNELS"],
        26 => args!["PUBSUB", *rng.pick(&["NUMSUB", "SHARDNUMSUB"]), "news", "n"],
        27 => args!["PUBSUB", "NUMPAT"],
        28 => args!["PUBSUB", "SHARDCHANNELS", "n*"],
        29 if may.end_replies => args!["CLIENT", "REPLY", *rng.pick(&["OFF", "ON", "SKIP"])],
        30 => args!["CLIENT", "INFO"],
        31 if may.change_protocol => args!["HELLO", *rng.pick(&["2", "3"])],
        _ => args!["PING"],
    }
}

fn steps(rng: &mut Rng, protocol: u8) -> Vec<Step> {
    let (mut number, mut queuing, mut muted) = (0, BTreeSet::new(), BTreeSet::new());
    let mut step = || {
        let name = *rng.pick(&NAMES);
        let count = if rng.one_in(4) { rng.below(4) + 1 } else { 1 };
        let victim = *rng.pick(&NAMES);
        let mut commands: Vec<Args> = (0..count)
            .map(|_| {
                number += 1;
                let is_resp3 = name != 'c' && name.is_ascii_uppercase() == (protocol == 2);
                let may = May {
                    end_replies: is_resp3 && !queuing.contains(&name),
                    // What a transaction published before is sent in the protocol after it (D38).
                    change_protocol: name == 'c' && !queuing.contains(&name),
                    act_at_once: !queuing.contains(&name),
                    is_alone: count == 1,
                    victim: Some(victim)
                        .filter(|victim| *victim != name && !queuing.contains(victim) && !muted.contains(victim)),
                };
                let args = command(rng, number, may);
                match args[0].as_slice() {
                    b"MULTI" => drop(queuing.insert(name)),
                    b"CLIENT" if args[1] == b"REPLY" => drop(muted.insert(name)),
                    b"EXEC" | b"DISCARD" | b"RESET" => drop(queuing.remove(&name)),
                    _ => {}
                }
                args
            })
            .collect();
        // Once without replies, Redis may not close the connection (D30).
        if rng.one_in(40) && !queuing.contains(&name) && !muted.contains(&name) {
            commands.push(args!["QUIT"]);
        }
        Step::new(name, commands)
    };
    (0..SEQUENCE_LEN).map(|_| step()).collect()
}

/// Where the servers first differ, and how.
fn take(redis: &Server, loki: &Server, protocol: u8, steps: &[Step]) -> Result<(), (usize, String)> {
    differences(redis, loki, protocol, steps, 1).pop().map_or(Ok(()), Err)
}

/// The steps that are needed for a difference, found by leaving out some.
fn shortest(redis: &Server, loki: &Server, protocol: u8, steps: &[Step]) -> Vec<Step> {
    let mut needed = steps.to_vec();
    let mut at = needed.len();
    while at > 0 {
        at -= 1;
        let mut fewer = needed.clone();
        fewer.remove(at);
        if take(redis, loki, protocol, &fewer).is_err() {
            needed = fewer;
        }
    }
    needed
}

fn run(protocol: u8, peer: fn() -> Server) {
    let (redis, loki) = (start_redis(), peer());
    let seed = seed();
    let total = env_number("LOKIKV_STEPS", STEPS_DEFAULT) as usize / 2;
    for done in (0..total).step_by(SEQUENCE_LEN) {
        let sequence_seed = seed.wrapping_add(done as u64);
        let mut rng = Rng::new(sequence_seed.wrapping_add(u64::from(protocol) << 40));
        let steps = steps(&mut rng, protocol);
        if let Err((at, why)) = take(&redis, &loki, protocol, &steps) {
            let script: Vec<String> = shortest(&redis, &loki, protocol, &steps[..(at + 1).min(steps.len())])
                .iter()
                .map(Step::to_string)
                .collect();
            panic!(
                "RESP{protocol}, LOKIKV_SEED={sequence_seed}, step {at}:\n{why}{}",
                script.join("\n")
            );
        }
    }
    eprintln!("RESP{protocol}: {total} steps, no difference");
}

#[test]
fn generated_resp2() {
    run(2, start_lokikv);
}

#[test]
fn generated_resp3() {
    run(3, start_lokikv);
}

#[test]
#[ignore = "checks the generator, not the server"]
fn generated_redis_agrees_with_itself() {
    run(2, start_redis);
    run(3, start_redis);
}
