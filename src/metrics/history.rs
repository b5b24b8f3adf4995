//! The last hour as the status page shows it: a sample every five seconds, and the checkpoints of that time.
//!
//! **Invariants**
//! - It is bounded: the newest [`SAMPLES_MAX`] samples and [`MARKS_MAX`] checkpoints.
//! - One lock, held for copying only, by the thread that samples and by those that show it. No worker takes it.
//! - Ages are told by the monotonic clock, so that a clock that is set bends no curve.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::lsn::Lsn;

/// From one sample to the next.
pub const PERIOD: Duration = Duration::from_secs(5);
/// How far back it goes.
pub const SPAN: Duration = Duration::from_secs(3600);
/// Samples that are kept.
pub const SAMPLES_MAX: usize = (SPAN.as_secs() / PERIOD.as_secs()) as usize;
/// Checkpoints that are kept.
pub const MARKS_MAX: usize = 32;

/// What is counted since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Commands executed.
    pub commands: u64,
    /// Bytes written to the log.
    pub log_bytes: u64,
    /// Checkpoints that failed.
    pub checkpoints_failed: u64,
}

/// How long the calls of an interval took; `None`: there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half of them took no longer than this.
    pub p50_nanos: Option<u64>,
    /// 99 of 100 took no longer than this.
    pub p99_nanos: Option<u64>,
}

/// What is so at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Memory in use, as `used_memory`.
    pub used_bytes: u64,
    /// Memory of the process.
    pub rss_bytes: u64,
    /// Bytes of the log's files.
    pub log_disk_bytes: u64,
    /// Records that would not survive a power cut.
    pub log_lag_records: u64,
    /// How long the last sync of the log took.
    pub fsync_us: u64,
}

/// What happened since the sample before, and what was so at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its end.
    pub at: Instant,
    /// Requests executed.
    pub requests_per_s: f64,
    /// How long calls took.
    pub latency: Latency,
    /// Written to the log.
    pub log_bytes_per_s: f64,
    /// At its end.
    pub levels: Levels,
}

/// A checkpoint, as it is told after it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its identity.
    pub id: u64,
    /// Its instant in the log.
    pub lsn: Lsn,
    /// How long ago that was.
    pub age: Duration,
    /// Bytes written for it.
    pub bytes: u64,
    /// How long that took.
    pub millis: u64,
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there.
    Taken(Taken),
    /// It failed.
    Failed,
}

/// A checkpoint in the last hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its instant, or when its failure was seen.
    pub at: Instant,
    /// What became of it.
    pub outcome: Outcome,
}

#[derive(Default)]
struct State {
    samples: VecDeque<Sample>,
    marks: VecDeque<Mark>,
    before: Option<(Instant, Totals)>,
    last_checkpoint: Option<u64>,
}

/// See the module.
#[derive(Default)]
pub struct History(Mutex<State>);

impl History {
    /// Whether it is time for a sample.
    pub fn is_due(&self, now: Instant) -> bool {
        let state = self.0.lock();
        state
            .before
            .is_none_or(|(before, _)| now.saturating_duration_since(before) >= PERIOD)
    }

    /// Takes a sample. The first call only notes where counting begins, and the checkpoint that was there before.
    pub fn sample(&self, now: Instant, totals: Totals, (latency, levels): (Latency, Levels), newest: Option<Taken>) {
        let mut state = self.0.lock();
        let is_new = newest.map(|taken| taken.id) > state.last_checkpoint;
        state.last_checkpoint = state.last_checkpoint.max(newest.map(|taken| taken.id));
        let Some((before_at, before)) = state.before.replace((now, totals)) else {
            return;
        };
        if let Some(taken) = newest.filter(|_| is_new) {
            let at = now.checked_sub(taken.age).unwrap_or(now);
            state.mark(at, Outcome::Taken(taken));
        }
        if totals.checkpoints_failed > before.checkpoints_failed {
            state.mark(now, Outcome::Failed);
        }
        let seconds = now.saturating_duration_since(before_at).as_secs_f64();
        let rate = |new: u64, old: u64| grown(new, old) as f64 / seconds.max(0.001);
        let sample = Sample {
            at: now,
            requests_per_s: rate(totals.commands, before.commands),
            latency,
            log_bytes_per_s: rate(totals.log_bytes, before.log_bytes),
            levels,
        };
        push_bounded(&mut state.samples, sample, SAMPLES_MAX);
    }

    /// The samples of the last hour, oldest first.
    pub fn samples(&self, now: Instant) -> Vec<Sample> {
        let state = self.0.lock();
        let is_recent = |sample: &&Sample| now.saturating_duration_since(sample.at) <= SPAN;
        state.samples.iter().filter(is_recent).copied().collect()
    }

    /// The checkpoints of the last hour, oldest first.
    pub fn marks(&self, now: Instant) -> Vec<Mark> {
        let state = self.0.lock();
        let is_recent = |mark: &&Mark| now.saturating_duration_since(mark.at) <= SPAN;
        state.marks.iter().filter(is_recent).copied().collect()
    }
}

impl State {
    fn mark(&mut self, at: Instant, outcome: Outcome) {
        push_bounded(&mut self.marks, Mark { at, outcome }, MARKS_MAX);
    }
}

fn push_bounded<T>(ring: &mut VecDeque<T>, item: T, len_max: usize) {
    if ring.len() == len_max {
        ring.pop_front();
    }
    ring.push_back(item);
}

/// By how much a counter has grown; one that is lower than before has been reset, and counts from zero.
fn grown(new: u64, old: u64) -> u64 {
    new.checked_sub(old).unwrap_or(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(commands: u64, log_bytes: u64) -> Totals {
        Totals {
            commands,
            log_bytes,
            ..Totals::default()
        }
    }

    const IDLE: (Latency, Levels) = (
        Latency {
            p50_nanos: None,
            p99_nanos: None,
        },
        Levels {
            used_bytes: 0,
            rss_bytes: 0,
            log_disk_bytes: 0,
            log_lag_records: 0,
            fsync_us: 0,
        },
    );

    fn taken(id: u64, age_s: u64) -> Taken {
        Taken {
            id,
            lsn: Lsn::new(10 * id),
            age: Duration::from_secs(age_s),
            bytes: 7,
            millis: 3,
        }
    }

    #[test]
    fn the_first_sample_comes_after_a_period() {
        let history = History::default();
        let start = Instant::now();
        assert!(history.is_due(start));
        history.sample(start, totals(100, 100), IDLE, None);
        assert!(history.samples(start).is_empty() && !history.is_due(start));
        assert!(!history.is_due(start + PERIOD - Duration::from_millis(1)));
        let later = start + PERIOD;
        assert!(history.is_due(later));
        history.sample(later, totals(600, 2100), IDLE, None);
        let [sample] = history.samples(later)[..] else {
            panic!("one sample")
        };
        assert_eq!((sample.requests_per_s, sample.log_bytes_per_s), (100.0, 400.0));
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let history = History::default();
        let start = Instant::now();
        let at = |period: u32| start + PERIOD * period;
        for period in 0..3000 {
            let newest = Some(taken(u64::from(period), 1));
            let counted = totals(u64::from(period * period), 0);
            history.sample(at(period), counted, IDLE, newest);
        }
        let now = at(2999);
        let samples = history.samples(now);
        assert_eq!(samples.len(), SAMPLES_MAX);
        assert_eq!(samples.last().map(|last| last.at), Some(now));
        assert!(samples.windows(2).all(|pair| pair[0].at < pair[1].at));
        // The square of the period grows by twice the period.
        assert_eq!(samples[0].requests_per_s, f64::from(2 * 2280 - 1) / 5.0);
        let marks = history.marks(now);
        assert_eq!(marks.len(), MARKS_MAX);
        assert_eq!(
            marks.last().map(|mark| mark.outcome),
            Some(Outcome::Taken(taken(2999, 1)))
        );
        // Who asks much later sees none of it.
        assert!(history.samples(now + SPAN * 2).is_empty() && history.marks(now + SPAN * 2).is_empty());
    }

    #[test]
    fn a_checkpoint_is_marked_once_and_where_it_was() {
        let history = History::default();
        let start = Instant::now();
        let mut counted = Totals::default();
        // One from before the start is none of this hour's.
        history.sample(start, counted, IDLE, Some(taken(4, 100)));
        history.sample(start + PERIOD, counted, IDLE, Some(taken(4, 105)));
        history.sample(start + PERIOD * 2, counted, IDLE, Some(taken(5, 2)));
        history.sample(start + PERIOD * 3, counted, IDLE, Some(taken(5, 7)));
        counted.checkpoints_failed = 1;
        history.sample(start + PERIOD * 4, counted, IDLE, Some(taken(5, 12)));
        let marks = history.marks(start + PERIOD * 4);
        let expected = [
            Mark {
                at: start + Duration::from_secs(8),
                outcome: Outcome::Taken(taken(5, 2)),
            },
            Mark {
                at: start + PERIOD * 4,
                outcome: Outcome::Failed,
            },
        ];
        assert_eq!(marks, expected);
    }
}
