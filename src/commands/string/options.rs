//! The options that SET, MSETEX and GETEX share.
//!
//! **Invariant:** options exclude each other as in Redis: an expiry option may be repeated (the last one counts), but
//! not mixed with another one.

use super::compare::Test;
use crate::commands::CmdError;
use crate::commands::support::expire::{TimeBase, TimeUnit, parse_positive_expire};
use crate::commands::value::expire_error;
use crate::resp::Args;

/// Which command's options are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// NX, XX, IFEQ and its kin, GET, KEEPTTL and times.
    Set,
    /// NX, XX, KEEPTTL and times.
    MSetEx,
    /// PERSIST and times.
    GetEx,
}

/// What has to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// It does not matter.
    #[default]
    Always,
    /// NX
    Missing,
    /// XX
    Existing,
    /// IFEQ, IFNE, IFDEQ, IFDNE: a string of which this is true, with its operand.
    If(Test, &'a [u8]),
}

impl Condition<'_> {
    /// Whether it is one of a kind with another, which may be given with it.
    fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::If(one, _), Self::If(other, _)) => one == other,
            (one, other) => one == other,
        }
    }
}

/// What becomes of the expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expiry<'a> {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// KEEPTTL
    Keep,
    /// PERSIST
    Persist,
    /// EX, PX, EXAT, PXAT
    At(ExpireTime<'a>),
}

/// A time as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExpireTime<'a> {
    text: &'a [u8],
    unit: TimeUnit,
    base: TimeBase,
}

impl<'a> ExpireTime<'a> {
    /// The time that the option `word` has with `text`, if it is one.
    pub(super) fn of_option(word: &[u8], text: &'a [u8]) -> Option<Self> {
        let (unit, base) = time_option(word)?;
        Some(Self { text, unit, base })
    }

    /// A time from now.
    pub(super) fn from_now(text: &'a [u8], unit: TimeUnit) -> Self {
        Self {
            text,
            unit,
            base: TimeBase::Now,
        }
    }

    /// The Unix time in milliseconds; `command` is named in errors.
    pub(super) fn resolve(self, now_ms: u64, command: &str) -> Result<u64, CmdError> {
        parse_positive_expire(self.text, self.unit, self.base, now_ms.cast_signed())
            .map(i64::cast_unsigned)
            .map_err(|error| expire_error(error, command))
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Options<'a> {
    /// NX, XX, IFEQ …
    pub(super) condition: Condition<'a>,
    /// GET
    pub(super) get: bool,
    /// KEEPTTL, PERSIST, a time
    pub(super) expiry: Expiry<'a>,
}

impl<'a> Options<'a> {
    /// Reads `args`, which begin with the first option.
    pub(super) fn parse(args: Args<'a>, dialect: Dialect) -> Result<Self, CmdError> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(word) = rest.next() {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            let (sets, one) = (dialect != Dialect::GetEx, dialect == Dialect::Set);
            if sets && is(b"NX") {
                options.require(Condition::Missing)?;
            } else if sets && is(b"XX") {
                options.require(Condition::Existing)?;
            } else if one && is(b"GET") {
                options.get = true;
            } else if sets && is(b"KEEPTTL") {
                options.expire(Expiry::Keep)?;
            } else if !sets && is(b"PERSIST") {
                options.expire(Expiry::Persist)?;
            } else if let Some(test) = Test::parse(word).filter(|_| one) {
                let operand = rest.next().ok_or(CmdError::Syntax)?;
                options.require(Condition::If(test, operand))?;
            } else {
                let time = rest.next().and_then(|text| ExpireTime::of_option(word, text));
                options.expire(Expiry::At(time.ok_or(CmdError::Syntax)?))?;
            }
        }
        Ok(options)
    }

    fn require(&mut self, condition: Condition<'a>) -> Result<(), CmdError> {
        if self.condition != Condition::Always && !self.condition.is_like(condition) {
            return Err(CmdError::Syntax);
        }
        self.condition = condition;
        Ok(())
    }

    fn expire(&mut self, expiry: Expiry<'a>) -> Result<(), CmdError> {
        let compatible = match (self.expiry, expiry) {
            (Expiry::Unsaid, _) => true,
            (Expiry::At(old), Expiry::At(new)) => (old.unit, old.base) == (new.unit, new.base),
            (old, new) => old == new,
        };
        if !compatible {
            return Err(CmdError::Syntax);
        }
        self.expiry = expiry;
        Ok(())
    }
}

fn time_option(word: &[u8]) -> Option<(TimeUnit, TimeBase)> {
    let options: [(&[u8], TimeUnit, TimeBase); 4] = [
        (b"EX", TimeUnit::Seconds, TimeBase::Now),
        (b"PX", TimeUnit::Milliseconds, TimeBase::Now),
        (b"EXAT", TimeUnit::Seconds, TimeBase::Epoch),
        (b"PXAT", TimeUnit::Milliseconds, TimeBase::Epoch),
    ];
    options
        .into_iter()
        .find(|(name, ..)| word.eq_ignore_ascii_case(name))
        .map(|(_, unit, base)| (unit, base))
}
