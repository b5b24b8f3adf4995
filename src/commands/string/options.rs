//! The options that SET and GETEX share.
//!
//! **Invariant:** options exclude each other as in Redis: an expiry option may be repeated (the last one counts), but
//! not mixed with another one.

use crate::commands::CmdError;
use crate::commands::support::expire::{TimeBase, TimeUnit, parse_positive_expire};
use crate::commands::value::expire_error;
use crate::resp::Args;

/// Which command's options are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// NX, XX, GET, KEEPTTL and times.
    Set,
    /// PERSIST and times.
    GetEx,
}

/// Whether the key has to exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    /// It does not matter.
    #[default]
    Always,
    /// NX
    Missing,
    /// XX
    Existing,
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
    /// NX, XX
    pub(super) condition: Condition,
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
            let set = dialect == Dialect::Set;
            if set && is(b"NX") {
                options.require(Condition::Missing)?;
            } else if set && is(b"XX") {
                options.require(Condition::Existing)?;
            } else if set && is(b"GET") {
                options.get = true;
            } else if set && is(b"KEEPTTL") {
                options.expire(Expiry::Keep)?;
            } else if !set && is(b"PERSIST") {
                options.expire(Expiry::Persist)?;
            } else {
                let (unit, base) = time_option(word).ok_or(CmdError::Syntax)?;
                let text = rest.next().ok_or(CmdError::Syntax)?;
                options.expire(Expiry::At(ExpireTime { text, unit, base }))?;
            }
        }
        Ok(options)
    }

    fn require(&mut self, condition: Condition) -> Result<(), CmdError> {
        if self.condition != Condition::Always && self.condition != condition {
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
