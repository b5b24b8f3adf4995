//! How long the calls of a script take, told with few looks at the clock: two looks cost a tenth of a small call.
//!
//! Of small calls of brief commands one in seven is timed, the first one included; the others are taken to have lasted
//! as long as the last one that was. What the script does between them counts for none.

use std::time::{Duration, Instant};

use crate::session::call::Call;
use crate::session::stopwatch::is_small;

/// Calls not timed after one that was: seven in all, so that a loop of few calls has each of them timed now and then.
const SKIPPED: u32 = 6;

/// See the module.
pub(super) struct Samples {
    /// Whether some need not be timed at all.
    may_skip: bool,
    skips_left: u32,
    /// How long the last small call that was timed took.
    last: Duration,
    /// Whether the call that is timed is a small one.
    is_sample: bool,
}

impl Samples {
    /// None yet.
    pub fn new(may_skip: bool) -> Self {
        Self {
            may_skip,
            skips_left: 0,
            last: Duration::ZERO,
            is_sample: false,
        }
    }

    /// A call begins: when that is, if it is one to be timed.
    #[inline]
    pub fn begin(&mut self, call: &Call<'_>) -> Option<Instant> {
        self.is_sample = self.may_skip && is_small(call);
        if self.is_sample && self.skips_left > 0 {
            self.skips_left -= 1;
            return None;
        }
        if self.is_sample {
            self.skips_left = SKIPPED;
        }
        Some(Instant::now())
    }

    /// It has ended: how long it took if it was timed, and how long it is taken to have lasted.
    #[inline]
    pub fn end(&mut self, began: Option<Instant>) -> (Option<Duration>, Duration) {
        let Some(took) = began.map(|began| began.elapsed()) else {
            return (None, self.last);
        };
        if self.is_sample {
            self.last = took;
        }
        (Some(took), took)
    }
}
