//! Generated sequences: run, compared step by step, and at the end by their whole datasets.

use std::time::Duration;

use crate::args;
use crate::dataset;
use crate::generate::{Generator, Step};
use crate::minimise::minimise;
use crate::pair::{Difference, Pair, start_lokikv, start_redis};
use crate::support::{Server, env_number, now_ms, seed, text};

/// Commands of all runs together, unless `LOKIKV_STEPS` says otherwise.
const STEPS_DEFAULT: u64 = 100_000;
/// Commands after which datasets are compared and a new sequence begins.
const SEQUENCE_LEN: usize = 5_000;

/// Runs steps until the servers disagree; then says where.
pub fn run_steps(pair: &mut Pair, steps: &[Step]) -> Result<(), (usize, Box<Difference>)> {
    pair.reset();
    for (n, step) in steps.iter().enumerate() {
        pair.step(step.conn, None, &step.args).map_err(|d| (n, d))?;
        if let Some(key) = &step.expiring_key {
            std::thread::sleep(Duration::from_millis(5));
            pair.step(step.conn, None, &args!["EXISTS", key]).map_err(|d| (n, d))?;
        }
    }
    dataset::compare(pair).map_err(|d| (steps.len(), d))
}

fn run(protocol: u8, loki: fn() -> Server) {
    let seed = seed();
    let steps_total = env_number("LOKIKV_STEPS", STEPS_DEFAULT) as usize / 2;
    let mut pair = Pair::new(start_redis(), loki(), protocol);
    let mut done = 0;
    while done < steps_total {
        let sequence_seed = seed.wrapping_add(done as u64);
        let mut generator = Generator::new(sequence_seed, now_ms());
        let count = SEQUENCE_LEN.min(steps_total - done);
        let steps: Vec<Step> = (0..count).map(|_| generator.step()).collect();
        if let Err((at, difference)) = run_steps(&mut pair, &steps) {
            let shortest = minimise(&mut pair, &steps[..(at + 1).min(steps.len())]);
            let script: String = shortest
                .iter()
                .map(|s| format!("@{} {}\n", s.conn, text::join(&s.args)))
                .collect();
            let repeat = format!("LOKIKV_SEED={sequence_seed} LOKIKV_STEPS={}", 2 * SEQUENCE_LEN);
            panic!(
                "RESP{protocol}, {repeat}: {}\n{} steps suffice:\n{script}",
                difference.with_context(),
                shortest.len()
            );
        }
        done += count;
    }
    eprintln!("RESP{protocol}: {done} commands, no difference");
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
