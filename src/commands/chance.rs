//! What HRANDFIELD, SRANDMEMBER and ZRANDMEMBER have in common: how many are wanted, and the answer.

use super::error::CmdError;
use super::spec::CmdResult;
use super::value::symmetric;
use crate::engine::worker::Dice;
use crate::resp::{Args, Reply};

/// What an answer whose elements may repeat can measure. Any other is no larger than its container.
const REPEATED_BYTES_MAX: usize = 64 << 20;
/// What the shortest element takes, `$0`.
const ELEMENT_BYTES_MIN: u64 = 6;

const TOO_LARGE: CmdError = CmdError::text("ERR the reply would take more than 64 MiB, ask for fewer elements");

/// Gives a uniform number below its argument.
pub type Pick<'p> = &'p mut dyn FnMut(usize) -> usize;

/// A container to draw from.
pub trait Urn: Copy {
    /// What is drawn.
    type Item: Copy;
    /// One, each with the same chance.
    fn one(self, pick: Pick<'_>) -> Option<Self::Item>;
    /// So many different ones, or all if there are fewer; each choice with the same chance.
    fn sample(self, count: usize, pick: Pick<'_>) -> Vec<Self::Item>;
    /// Whether drawing one means to look at all.
    fn is_walked(self) -> bool;
}

/// How many are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One, answered by itself.
    One,
    /// So many different ones.
    Different(u64),
    /// So many, each drawn out of all.
    Repeated(u64),
}

/// How an answer is written.
pub struct Form<T> {
    /// The beginning of so many elements.
    pub header: fn(&mut Reply, usize, bool),
    /// An element.
    pub element: fn(&mut Reply, T, bool),
    /// Whether an element shows more than its name; passed to both.
    pub is_full: bool,
}

impl Wanted {
    /// Reads the argument after the key, if there is one.
    ///
    /// # Errors
    /// With the texts of Redis.
    pub fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        let Some(count) = args.get(2) else {
            return Ok(Self::One);
        };
        let count = symmetric(count)?;
        Ok(match count {
            0.. => Self::Different(count.unsigned_abs()),
            _ => Self::Repeated(count.unsigned_abs()),
        })
    }

    /// The same, and whether the word `option` follows, which doubles what is answered.
    ///
    /// # Errors
    /// With the texts of Redis.
    pub fn parse_with(args: Args<'_>, option: &[u8]) -> Result<(Self, bool), CmdError> {
        let wanted = Self::parse(args)?;
        let is_full = args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(option));
        if args.len() > 4 || args.len() == 4 && !is_full {
            return Err(CmdError::Syntax);
        }
        match wanted {
            Self::Different(count) | Self::Repeated(count) if is_full && count > i64::MAX as u64 / 2 => {
                Err(CmdError::text("ERR value is out of range"))
            }
            _ => Ok((wanted, is_full)),
        }
    }
}

/// Draws and answers; of a container that is not there, nothing.
///
/// # Errors
/// When elements that may repeat would take too much.
pub fn answer<U: Urn>(
    urn: Option<U>,
    wanted: Wanted,
    dice: &mut Dice,
    form: &Form<U::Item>,
    reply: &mut Reply,
) -> CmdResult {
    let mut pick = |n| dice.below(n);
    match (urn, wanted) {
        (None, Wanted::One) => reply.null(),
        (None, _) => reply.array(0),
        (Some(urn), Wanted::One) => match urn.one(&mut pick) {
            Some(item) => (form.element)(reply, item, false),
            None => reply.null(),
        },
        (Some(urn), Wanted::Different(count)) => {
            let items = urn.sample(usize::try_from(count).unwrap_or(usize::MAX), &mut pick);
            (form.header)(reply, items.len(), form.is_full);
            items
                .into_iter()
                .for_each(|item| (form.element)(reply, item, form.is_full));
        }
        (Some(urn), Wanted::Repeated(count)) => return repeated(urn, count, &mut pick, form, reply),
    }
    Ok(())
}

fn repeated<U: Urn>(urn: U, count: u64, pick: Pick<'_>, form: &Form<U::Item>, reply: &mut Reply) -> CmdResult {
    if count.saturating_mul(ELEMENT_BYTES_MIN) > REPEATED_BYTES_MAX as u64 {
        return Err(TOO_LARGE);
    }
    let listed = if urn.is_walked() {
        urn.sample(usize::MAX, pick)
    } else {
        Vec::new()
    };
    if urn.is_walked() && listed.is_empty() {
        reply.array(0);
        return Ok(());
    }
    let (mark, begin) = (reply.mark(), reply.len_bytes());
    (form.header)(reply, count as usize, form.is_full);
    for _ in 0..count {
        let item = match listed.len() {
            0 => urn.one(pick),
            len => listed.get(pick(len)).copied(),
        };
        if let Some(item) = item {
            (form.element)(reply, item, form.is_full);
        }
        if reply.len_bytes().saturating_sub(begin) > REPEATED_BYTES_MAX {
            reply.truncate(mark);
            return Err(TOO_LARGE);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::commands::testing::Harness;

    const COMMANDS: &[&str] = &["HRANDFIELD h", "SRANDMEMBER s", "ZRANDMEMBER z"];

    /// A hash, a set and a sorted set of `len` members; of the hash there were more, which are dead, if `has_dead`.
    fn server(len: usize, has_dead: bool) -> Harness {
        let mut server = Harness::new();
        for member in 0..len {
            server.say(&format!("HSET h m{member} v"));
            server.say(&format!("SADD s m{member}"));
            server.say(&format!("ZADD z {member} m{member}"));
        }
        if has_dead {
            server.say("HSET h dead v also v");
            server.say("HPEXPIRE h 10 FIELDS 2 dead also");
            server.advance_ms(20);
        }
        server
    }

    fn drawn(server: &mut Harness, command: &str) -> Vec<String> {
        let reply = server.say(command);
        let names = reply.split(' ').filter(|word| word.starts_with(['m', 'd', 'a']));
        names.map(str::to_owned).collect()
    }

    #[test]
    fn each_has_the_same_chance() {
        for (len, has_dead) in [(8, false), (8, true), (600, false), (600, true)] {
            let mut server = server(len, has_dead);
            // One, a few, many; such that each is to come up 60 times.
            for (count, share) in [("", 1), ("5", 5), ("-5", 5), ("-1", 1), ("7", 7)] {
                for command in COMMANDS {
                    let mut counts = BTreeMap::<String, usize>::new();
                    for _ in 0..60 * len / share {
                        let drawn = drawn(&mut server, &format!("{command} {count}"));
                        assert_eq!(drawn.len(), share);
                        drawn.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
                    }
                    // Once in some million runs one is beyond.
                    let bounds = counts.values().min().zip(counts.values().max());
                    assert_eq!(counts.len(), len, "{command} {count}");
                    assert!(
                        bounds.is_some_and(|(min, max)| *min > 15 && *max < 120),
                        "{command} {count}"
                    );
                }
            }
        }
    }

    #[test]
    fn different_ones_are_different() {
        for (len, has_dead) in [(8, false), (8, true), (600, false), (600, true)] {
            let mut server = server(len, has_dead);
            for command in COMMANDS {
                for count in [0, 1, 3, len / 3, len - 1, len, len + 1, 1_000_000] {
                    let mut drawn = drawn(&mut server, &format!("{command} {count}"));
                    drawn.sort();
                    drawn.dedup();
                    assert_eq!(drawn.len(), count.min(len), "{command} {count}");
                }
                assert_eq!(drawn(&mut server, &format!("{command} -2000")).len(), 2000);
            }
        }
    }

    #[test]
    fn a_reply_of_repetitions_is_bounded() {
        let mut server = server(8, false);
        let error = format!("-{TOO_LARGE}");
        let long = "l".repeat(40_000);
        server.say(&format!("SADD long {long}"));
        for command in COMMANDS {
            for count in ["-9223372036854775807", "-100000000", "-12000000"] {
                assert_eq!(server.say(&format!("{command} {count}")), error, "{command} {count}");
            }
        }
        // By what there is, not by their number.
        assert_eq!(server.say("SRANDMEMBER long -2000"), error);
        assert!(server.say("SRANDMEMBER long -1500").starts_with("*1500 $40000 lll"));
        assert_eq!(server.say("SRANDMEMBER nosuch -100000000"), "*0");
        assert_eq!(
            server.say("HRANDFIELD h -5000000000000000000 WITHVALUES"),
            "-ERR value is out of range"
        );
    }
}
