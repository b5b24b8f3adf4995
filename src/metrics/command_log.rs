//! The logs of commands that stand out: those that took long, came with a long request, or got a long reply.
//!
//! **Invariant:** each log has numbers of its own, ascending, and keeps the newest entries.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// What a command stands out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// Microseconds that it took.
    Slow,
    /// Bytes of its request.
    LargeRequest,
    /// Bytes of its reply.
    LargeReply,
}

impl LogKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Slow, Self::LargeRequest, Self::LargeReply];

    /// Its place among them.
    pub const fn index(self) -> usize {
        match self {
            Self::Slow => 0,
            Self::LargeRequest => 1,
            Self::LargeReply => 2,
        }
    }
}

/// A command that stood out.
#[derive(Clone, Debug)]
pub struct LoggedCommand {
    /// Its number in the log.
    pub id: u64,
    /// When it ended, Unix seconds.
    pub at_s: u64,
    /// What it stood out by: microseconds, or bytes.
    pub value: u64,
    /// Arguments, shortened, without secrets.
    pub args: Vec<Vec<u8>>,
    /// Client address.
    pub addr: String,
    /// Client name.
    pub name: Vec<u8>,
}

/// One of the logs, newest first.
#[derive(Default)]
struct Log {
    entries: VecDeque<LoggedCommand>,
    next_id: u64,
}

/// See the module.
#[derive(Default)]
pub struct CommandLogs {
    logs: [Mutex<Log>; LogKind::ALL.len()],
}

impl CommandLogs {
    /// Adds a command, whose number is given here, to a log that keeps `len_max`; to none if it keeps none.
    pub fn add(&self, kind: LogKind, mut command: LoggedCommand, len_max: usize) {
        let Some(log) = self.logs.get(kind.index()).filter(|_| len_max > 0) else {
            return;
        };
        let mut log = log.lock();
        command.id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(command);
        log.entries.truncate(len_max);
    }

    /// The newest entries of a log, up to `count`, newest first.
    pub fn newest(&self, kind: LogKind, count: usize) -> Vec<LoggedCommand> {
        let log = self.logs.get(kind.index()).map(Mutex::lock);
        log.map_or_else(Vec::new, |log| log.entries.iter().take(count).cloned().collect())
    }

    /// How many entries a log has.
    pub fn len(&self, kind: LogKind) -> usize {
        self.logs.get(kind.index()).map_or(0, |log| log.lock().entries.len())
    }

    /// Empties a log.
    pub fn clear(&self, kind: LogKind) {
        if let Some(log) = self.logs.get(kind.index()) {
            log.lock().entries = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_numbers_and_keeps_its_own() {
        let logs = CommandLogs::default();
        let command = |value| LoggedCommand {
            id: 0,
            at_s: 1,
            value,
            args: Vec::new(),
            addr: String::new(),
            name: Vec::new(),
        };
        for value in 0..5 {
            logs.add(LogKind::Slow, command(value), 3);
        }
        logs.add(LogKind::LargeReply, command(9), 3);
        logs.add(LogKind::LargeRequest, command(9), 0);
        let seen = |kind| {
            let entries = logs.newest(kind, 10);
            entries.iter().map(|entry| (entry.id, entry.value)).collect::<Vec<_>>()
        };
        assert_eq!(seen(LogKind::Slow), [(4, 4), (3, 3), (2, 2)]);
        assert_eq!(seen(LogKind::LargeReply), [(0, 9)]);
        assert_eq!(logs.len(LogKind::LargeRequest), 0);
        logs.clear(LogKind::Slow);
        assert_eq!(
            (logs.len(LogKind::Slow), logs.newest(LogKind::LargeReply, 0).len()),
            (0, 0)
        );
    }
}
