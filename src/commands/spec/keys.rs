//! Where a command's keys are, and what it does with them. The only place where keys are found.

use smallvec::SmallVec;

use super::super::error::CmdError;
use super::{Access, Spec};
use crate::resp::Args;

/// Where a command's keys begin.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// At this argument (0 is the command itself).
    Index(usize),
    /// Behind this word, which options may stand before.
    Keyword {
        /// The word, in capitals.
        word: &'static str,
        /// From which argument on clients may look for it.
        from: usize,
        /// The options, with how many arguments each has.
        options: &'static [(&'static str, usize)],
    },
    /// Behind this word, where it is given. Where it is more than once, the command may mean any of those places.
    Optional {
        /// The word, in capitals.
        word: &'static str,
        /// Index of the first argument that may be the word.
        from: usize,
    },
    /// Where the function says, if anywhere; `COMMAND INFO` calls it unknown.
    Unknown(fn(Args<'_>) -> Option<usize>),
    /// Nobody can tell before the command runs, since names are made of what it reads; the function says whether the
    /// call has such keys. `COMMAND INFO` calls it unknown, too.
    Untold(fn(Args<'_>) -> bool),
}

impl Begin {
    /// Which of these arguments it is, if that can be told.
    fn place(self, args: Args<'_>) -> Option<usize> {
        let Self::Keyword { word, options, .. } = self else {
            let Self::Index(at) = self else { return None };
            return Some(at);
        };
        let mut at = 1;
        loop {
            let argument = args.get(at)?;
            let is = |name: &str| argument.eq_ignore_ascii_case(name.as_bytes());
            if is(word) {
                return (at + 1 < args.len()).then_some(at + 1);
            }
            at += 1 + options.iter().find(|(name, _)| is(name))?.1;
        }
    }
}

/// How the keys go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Every `step`-th argument up to `last` (relative to the begin; negative counts from the end, -1 the last one).
    Range {
        /// Last key.
        last: i32,
        /// Distance between keys.
        step: usize,
        /// Divides what is left when `last` is -1 (as in Redis); 0 or 1 = all of it.
        limit: usize,
    },
    /// An argument at `count_at` gives their number, the first at `first` (both relative to the begin).
    Count {
        /// Where the number is.
        count_at: usize,
        /// Where the first key is.
        first: usize,
        /// Distance between keys.
        step: usize,
    },
}

/// One run of keys and what the command does with them.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// What is done with them.
    pub access: Access,
    /// Where it begins.
    pub begin: Begin,
    /// How it goes on.
    pub find: Find,
    /// Remark shown by `COMMAND INFO`.
    pub notes: Option<&'static str>,
    /// The same in one call, of a command whose options decide what it does with its keys (`variable_flags`).
    pub access_of: Option<fn(Args<'_>) -> Access>,
}

/// A single key as first argument, the usual case.
pub const fn first_key(flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        access: Access::of(flags),
        begin: Begin::Index(1),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        notes: None,
        access_of: None,
    }
}

/// A single key as argument `at`.
pub const fn key_at(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        ..first_key(flags)
    }
}

/// A single key behind a word that may stand from argument `from` on. Where the word comes more than once, the command
/// may mean any of those keys.
pub const fn key_behind(word: &'static str, from: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Optional { word, from },
        ..first_key(flags)
    }
}

/// All arguments behind a word that may stand from argument `from` on.
pub const fn keys_behind(word: &'static str, from: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Optional { word, from },
        ..all_keys(flags, from, 1)
    }
}

/// Argument `at` is a number, and so many keys follow.
pub const fn counted_keys(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Count {
            count_at: 0,
            first: 1,
            step: 1,
        },
        ..first_key(flags)
    }
}

/// All arguments from `begin` on, every `step`-th, are keys.
pub const fn all_keys(flags: &'static [&'static str], begin: usize, step: usize) -> KeySpec {
    KeySpec {
        access: Access::of(flags),
        begin: Begin::Index(begin),
        find: Find::Range {
            last: -1,
            step,
            limit: 0,
        },
        notes: None,
        access_of: None,
    }
}

/// One key of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Which argument it is.
    pub index: usize,
    /// What the call does with it.
    pub access: Access,
}

/// The keys of a call.
pub type KeyUses = SmallVec<[KeyUse; 4]>;

fn invalid() -> CmdError {
    CmdError::text("ERR Invalid arguments specified for command")
}

impl Spec {
    /// The keys among `args`, those that nobody can tell left out.
    ///
    /// # Errors
    /// When a key count among the arguments is not a number that fits.
    pub fn key_uses(&self, args: Args<'_>) -> Result<KeyUses, CmdError> {
        let mut uses = KeyUses::new();
        for spec in self.keys {
            let access = spec.access_in(args);
            spec.visit(args, |index| uses.push(KeyUse { index, access }))?;
        }
        Ok(uses)
    }

    /// Whether the call has keys beside those, which nobody can tell before it runs.
    pub fn has_untold_keys(&self, args: Args<'_>) -> bool {
        self.keys
            .iter()
            .any(|spec| matches!(spec.begin, Begin::Untold(has) if has(args)))
    }

    /// Whether calls can have such keys.
    pub fn may_have_untold_keys(&self) -> bool {
        self.keys.iter().any(|spec| matches!(spec.begin, Begin::Untold(_)))
    }

    /// The only key's index, if the spec says that there is exactly one at a fixed place.
    pub const fn single_key(&self) -> Option<usize> {
        match self.keys {
            [
                KeySpec {
                    begin: Begin::Index(at),
                    find: Find::Range { last: 0, .. },
                    ..
                },
            ] => Some(*at),
            _ => None,
        }
    }
}

impl KeySpec {
    /// What the call with these arguments does with the keys.
    pub fn access_in(&self, args: Args<'_>) -> Access {
        self.access_of.map_or(self.access, |access_of| access_of(args))
    }

    /// Visits the indices of these keys among `args`.
    fn visit(&self, args: Args<'_>, mut visit: impl FnMut(usize)) -> Result<(), CmdError> {
        match self.begin {
            Begin::Optional { word, from } => {
                let is_word = |at: &usize| {
                    args.get(*at)
                        .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
                };
                let mut words = (from..args.len().saturating_sub(1)).filter(is_word);
                words.try_for_each(|at| self.visit_from(at + 1, args, &mut visit))
            }
            Begin::Unknown(find) => {
                find(args).into_iter().for_each(visit);
                Ok(())
            }
            Begin::Untold(_) => Ok(()),
            Begin::Index(_) | Begin::Keyword { .. } => {
                let begin = self.begin.place(args).ok_or_else(invalid)?;
                self.visit_from(begin, args, &mut visit)
            }
        }
    }

    fn visit_from(&self, begin: usize, args: Args<'_>, visit: &mut impl FnMut(usize)) -> Result<(), CmdError> {
        match self.find {
            Find::Range { limit, .. } if limit > 1 && !args.len().saturating_sub(begin).is_multiple_of(limit) => {
                return Err(invalid());
            }
            Find::Range { last, step, limit } => {
                let last = if last >= 0 {
                    begin + last as usize
                } else if limit <= 1 {
                    args.len().saturating_sub(last.unsigned_abs() as usize)
                } else {
                    (begin + args.len().saturating_sub(begin) / limit).saturating_sub(1)
                };
                let all = (begin..=last).step_by(step.max(1));
                all.filter(|at| *at < args.len()).for_each(visit);
            }
            Find::Count { count_at, first, step } => {
                let count = args.get(begin + count_at).ok_or_else(invalid)?;
                let count = std::str::from_utf8(count)
                    .ok()
                    .and_then(|text| text.parse::<usize>().ok());
                let count = count.ok_or_else(invalid)?;
                let start = begin + first;
                // Compared with the keys that there is room for: any number may stand here, and `count * step` may
                // wrap.
                let room = args.len().saturating_sub(start).div_ceil(step.max(1));
                if count == 0 || count > room {
                    return Err(invalid());
                }
                (0..count).map(|n| start + n * step).for_each(visit);
            }
        }
        Ok(())
    }
}
