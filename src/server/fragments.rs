//! When memory is defragmented: judged by the housekeeping thread once a second, by what the process takes beyond what
//! is used.
//!
//! That has more reasons than holes between entries: code, stacks, the allocator's own needs, its size classes. What a
//! pass leaves is taken for those, as long as it is there, and only what comes on top of it is a reason for the next:
//! no pass follows another in vain. A pass beside which much went tells nothing of that kind.

use std::time::{Duration, Instant};

use crate::allocator::Round;
use crate::state::Server;
use crate::state::figures::MemoryFigures;

/// How often it is judged.
const LOOK: Duration = Duration::from_secs(1);

/// How far it has come.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// There is little.
    #[default]
    Quiet,
    /// There was much. Threads were asked to give back what they have no use for: that may have been all of it.
    Asked,
    /// A pass has begun.
    Runs,
    /// A pass is over, and threads were asked again.
    Settles,
}

/// See the module.
#[derive(Default)]
pub(super) struct Fragments {
    looked: Option<Instant>,
    stage: Stage,
    /// What was used when the last pass began.
    used_before: u64,
    /// What it left beyond what is used, or less, if there was less later.
    left_bytes: u64,
}

impl Fragments {
    /// Looks, if it is time.
    pub fn look(&mut self, server: &Server) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let (live, defrag) = (server.params.live(), &server.defrag);
        if !live.is_defrag_on() {
            defrag.stop();
            (self.stage, self.left_bytes) = (Stage::Quiet, 0);
            return;
        }
        // What is about to be free, and what a checkpoint holds, are no holes.
        if server.loading.is_on() || server.engine.is_checkpointing() || server.engine.owed_bytes() > 0 {
            return;
        }
        let figures = MemoryFigures::of(server);
        let limits = Limits {
            ignore_bytes: live.defrag_ignore_bytes(),
            percent: live.defrag_threshold_percent(),
        };
        self.go_on(figures.used(), figures.resident, limits, defrag.is_running());
        match self.stage {
            Stage::Quiet => {}
            Stage::Asked | Stage::Settles => _ = Round::begin(),
            Stage::Runs => defrag.begin(figures.used()),
        }
    }

    /// The next stage, when so much is used, the process takes so much, and a pass is running or not.
    fn go_on(&mut self, used: u64, resident: u64, limits: Limits, is_running: bool) {
        let beyond = resident.saturating_sub(used);
        self.left_bytes = self.left_bytes.min(beyond);
        self.stage = match self.stage {
            Stage::Runs if is_running => Stage::Runs,
            Stage::Runs => Stage::Settles,
            Stage::Settles => {
                let has_fallen = used < self.used_before - self.used_before / 20;
                self.left_bytes = if has_fallen { 0 } else { beyond };
                Stage::Quiet
            }
            Stage::Quiet | Stage::Asked if !self.is_much(used, beyond, limits) => Stage::Quiet,
            Stage::Quiet => Stage::Asked,
            Stage::Asked => {
                self.used_before = used;
                Stage::Runs
            }
        };
    }

    fn is_much(&self, used: u64, beyond: u64, limits: Limits) -> bool {
        let much = beyond.saturating_sub(self.left_bytes);
        much > limits.ignore_bytes && u128::from(much) * 100 > u128::from(used) * u128::from(limits.percent)
    }
}

/// From what on it is much: both.
#[derive(Clone, Copy)]
struct Limits {
    ignore_bytes: u64,
    percent: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        ignore_bytes: 100,
        percent: 25,
    };

    fn stages(fragments: &mut Fragments, steps: &[(u64, u64, bool)]) -> Vec<Stage> {
        let step = |(used, resident, is_running): &(u64, u64, bool)| {
            fragments.go_on(*used, *resident, LIMITS, *is_running);
            fragments.stage
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn a_pass_follows_when_asking_was_not_enough_and_none_follows_in_vain() {
        use Stage::{Asked, Quiet, Runs, Settles};
        let mut fragments = Fragments::default();
        let few = [(50, 149, false), (1000, 1240, false)];
        assert_eq!(
            stages(&mut fragments, &few),
            [Quiet, Quiet],
            "too few bytes, too small a share"
        );
        let given_back = [(1000, 1500, false), (1000, 1100, false)];
        assert_eq!(stages(&mut fragments, &given_back), [Asked, Quiet]);
        let much = [
            (1000, 1500, false),
            (1000, 1500, false),
            (1000, 1400, true),
            (1000, 1350, false),
        ];
        assert_eq!(stages(&mut fragments, &much), [Asked, Runs, Runs, Settles]);
        let after = [
            (1000, 1300, false),
            (1000, 1500, false),
            (2000, 2700, false),
            (1000, 1600, false),
        ];
        let stages = stages(&mut fragments, &after);
        assert_eq!(stages, [Quiet, Quiet, Quiet, Asked], "300 are left as they are");
    }

    #[test]
    fn what_is_left_of_little_is_no_measure_for_much() {
        use Stage::{Asked, Quiet, Runs, Settles};
        let mut fragments = Fragments::default();
        let little = [(1, 500, false), (1, 500, false), (1, 500, false), (1, 500, false)];
        assert_eq!(stages(&mut fragments, &little), [Asked, Runs, Settles, Quiet]);
        let much = [(1, 550, false), (10_000, 12_900, false), (10_000, 13_100, false)];
        assert_eq!(stages(&mut fragments, &much), [Quiet, Quiet, Asked]);
    }

    #[test]
    fn what_was_left_counts_as_long_as_it_is_there() {
        use Stage::{Asked, Quiet, Runs, Settles};
        let pass = |used, left| [(used, used + left, false); 4];
        let mut fragments = Fragments::default();
        assert_eq!(stages(&mut fragments, &pass(100, 500)), [Asked, Runs, Settles, Quiet]);
        assert_eq!(stages(&mut fragments, &[(100, 750, false)]), [Asked], "150 more");
        assert_eq!(stages(&mut fragments, &[(100, 600, false)]), [Quiet]);
        // It has gone, and comes again.
        let again = [(100, 120, false), (100, 300, false)];
        assert_eq!(stages(&mut fragments, &again), [Quiet, Asked]);
    }

    #[test]
    fn a_pass_beside_which_much_went_is_followed_by_another() {
        use Stage::{Asked, Quiet, Runs, Settles};
        let mut fragments = Fragments::default();
        let deleting = [
            (1000, 1500, false),
            (1000, 1500, false),
            (500, 1300, false),
            (100, 1200, false),
            (100, 1200, false),
        ];
        assert_eq!(stages(&mut fragments, &deleting), [Asked, Runs, Settles, Quiet, Asked]);
    }

    #[test]
    fn figures_without_end_are_no_trouble() {
        let mut fragments = Fragments::default();
        fragments.go_on(u64::MAX, u64::MAX, LIMITS, false);
        assert_eq!(fragments.stage, Stage::Quiet);
        fragments.go_on(0, u64::MAX, LIMITS, false);
        assert_eq!(fragments.stage, Stage::Asked);
    }
}
