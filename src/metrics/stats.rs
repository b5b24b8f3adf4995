//! What `INFO`, `COMMANDLOG` and `LATENCY` tell: per-command figures, commands that stand out, latency events, errors.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::command_log::CommandLogs;
use super::counters::Count;
use super::durations::{Distribution, Durations};
use super::history::History;
use super::hot_keys::HotKeys;
use super::rarely::Rarely;
use super::rates::Rates;

/// Coarse buckets of [`CommandTotals::by_duration`].
pub const DURATION_BUCKETS: usize = 24;

/// Figures of one command, counted by one thread.
#[derive(Default, Debug)]
pub struct CommandStats {
    calls: Count,
    nanos: Count,
    rejected: Count,
    failed: Count,
    /// There as soon as there was a call whose duration is tracked.
    durations: OnceLock<Box<Durations>>,
}

impl CommandStats {
    /// Counts `calls` calls of `nanos` each; `is_tracked`: how they are distributed is told, too.
    #[inline]
    pub fn record(&self, nanos: u64, calls: u64, is_tracked: bool) {
        self.calls.add(calls);
        self.nanos.add(nanos.wrapping_mul(calls));
        if is_tracked {
            self.durations.get_or_init(Box::default).record(nanos, calls);
        }
    }

    /// Counts a call that was refused before it ran.
    pub fn reject(&self) {
        self.rejected.add(1);
    }

    /// Counts a call that answered an error.
    pub fn fail(&self) {
        self.failed.add(1);
    }

    fn counts(&self) -> impl Iterator<Item = &Count> {
        [&self.calls, &self.nanos, &self.rejected, &self.failed]
            .into_iter()
            .chain(
                self.durations
                    .get()
                    .into_iter()
                    .flat_map(|durations| durations.counts()),
            )
    }
}

/// Figures of one command, over all threads.
#[derive(Default, Clone, Debug)]
pub struct CommandTotals {
    /// Calls.
    pub calls: u64,
    /// Time in all calls, nanoseconds.
    pub nanos: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that answered an error.
    pub failed: u64,
    /// How long calls took, as far as that is tracked.
    pub durations: Distribution,
    /// The same, coarsely: bucket `n` counts calls of less than 2^n microseconds (and at least half of that).
    pub by_duration: [u64; DURATION_BUCKETS],
}

/// One latency sample of an event.
#[derive(Clone, Copy, Debug)]
pub struct LatencySample {
    /// When, Unix seconds.
    pub at_s: u64,
    /// How long, milliseconds.
    pub ms: u32,
}

/// Samples of one latency event.
#[derive(Clone, Default, Debug)]
pub struct LatencyEvent {
    /// The newest samples, oldest first; at most one a second.
    pub samples: VecDeque<LatencySample>,
    /// The longest ever.
    pub max_ms: u32,
}

/// Names of latency events.
pub mod events {
    /// A command of constant time.
    pub const FAST_COMMAND: &str = "fast-command";
    /// Another command.
    pub const COMMAND: &str = "command";
    /// Keys were evicted for a command.
    pub const EVICTION: &str = "eviction-cycle";
    /// The log was made durable.
    pub const LOG_SYNC: &str = "log-sync";
    /// Something ran that has to run alone.
    pub const EXCLUSIVE: &str = "exclusive-section";
    /// A checkpoint had everybody wait at its instant.
    pub const CHECKPOINT: &str = "checkpoint-instant";
}

const LATENCY_SAMPLES_MAX: usize = 160;
/// How many kinds of errors are told apart.
const ERROR_WORDS_MAX: usize = 128;
/// What stands for all of them when there were more.
const ERRORS_DISABLED: &str = "ERRORSTATS_DISABLED";
/// Where in an error its first word has to end.
const ERROR_WORD_LEN_MAX: usize = 31;

/// See the module.
pub struct Stats {
    /// Per thread, per command by its number in the command table.
    commands: Box<[Box<[CommandStats]>]>,
    /// The logs of commands that stand out.
    pub logs: CommandLogs,
    /// Keys that take most, while somebody asks for them.
    pub hot_keys: HotKeys,
    /// Latency events by name.
    pub latency: Mutex<BTreeMap<&'static str, LatencyEvent>>,
    /// Error replies by their first word.
    pub errors: Mutex<BTreeMap<String, u64>>,
    /// Growth of commands executed, bytes read and bytes written.
    pub rates: Rates,
    /// The last hour.
    pub history: History,
    /// When it is time to warn of clients that talk HTTP.
    pub http_warnings: Rarely,
}

impl Stats {
    /// For a table of `commands` commands, run by `threads` threads.
    pub fn new(commands: usize, threads: usize) -> Self {
        Self {
            commands: (0..threads)
                .map(|_| (0..commands).map(|_| CommandStats::default()).collect())
                .collect(),
            logs: CommandLogs::default(),
            hot_keys: HotKeys::default(),
            latency: Mutex::default(),
            errors: Mutex::default(),
            rates: Rates::default(),
            history: History::default(),
            http_warnings: Rarely::default(),
        }
    }

    /// Figures of a command for counting by `thread`.
    #[inline]
    pub fn command(&self, thread: usize, id: u16) -> Option<&CommandStats> {
        self.commands.get(thread)?.get(usize::from(id))
    }

    /// Figures of a command over all threads.
    pub fn command_totals(&self, id: u16) -> CommandTotals {
        let mut totals = CommandTotals::default();
        for stats in self.commands.iter().filter_map(|thread| thread.get(usize::from(id))) {
            totals.calls += stats.calls.get();
            totals.nanos += stats.nanos.get();
            totals.rejected += stats.rejected.get();
            totals.failed += stats.failed.get();
            if let Some(durations) = stats.durations.get() {
                durations.add_to(&mut totals.durations);
            }
        }
        totals.by_duration = totals.durations.by_power_of_two_us();
        totals
    }

    /// Adds a latency sample; of several in one second the longest stays.
    pub fn add_latency(&self, event: &'static str, at_s: u64, ms: u32) {
        let mut events = self.latency.lock();
        let event = events.entry(event).or_default();
        event.max_ms = event.max_ms.max(ms);
        match event.samples.back_mut() {
            Some(last) if last.at_s == at_s => last.ms = last.ms.max(ms),
            _ => event.samples.push_back(LatencySample { at_s, ms }),
        }
        if event.samples.len() > LATENCY_SAMPLES_MAX {
            event.samples.pop_front();
        }
    }

    /// Counts an error reply by its first word, or as `ERR` where it does not begin with one.
    pub fn count_error(&self, text: &[u8]) {
        let start = text.get(..ERROR_WORD_LEN_MAX).unwrap_or(text);
        let word = match start.iter().position(|byte| *byte == b' ') {
            Some(end) => String::from_utf8_lossy(start.get(..end).unwrap_or_default()),
            None => "ERR".into(),
        };
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(&*word) {
            *count += 1;
        } else if errors.len() < ERROR_WORDS_MAX && !errors.contains_key(ERRORS_DISABLED) {
            errors.insert(word.into_owned(), 1);
        } else if errors.len() == ERROR_WORDS_MAX {
            // Scripts may answer any word: as in Redis, no more of them are counted until the next RESETSTAT.
            errors.clear();
            errors.insert(ERRORS_DISABLED.to_owned(), 1);
        }
    }

    /// `CONFIG RESETSTAT`.
    pub fn reset(&self) {
        self.commands
            .iter()
            .flatten()
            .flat_map(CommandStats::counts)
            .for_each(Count::reset);
        self.errors.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(stats: &Stats) -> Vec<String> {
        let errors = stats.errors.lock();
        errors.iter().map(|(word, count)| format!("{word} {count}")).collect()
    }

    #[test]
    fn calls_are_counted_over_threads_and_their_durations_where_they_are_tracked() {
        let stats = Stats::new(2, 2);
        for (thread, calls, is_tracked) in [(0, 3, true), (1, 1, true), (1, 5, false)] {
            stats.command(thread, 1).unwrap().record(2_000, calls, is_tracked);
        }
        let totals = stats.command_totals(1);
        assert_eq!((totals.calls, totals.nanos, totals.durations.calls()), (9, 18_000, 4));
        assert_eq!(totals.by_duration.get(..3), Some(&[0, 0, 4][..]));
        assert_eq!(stats.command_totals(0).calls, 0);
        stats.reset();
        let totals = stats.command_totals(1);
        assert_eq!((totals.calls, totals.nanos, totals.durations.calls()), (0, 0, 0));
    }

    #[test]
    fn errors_are_counted_by_their_first_words_which_are_bounded() {
        let stats = Stats::new(1, 1);
        for text in ["FOO bar", "FOO", "", &format!("{} x", "y".repeat(31)), "FOO", "FOO baz"] {
            stats.count_error(text.as_bytes());
        }
        assert_eq!(words(&stats), ["ERR 4", "FOO 2"]);
        for n in 0..1_000 {
            stats.count_error(format!("E{n} x").as_bytes());
            assert!(stats.errors.lock().len() <= ERROR_WORDS_MAX);
        }
        stats.count_error(b"FOO bar");
        assert_eq!(words(&stats), ["ERRORSTATS_DISABLED 1"]);
        stats.reset();
        stats.count_error(b"FOO bar");
        assert_eq!(words(&stats), ["FOO 1"]);
    }
}
