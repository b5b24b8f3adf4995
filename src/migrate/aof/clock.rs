//! What time it is while the commands of a file run again.
//!
//! A key that has expired by now may live on in the file, by a command that comes later. So the clock stands at a time
//! before all expiry, unless the file tells the time, or a command counts from the present.
//!
//! **Invariant:** no key dies by time before the file's end, except in the hands of a command that counts from the
//! present, which servers do not write.

use crate::engine::worker::unix_ms;
use crate::page::Access;
use crate::resp::Args;

/// Commands that may count from the present.
const RELATIVE: [&[u8]; 10] = [
    b"EXPIRE",
    b"PEXPIRE",
    b"SETEX",
    b"PSETEX",
    b"HEXPIRE",
    b"HPEXPIRE",
    b"RESTORE",
    b"EVAL",
    b"EVALSHA",
    b"FCALL",
];

/// See the module.
#[derive(Debug)]
pub struct Clock {
    /// Before all expiry; what it leaves of a use is what the present does.
    early_ms: u64,
    /// The time that the file has told last.
    told_ms: Option<u64>,
    /// The latest that a command queued by MULTI needs.
    queued_ms: Option<u64>,
}

impl Clock {
    /// For a file that has told nothing yet.
    pub fn new() -> Self {
        Self {
            early_ms: Access::earliest_alike(unix_ms()),
            told_ms: None,
            queued_ms: None,
        }
    }

    /// The time for what is no command.
    pub fn standing_ms(&self) -> u64 {
        self.told_ms.unwrap_or(self.early_ms)
    }

    /// The file says that it was this second.
    pub fn tell(&mut self, second: u64) {
        self.told_ms = Some(second.saturating_mul(1000).min(unix_ms()));
    }

    /// The time for this command. `is_queued`: it is queued by MULTI, and runs with the others.
    pub fn of_command(&mut self, args: Args<'_>, is_queued: bool) -> u64 {
        let name = args.get(0).unwrap_or_default();
        let own_ms = self.own_ms(name, args);
        if !is_queued {
            return own_ms;
        }
        let latest_ms = self.queued_ms.map_or(own_ms, |queued_ms| queued_ms.max(own_ms));
        if !name.eq_ignore_ascii_case(b"EXEC") {
            self.queued_ms = Some(latest_ms);
            return own_ms;
        }
        self.queued_ms.take().unwrap_or_else(|| self.standing_ms())
    }

    fn own_ms(&self, name: &[u8], args: Args<'_>) -> u64 {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let has = |options: &[&[u8]]| {
            let mut rest = args.skip(2).iter();
            rest.any(|arg| options.iter().any(|option| arg.eq_ignore_ascii_case(option)))
        };
        if is(b"XCLAIM") {
            let mut rest = args.skip(5).iter();
            let told = rest
                .find(|arg| arg.eq_ignore_ascii_case(b"TIME"))
                .and_then(|_| rest.next());
            let told_ms = told.and_then(|text| std::str::from_utf8(text).ok()?.parse::<u64>().ok());
            return told_ms.map_or(self.standing_ms(), |told_ms| {
                told_ms.min(unix_ms()).max(self.standing_ms())
            });
        }
        let counts_from_now = match RELATIVE.iter().any(|relative| is(relative)) {
            true => !is(b"RESTORE") || !has(&[b"ABSTTL"]),
            false => has_options(name) && has(&[b"EX", b"PX"]),
        };
        match counts_from_now {
            true => self.told_ms.unwrap_or_else(unix_ms),
            false => self.standing_ms(),
        }
    }
}

/// Whether it is a command that may have EX or PX among its arguments.
fn has_options(name: &[u8]) -> bool {
    [&b"SET"[..], b"GETEX", b"HSETEX", b"HGETEX", b"MSETEX", b"INCREX"]
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::words;

    fn at(clock: &mut Clock, line: &str, is_queued: bool) -> u64 {
        clock.of_command(words(line.as_bytes()).unwrap().args(), is_queued)
    }

    #[test]
    fn it_stands_before_all_expiry_unless_a_command_counts_from_the_present() {
        let mut clock = Clock::new();
        let early_ms = clock.standing_ms();
        assert!(early_ms < 200 * 86_400_000);
        for line in [
            "SET k v PXAT 1",
            "SET EX v",
            "PEXPIREAT k 5",
            "RESTORE k 0 x ABSTTL",
            "HPEXPIREAT k 5 FIELDS 1 a",
            "XCLAIM k g c 0 1-1 JUSTID",
        ] {
            assert_eq!(at(&mut clock, line, false), early_ms, "{line}");
        }
        for line in ["EXPIRE k 5", "set k v ex 5", "SETEX k 5 v", "RESTORE k 5 x", "EVAL x 0"] {
            assert!(at(&mut clock, line, false) > 1_700_000_000_000, "{line}");
        }
        let told = "XCLAIM k g c 0 1-1 TIME 1700000000123 RETRYCOUNT 1 FORCE JUSTID";
        assert_eq!(at(&mut clock, told, false), 1_700_000_000_123);
    }

    #[test]
    fn a_transaction_has_the_latest_time_of_its_commands() {
        let mut clock = Clock::new();
        let early_ms = clock.standing_ms();
        at(&mut clock, "SET k v", true);
        assert_eq!(at(&mut clock, "EXEC", true), early_ms);
        at(&mut clock, "XCLAIM k g c 0 1-1 TIME 1700000000123", true);
        at(&mut clock, "SET k v", true);
        assert_eq!(at(&mut clock, "EXEC", true), 1_700_000_000_123);
        assert_eq!(at(&mut clock, "EXEC", true), early_ms);
    }

    #[test]
    fn what_the_file_tells_holds_from_there_on() {
        let mut clock = Clock::new();
        clock.tell(1_700_000_000);
        assert_eq!(at(&mut clock, "SET k v", false), 1_700_000_000_000);
        assert_eq!(at(&mut clock, "EXPIRE k 5", false), 1_700_000_000_000);
        clock.tell(u64::MAX);
        assert!(clock.standing_ms() <= unix_ms());
    }
}
