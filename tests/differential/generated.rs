//! Generated sequences: run, compared step by step, and at the end by their whole datasets, which are then restored
//! from the log and from a checkpoint and compared again. On collections of both kinds, hashed and ordered.

use std::time::Duration;

use crate::args;
use crate::dataset;
use crate::generate::{Generator, Step};
use crate::minimise::minimise;
use crate::pair::{Difference, Pair, start_lokikv, start_redis, start_valkey};
use crate::restarts::{self, Kinds};
use crate::support::{Server, env_number, now_ms, seed};

/// Commands of all runs together, unless `LOKIKV_STEPS` says otherwise.
const STEPS_DEFAULT: u64 = 100_000;
/// How many runs share them.
const RUNS: usize = 5;
/// How far apart the seeds of runs are: each has sequences of its own.
const RUN_APART: u64 = 1 << 40;
/// Commands after which datasets are compared and a new sequence begins.
const SEQUENCE_LEN: usize = 5_000;

/// Runs steps until the servers disagree; then says where.
pub fn run_steps(pair: &mut Pair, steps: &[Step]) -> Result<(), (usize, Box<Difference>)> {
    pair.reset();
    for (n, step) in steps.iter().enumerate() {
        if let Some(interruption) = step.interruption {
            restarts::interrupt(pair, interruption).map_err(|d| (n, d))?;
        }
        pair.step(step.conn, None, &step.args).map_err(|d| (n, d))?;
        if let Some(key) = &step.expiring_key {
            std::thread::sleep(Duration::from_millis(5));
            pair.step(step.conn, None, &args!["EXISTS", key]).map_err(|d| (n, d))?;
        }
    }
    dataset::compare(pair).map_err(|d| (steps.len(), d))?;
    restarts::check(pair).map_err(|d| (steps.len(), d))
}

fn run(number: u64, protocol: u8, kinds: Kinds, loki: fn() -> Server) {
    run_of(number, protocol, kinds, start_redis, loki, Generator::step);
}

/// Streams as they are today, beside Redis 8.2.
fn run_streams(number: u64, protocol: u8, kinds: Kinds, loki: fn() -> Server) {
    run_of(number, protocol, kinds, start_redis, loki, Generator::stream_step);
}

/// Vector sets, beside Redis 8.2.
fn run_vectors(number: u64, protocol: u8, kinds: Kinds, loki: fn() -> Server) {
    run_of(number, protocol, kinds, start_redis, loki, Generator::vector_step);
}

/// What Valkey has beyond Redis, beside Valkey.
fn run_beyond(number: u64, protocol: u8, kinds: Kinds, loki: fn() -> Server) {
    run_of(number, protocol, kinds, start_valkey, loki, Generator::step_beyond);
}

fn run_of(
    number: u64,
    protocol: u8,
    kinds: Kinds,
    redis: fn() -> Server,
    loki: fn() -> Server,
    step: fn(&mut Generator) -> Step,
) {
    let seed = seed();
    let steps_total = (env_number("LOKIKV_STEPS", STEPS_DEFAULT) as usize).div_ceil(RUNS);
    let mut pair = Pair::new(redis(), loki(), protocol);
    restarts::convert(&pair, &kinds);
    let mut done = 0;
    while done < steps_total {
        let sequence_seed = seed.wrapping_add(done as u64);
        let mut generator = Generator::new(sequence_seed.wrapping_add(number * RUN_APART), now_ms());
        let count = SEQUENCE_LEN.min(steps_total - done);
        let steps: Vec<Step> = (0..count).map(|_| step(&mut generator)).collect();
        if let Err((at, difference)) = run_steps(&mut pair, &steps) {
            let shortest = minimise(&mut pair, &steps[..(at + 1).min(steps.len())]);
            let script: String = shortest.iter().map(Step::to_string).collect();
            let repeat = format!("LOKIKV_SEED={sequence_seed} LOKIKV_STEPS={}", RUNS * SEQUENCE_LEN);
            panic!(
                "RESP{protocol} on {kinds:?}, {repeat}: {}\n{} steps suffice:\n{script}",
                difference.with_context(),
                shortest.len()
            );
        }
        done += count;
    }
    eprintln!("RESP{protocol} on {kinds:?}: {done} commands, no difference");
}

const HMAP: Kinds = ["hmap"; dataset::DATABASES as usize];
const BCUST: Kinds = ["bcust"; dataset::DATABASES as usize];
/// Keys and whole databases move between the kinds.
const MIXED: Kinds = ["bdef", "hmap", "bcust", "hmap"];

#[test]
fn generated_hmap_resp2() {
    run(0, 2, HMAP, start_lokikv);
}

#[test]
fn generated_hmap_resp3() {
    run(1, 3, HMAP, start_lokikv);
}

#[test]
fn generated_bcust_resp2() {
    run(2, 2, BCUST, start_lokikv);
}

#[test]
fn generated_bcust_resp3() {
    run(3, 3, BCUST, start_lokikv);
}

#[test]
fn generated_mixed_kinds() {
    run(4, 3, MIXED, start_lokikv);
}

#[test]
fn generated_streams_hmap_resp2() {
    run_streams(5, 2, HMAP, start_lokikv);
}

#[test]
fn generated_streams_mixed_kinds_resp3() {
    run_streams(6, 3, MIXED, start_lokikv);
}

#[test]
fn generated_vectors_hmap_resp2() {
    run_vectors(7, 2, HMAP, start_lokikv);
}

#[test]
fn generated_vectors_mixed_kinds_resp3() {
    run_vectors(8, 3, MIXED, start_lokikv);
}

#[test]
fn generated_beyond_hmap_resp2() {
    run_beyond(9, 2, HMAP, start_lokikv);
}

#[test]
fn generated_beyond_mixed_kinds_resp3() {
    run_beyond(10, 3, MIXED, start_lokikv);
}

#[test]
#[ignore = "checks the generator, not the server"]
fn generated_redis_agrees_with_itself() {
    run(0, 2, HMAP, start_redis);
    run(1, 3, HMAP, start_redis);
    run_streams(2, 2, HMAP, start_redis);
    run_vectors(3, 3, HMAP, start_redis);
    run_of(4, 2, HMAP, start_valkey, start_valkey, Generator::step_beyond);
}
