//! Generated scripts: run, compared step by step, and at the end of a sequence by the whole datasets, which are then
//! restored from the log and from a checkpoint and compared again, libraries of functions included. On collections of
//! both kinds, hashed and ordered.

use std::time::{Duration, Instant};

use crate::args;
use crate::dataset;
use crate::generate::{DATABASES, Form, Generator, Step, What};
use crate::pair::{Difference, Pair, start_lokikv};
use crate::restarts::{self, Kinds};
use crate::support::{Args, Server, Value, env_number, seed, text};

/// Steps of all runs together, unless `LOKIKV_STEPS` says otherwise.
const STEPS_DEFAULT: u64 = 3_000;
/// How many runs share them.
const RUNS: usize = 3;
/// How far apart the seeds of runs are.
const RUN_APART: u64 = 1 << 40;
/// Steps after which datasets are compared and a new sequence begins.
const SEQUENCE_LEN: usize = 500;
/// How long it may look for fewer steps that differ.
const MINIMISE_TIME_MAX: Duration = Duration::from_secs(60);

/// Sends a command beside the connections that are compared, which may be inside MULTI; what both servers answer.
fn aside(pair: &Pair, args: &Args) -> Result<Value, Box<Difference>> {
    let [theirs, ours] = [&pair.redis, &pair.loki].map(|server| server.connect3().call(args).sorted());
    if theirs == ours {
        return Ok(ours);
    }
    let [theirs, ours] = [theirs, ours].map(|reply| reply.to_string());
    Err(pair.difference(text::join(args), "different replies".into(), theirs, ours))
}

fn take(pair: &mut Pair, step: &Step) -> Result<(), Box<Difference>> {
    if let Some(interruption) = step.interruption {
        restarts::interrupt(pair, interruption)?;
    }
    let (form, script, rest, keys) = match &step.what {
        What::Plain(args) => return pair.step(step.conn, None, args),
        What::Script(form, script, rest, keys) => (form, script, rest, keys),
    };
    let (name, script) = match form {
        Form::Eval => ("EVAL", script.body().into_bytes()),
        Form::EvalRo => ("EVAL_RO", script.body().into_bytes()),
        Form::Loaded | Form::LoadedRo => {
            let sha = aside(pair, &args!["SCRIPT", "LOAD", script.body()])?;
            let name = if *form == Form::Loaded { "EVALSHA" } else { "EVALSHA_RO" };
            (name, sha.bytes().unwrap_or_default().to_vec())
        }
        Form::Function | Form::FunctionRo => {
            let (code, function) = script.library();
            aside(pair, &args!["FUNCTION", "LOAD", "REPLACE", code])?;
            let name = if *form == Form::Function { "FCALL" } else { "FCALL_RO" };
            (name, function.into_bytes())
        }
    };
    let mut args: Args = args![name, script, keys.to_string()];
    args.extend_from_slice(rest);
    pair.step(step.conn, None, &args)
}

/// Runs steps until the servers disagree; then says where.
fn run_steps(pair: &mut Pair, steps: &[Step]) -> Result<(), (usize, Box<Difference>)> {
    // Redis may crash when it frees functions, and might let go of a script of EVAL that SCRIPT LOAD has loaded, too:
    // it begins with none.
    pair.redis = start_redis();
    pair.reset();
    for args in [args!["FUNCTION", "FLUSH", "SYNC"], args!["SCRIPT", "FLUSH", "SYNC"]] {
        assert_eq!(pair.loki.connect().call(&args), Value::ok());
    }
    for (at, step) in steps.iter().enumerate() {
        take(pair, step).map_err(|difference| (at, difference))?;
    }
    let at_end = |difference| (steps.len(), difference);
    dataset::compare(pair).map_err(at_end)?;
    restarts::check(pair).map_err(at_end)?;
    let libraries = aside(pair, &args!["FUNCTION", "LIST", "WITHCODE"]).map_err(at_end)?;
    assert!(!libraries.is_error(), "{libraries}");
    Ok(())
}

/// As few steps as can be found soon, and as little of their scripts, that still make a difference.
fn minimise(pair: &mut Pair, steps: &[Step]) -> Vec<Step> {
    let started = Instant::now();
    let mut left = steps.to_vec();
    let mut fails = |candidate: &[Step]| started.elapsed() < MINIMISE_TIME_MAX && run_steps(pair, candidate).is_err();
    let mut chunk = left.len().div_ceil(2);
    while chunk > 0 {
        let mut end = left.len();
        while end > 0 {
            let start = end.saturating_sub(chunk);
            let candidate = [&left[..start], &left[end..]].concat();
            if fails(&candidate) {
                left = candidate;
            }
            end = start;
        }
        chunk /= 2;
    }
    for at in (0..left.len()).rev() {
        let units = match &left[at].what {
            What::Script(_, script, ..) => script.units.len(),
            What::Plain(_) => 0,
        };
        for unit in (0..units).rev() {
            let mut candidate = left.clone();
            if let What::Script(_, script, ..) = &mut candidate[at].what {
                script.units.remove(unit);
            }
            if fails(&candidate) {
                left = candidate;
            }
        }
    }
    left
}

fn start_redis() -> Server {
    Server::redis8(&[])
}

fn run(number: u64, protocol: u8, kinds: Kinds, peer: fn() -> Server) {
    let seed = seed();
    let total = (env_number("LOKIKV_STEPS", STEPS_DEFAULT) as usize).div_ceil(RUNS);
    let mut pair = Pair::new(start_redis(), peer(), protocol);
    restarts::convert(&pair, &kinds);
    for done in (0..total).step_by(SEQUENCE_LEN) {
        let sequence_seed = seed.wrapping_add(done as u64);
        let mut generator = Generator::new(sequence_seed.wrapping_add(number * RUN_APART));
        let steps: Vec<Step> = (0..SEQUENCE_LEN.min(total - done)).map(|_| generator.step()).collect();
        if let Err((at, difference)) = run_steps(&mut pair, &steps) {
            let shortest = minimise(&mut pair, &steps[..(at + 1).min(steps.len())]);
            let (again, count) = (run_steps(&mut pair, &shortest), shortest.len());
            let again = again
                .err()
                .map_or_else(String::new, |(_, difference)| difference.to_string());
            let shown: String = shortest.iter().map(Step::to_string).collect();
            panic!(
                "RESP{protocol} on {kinds:?}, LOKIKV_SEED={sequence_seed} LOKIKV_STEPS={}, step {at}: {difference}\n\
                 {count} steps suffice:\n{shown}\n{again}",
                RUNS * SEQUENCE_LEN
            );
        }
    }
    eprintln!("RESP{protocol} on {kinds:?}: {total} steps, no difference");
}

const HMAP: Kinds = ["hmap"; DATABASES as usize];
/// Keys and whole databases move between the kinds.
const MIXED: Kinds = ["bdef", "hmap", "bcust", "hmap"];

#[test]
fn generated_resp2() {
    run(0, 2, HMAP, start_lokikv);
}

#[test]
fn generated_resp3() {
    run(1, 3, HMAP, start_lokikv);
}

#[test]
fn generated_on_mixed_kinds() {
    run(2, 3, MIXED, start_lokikv);
}

#[test]
#[ignore = "checks the generator, not the server"]
fn generated_redis_agrees_with_itself() {
    run(0, 2, HMAP, start_redis);
    run(1, 3, HMAP, start_redis);
}
