//! Random histories of the model tests: how many, and from which seeds.
//!
//! `LOKIKV_SEED` repeats a history, `LOKIKV_STEPS` asks for so many steps of each test.

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn told(seed: u64) -> u64 {
    println!("LOKIKV_SEED={seed}");
    seed
}

/// The seed of this run, printed so that a failure can be repeated.
pub fn seed() -> u64 {
    told(env("LOKIKV_SEED").unwrap_or_else(rand::random))
}

/// Runs histories, each from a seed of its own, until they have done as many steps together as were asked for; one if
/// nothing was. `run` returns how many it did.
pub fn each(mut run: impl FnMut(u64) -> u64) {
    let wanted = env("LOKIKV_STEPS").unwrap_or(1);
    let first: u64 = env("LOKIKV_SEED").unwrap_or_else(rand::random);
    let (mut steps, mut histories) = (0, 0);
    while steps < wanted {
        steps += run(told(first.wrapping_add(histories)));
        histories += 1;
    }
    println!("{steps} steps in {histories} histories");
}
