//! Makes a failing sequence short: parts are left out as long as the servers still disagree.

use std::time::{Duration, Instant};

use crate::generate::Step;
use crate::generated::run_steps;
use crate::pair::Pair;

/// How long it may look for a shorter sequence.
const TIME_MAX: Duration = Duration::from_secs(60);

/// A part of `steps` that still fails (all of them, if it cannot be made to fail again).
pub fn minimise(pair: &mut Pair, steps: &[Step]) -> Vec<Step> {
    let started = Instant::now();
    let mut left = steps.to_vec();
    let mut chunk = left.len().div_ceil(2);
    while chunk > 0 && started.elapsed() < TIME_MAX {
        let before = left.len();
        left = without_chunks(pair, left, chunk, started);
        if chunk == 1 && left.len() == before {
            break;
        }
        chunk = (chunk / 2).max(1).min(left.len());
    }
    left
}

/// Tries to leave out each run of `chunk` steps, from the end on.
fn without_chunks(pair: &mut Pair, mut steps: Vec<Step>, chunk: usize, started: Instant) -> Vec<Step> {
    let mut end = steps.len();
    while end > 0 && started.elapsed() < TIME_MAX {
        let start = end.saturating_sub(chunk);
        let candidate: Vec<Step> = [&steps[..start], &steps[end..]].concat();
        if let Err((at, _)) = run_steps(pair, &candidate) {
            steps = candidate;
            steps.truncate(at + 1);
        }
        end = start.min(steps.len());
    }
    steps
}
