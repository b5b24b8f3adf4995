//! Counters with bounds and a time to die: INCREX.
//!
//! **Invariants**
//! - As of INCR, what is logged is the sum.
//! - A sum beyond a bound changes nothing, neither the value nor its expiry, unless it is to be saturated.

use std::cmp::Ordering;

use super::options::{ExpireTime, Expiry};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::long_double::{LongDouble, NAN_OR_INFINITY};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{Txn, str_of};
use crate::page::StrRef;
use crate::resp::{Args, Reply};

pub(super) const INCREX: Spec = Spec {
    since: "8.8.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RW", "access", "update"])],
    summary: "Adds to the number at a key, within bounds, and sets or removes its expiry",
    syntax: "key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND upperbound] [EX seconds | \
             PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]",
    ..Spec::new("increx", Group::String, -2, Handler::Write(increx))
};

/// The options, each of which may be given once.
#[derive(Default)]
struct Options<'a> {
    by: Option<&'a [u8]>,
    is_float: bool,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturates: bool,
    expiry: Expiry<'a>,
    /// ENX: only what has no time to die is given one.
    only_if_lasting: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, CmdError> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(word) = rest.next() {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if is(b"SATURATE") {
                once(&mut options.saturates)?;
            } else if is(b"ENX") {
                once(&mut options.only_if_lasting)?;
            } else if is(b"PERSIST") {
                options.expire(Expiry::Persist)?;
            } else {
                let value = rest.next().ok_or(CmdError::Syntax)?;
                options.take(word, value)?;
            }
        }
        if options.only_if_lasting && options.expiry == Expiry::Persist {
            return Err(CmdError::Syntax);
        }
        if options.only_if_lasting && options.expiry == Expiry::Unsaid {
            return Err(CmdError::text("ERR ENX flag requires an expiration"));
        }
        Ok(options)
    }

    /// Takes an option that has a value.
    fn take(&mut self, word: &[u8], value: &'a [u8]) -> Result<(), CmdError> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let place = if is(b"BYINT") || is(b"BYFLOAT") {
            self.is_float = is(b"BYFLOAT");
            &mut self.by
        } else if is(b"LBOUND") {
            &mut self.lower
        } else if is(b"UBOUND") {
            &mut self.upper
        } else {
            let time = ExpireTime::of_option(word, value).ok_or(CmdError::Syntax)?;
            return self.expire(Expiry::At(time));
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(CmdError::Syntax),
        }
    }

    fn expire(&mut self, expiry: Expiry<'a>) -> Result<(), CmdError> {
        match std::mem::replace(&mut self.expiry, expiry) {
            Expiry::Unsaid => Ok(()),
            _ => Err(CmdError::Syntax),
        }
    }
}

fn once(flag: &mut bool) -> Result<(), CmdError> {
    if std::mem::replace(flag, true) {
        return Err(CmdError::Syntax);
    }
    Ok(())
}

/// What a number counts as: an integer of 64 bits or a long double.
trait Number: Copy {
    const ZERO: Self;
    const ONE: Self;
    /// The bounds where none are given.
    const LIMITS: (Self, Self);
    /// What an addition is told as.
    const EVENT: &'static str;

    /// An argument; `name` says in errors which one.
    fn parse(argument: &[u8], name: &str) -> Result<Self, CmdError>;
    /// An argument that is to be added.
    fn parse_increment(argument: &[u8]) -> Result<Self, CmdError>;
    /// The value of a key.
    fn parse_value(text: Option<&[u8]>) -> Result<Self, CmdError>;
    fn compare(self, other: Self) -> Ordering;
    /// The sum, or which of the limits it is beyond.
    fn add(self, by: Self) -> Result<Self, Ordering>;
    /// What must be added to `old` to get this.
    fn minus(self, old: Self) -> Result<Self, CmdError>;
    fn text(self) -> String;
    fn reply(self, reply: &mut Reply);
}

impl Number for i64 {
    const ZERO: Self = 0;
    const ONE: Self = 1;
    const LIMITS: (Self, Self) = (Self::MIN, Self::MAX);
    const EVENT: &'static str = "incrby";

    fn parse(argument: &[u8], name: &str) -> Result<Self, CmdError> {
        parse_i64(argument).ok_or_else(|| format!("ERR {name} is not an integer or out of range").into())
    }

    fn parse_increment(argument: &[u8]) -> Result<Self, CmdError> {
        <Self as Number>::parse(argument, "Increment")
    }

    fn parse_value(text: Option<&[u8]>) -> Result<Self, CmdError> {
        text.and_then(parse_i64).ok_or(CmdError::NotInteger)
    }

    fn compare(self, other: Self) -> Ordering {
        self.cmp(&other)
    }

    fn add(self, by: Self) -> Result<Self, Ordering> {
        self.checked_add(by).ok_or(by.cmp(&0))
    }

    fn minus(self, old: Self) -> Result<Self, CmdError> {
        self.checked_sub(old)
            .ok_or(CmdError::text("ERR applied increment would overflow"))
    }

    fn text(self) -> String {
        self.to_string()
    }

    fn reply(self, reply: &mut Reply) {
        reply.int(self);
    }
}

impl Number for LongDouble {
    const ZERO: Self = Self::ZERO;
    const ONE: Self = Self::ONE;
    const LIMITS: (Self, Self) = (Self::LOWEST, Self::HIGHEST);
    const EVENT: &'static str = "incrbyfloat";

    fn parse(argument: &[u8], name: &str) -> Result<Self, CmdError> {
        Self::parse(argument).ok_or_else(|| format!("ERR {name} is not a valid float").into())
    }

    fn parse_increment(argument: &[u8]) -> Result<Self, CmdError> {
        let by = <Self as Number>::parse(argument, "Increment")?;
        if by.is_infinite() {
            return Err(CmdError::text("ERR BYFLOAT increment cannot be Infinity"));
        }
        Ok(by)
    }

    fn parse_value(text: Option<&[u8]>) -> Result<Self, CmdError> {
        let value = text.and_then(Self::parse).ok_or(CmdError::NotFloat)?;
        if value.is_infinite() {
            return Err(CmdError::text("ERR value cannot be Infinity"));
        }
        Ok(value)
    }

    fn compare(self, other: Self) -> Ordering {
        Self::compare(self, other)
    }

    fn add(self, by: Self) -> Result<Self, Ordering> {
        self.checked_add(by).ok_or(by.compare(Self::ZERO))
    }

    fn minus(self, old: Self) -> Result<Self, CmdError> {
        self.checked_add(old.negated()).ok_or(CmdError::text(NAN_OR_INFINITY))
    }

    fn text(self) -> String {
        self.to_text()
    }

    fn reply(self, reply: &mut Reply) {
        reply.double_of_digits(&self.to_text());
    }
}

/// What is to be added, and between which bounds the sum is to be.
struct Addition<N> {
    by: N,
    lower: N,
    upper: N,
    saturates: bool,
}

impl<N: Number> Addition<N> {
    fn parse(options: &Options<'_>) -> Result<Self, CmdError> {
        let by = options.by.map_or(Ok(N::ONE), N::parse_increment)?;
        let bound = |argument: Option<&[u8]>, name, limit| argument.map_or(Ok(limit), |text| N::parse(text, name));
        let addition = Self {
            by,
            lower: bound(options.lower, "LBOUND", N::LIMITS.0)?,
            upper: bound(options.upper, "UBOUND", N::LIMITS.1)?,
            saturates: options.saturates,
        };
        if addition.lower.compare(addition.upper).is_gt() {
            return Err(CmdError::text("ERR LBOUND can't be greater than UBOUND"));
        }
        Ok(addition)
    }

    /// The sum and what was added for it; nothing if it is beyond a bound.
    fn of(&self, old: N) -> Result<Option<(N, N)>, CmdError> {
        let sum = old.add(self.by);
        let bound = match sum {
            Ok(sum) if sum.compare(self.upper).is_gt() => self.upper,
            Ok(sum) if sum.compare(self.lower).is_lt() => self.lower,
            Ok(sum) => return Ok(Some((sum, self.by))),
            Err(Ordering::Less) => self.lower,
            Err(_) => self.upper,
        };
        if !self.saturates {
            return Ok(None);
        }
        Ok(Some((bound, bound.minus(old)?)))
    }
}

fn increx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args.skip(2))?;
    if options.is_float {
        add::<LongDouble>(txn, args.at(1), &options, reply)
    } else {
        add::<i64>(txn, args.at(1), &options, reply)
    }
}

fn add<N: Number>(txn: &mut Txn<'_, '_>, key: &[u8], options: &Options<'_>, reply: &mut Reply) -> CmdResult {
    let addition = Addition::<N>::parse(options)?;
    let at_ms = match options.expiry {
        Expiry::At(time) => Some(time.resolve(txn.now_ms(), INCREX.name)?),
        Expiry::Unsaid | Expiry::Keep | Expiry::Persist => None,
    };
    let (old, old_at_ms) = match txn.old(key) {
        None => (N::ZERO, None),
        Some(entry) => (N::parse_value(str_of(entry)?.whole())?, entry.expire_at_ms()),
    };
    let Some((sum, added)) = addition.of(old)? else {
        reply_both(old, N::ZERO, reply);
        return Ok(());
    };
    let at_ms = at_ms.filter(|_| !(options.only_if_lasting && old_at_ms.is_some()));
    if at_ms.is_some_and(|at_ms| at_ms <= txn.now_ms()) {
        txn.remove(key);
    } else {
        let persists = options.expiry == Expiry::Persist;
        let kept_ms = if persists { None } else { old_at_ms };
        txn.put_str(key, StrRef::Inline(sum.text().as_bytes()), at_ms.or(kept_ms));
        txn.notify(Classes::STRING, N::EVENT, key);
        if at_ms.is_some() {
            txn.notify(Classes::GENERIC, "expire", key);
        } else if persists && old_at_ms.is_some() {
            txn.notify(Classes::GENERIC, "persist", key);
        }
    }
    reply_both(sum, added, reply);
    Ok(())
}

fn reply_both<N: Number>(value: N, added: N, reply: &mut Reply) {
    reply.array(2);
    value.reply(reply);
    added.reply(reply);
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Harness;

    fn check(server: &mut Harness, dialogue: &[(&str, &str)]) {
        for (line, reply) in dialogue {
            assert_eq!(server.say(line), *reply, "{line}");
        }
    }

    #[test]
    fn integers_within_bounds() {
        check(
            &mut Harness::new(),
            &[
                ("INCREX k", "*2 :1 :1"),
                ("INCREX k BYINT 99", "*2 :100 :99"),
                ("INCREX k BYINT -10 LBOUND 90", "*2 :90 :-10"),
                ("INCREX k BYINT -1 LBOUND 90", "*2 :90 :0"),
                ("INCREX k BYINT -9 LBOUND 85 SATURATE", "*2 :85 :-5"),
                ("INCREX k UBOUND 50 SATURATE", "*2 :50 :-35"),
                ("INCREX k BYINT 5 UBOUND 30", "*2 :50 :0"),
                ("INCREX k BYINT -25 UBOUND 30", "*2 :25 :-25"),
                ("INCREX none BYINT 5 LBOUND 10", "*2 :0 :0"),
                ("EXISTS none", ":0"),
                ("INCREX none BYINT 5 LBOUND 10 SATURATE", "*2 :10 :10"),
                ("SET k 9223372036854775800", "+OK"),
                ("INCREX k BYINT 9223372036854775800", "*2 :9223372036854775800 :0"),
                (
                    "INCREX k BYINT 9223372036854775800 SATURATE",
                    "*2 :9223372036854775807 :7",
                ),
                (
                    "INCREX k SATURATE UBOUND -9223372036854775808",
                    "-ERR applied increment would overflow",
                ),
                ("SET k -9223372036854775800", "+OK"),
                (
                    "INCREX k BYINT -9223372036854775800 SATURATE",
                    "*2 :-9223372036854775808 :-8",
                ),
                ("OBJECT ENCODING k", "$3 int"),
            ],
        );
    }

    #[test]
    fn decimal_numbers_within_bounds() {
        let dialogue = [
            ("SET k 1.5", "+OK"),
            ("INCREX k BYFLOAT 0.25", "*2 $4 1.75 $4 0.25"),
            ("INCREX k BYFLOAT 100 UBOUND 42.5", "*2 $4 1.75 $1 0"),
            ("INCREX k BYFLOAT 100 UBOUND 42.5 SATURATE", "*2 $4 42.5 $5 40.75"),
            ("INCREX k BYFLOAT -50 LBOUND -5.5 SATURATE", "*2 $4 -5.5 $3 -48"),
            ("GET k", "$4 -5.5"),
            ("INCREX none BYFLOAT -0.5 UBOUND -1.5", "*2 $1 0 $1 0"),
            ("EXISTS none", ":0"),
            ("INCREX k BYFLOAT inf", "-ERR BYFLOAT increment cannot be Infinity"),
            (
                "INCREX k BYFLOAT 1 LBOUND inf UBOUND inf SATURATE",
                "-ERR increment would produce NaN or Infinity",
            ),
            ("SET big 1e4932", "+OK"),
            ("SET i inf", "+OK"),
            ("INCREX i BYFLOAT 1", "-ERR value cannot be Infinity"),
            ("INCREX k BYINT 1", "-ERR value is not an integer or out of range"),
        ];
        check(&mut Harness::new(), &dialogue);
        let mut server = Harness::new();
        server.say("SET big 1e4932");
        let kept = server.say("INCREX big BYFLOAT 1e4932");
        assert!(kept.ends_with(" $1 0"), "{kept}");
        assert!(
            server
                .say("INCREX big BYFLOAT 1e4932 SATURATE")
                .starts_with("*2 $4933 1189")
        );
        assert_eq!(Harness::resp3().say("INCREX k BYFLOAT 2.5"), "*2 ,2.5 ,2.5");
    }

    #[test]
    fn times_to_die() {
        let mut server = Harness::new();
        check(
            &mut server,
            &[
                ("INCREX k EX 100 ENX", "*2 :1 :1"),
                ("TTL k", ":100"),
                ("INCREX k EX 10 ENX", "*2 :2 :1"),
                ("TTL k", ":100"),
                ("INCREX k", "*2 :3 :1"),
                ("TTL k", ":100"),
                ("INCREX k BYINT 5 UBOUND 4 EX 500", "*2 :3 :0"),
                ("TTL k", ":100"),
                ("INCREX k PX 5000", "*2 :4 :1"),
                ("TTL k", ":5"),
                ("INCREX k EXAT 1 ENX", "*2 :5 :1"),
                ("TTL k", ":5"),
                ("INCREX k PERSIST", "*2 :6 :1"),
                ("TTL k", ":-1"),
                ("INCREX k EXAT 1", "*2 :7 :1"),
                ("EXISTS k", ":0"),
                ("INCREX k PXAT 1", "*2 :1 :1"),
                ("EXISTS k", ":0"),
                ("INCREX k EX 1", "*2 :1 :1"),
            ],
        );
        server.advance_ms(1000);
        assert_eq!(server.say("INCREX k EX 1"), "*2 :1 :1");
    }

    #[test]
    fn mistakes() {
        let syntax = "-ERR syntax error";
        let mut server = Harness::new();
        server.say("RPUSH l a");
        server.say("SET text hello");
        for line in [
            "FOO",
            "BYINT",
            "BYINT 1 FOO",
            "BYINT 1 BYFLOAT 1.5",
            "BYINT 1 BYINT 2",
            "LBOUND 0 LBOUND 1",
            "SATURATE SATURATE",
            "EX 10 PX 5",
            "EX 10 EX 20",
            "EX 10 PERSIST",
            "PERSIST ENX",
            "ENX PERSIST",
            "PERSIST PERSIST",
            "ENX ENX EX 10",
            "KEEPTTL",
        ] {
            assert_eq!(server.say(&format!("INCREX k {line}")), syntax, "{line}");
        }
        check(
            &mut server,
            &[
                ("INCREX k ENX", "-ERR ENX flag requires an expiration"),
                ("INCREX k BYINT 1.5", "-ERR Increment is not an integer or out of range"),
                ("INCREX k BYFLOAT abc", "-ERR Increment is not a valid float"),
                ("INCREX k LBOUND 1.5", "-ERR LBOUND is not an integer or out of range"),
                ("INCREX k BYFLOAT 1 UBOUND abc", "-ERR UBOUND is not a valid float"),
                ("INCREX k LBOUND 2 UBOUND 1", "-ERR LBOUND can't be greater than UBOUND"),
                ("INCREX k EX 0", "-ERR invalid expire time in 'increx' command"),
                ("INCREX text", "-ERR value is not an integer or out of range"),
                ("INCREX text BYFLOAT 1", "-ERR value is not a valid float"),
                ("EXISTS k", ":0"),
            ],
        );
        assert!(server.say("INCREX l").starts_with("-WRONGTYPE"));
    }
}
