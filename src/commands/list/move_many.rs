//! Several elements from one list to another at once: LMOVEM, BLMOVEM.
//!
//! **Invariant:** a list whose elements go back into it never becomes empty, so that it keeps its expiry.

use std::ops::ControlFlow;

use super::common::{End, old_list, take};
use super::move_one::LMOVE;
use crate::commands::blocking::{Attempt, Wait, timeout_s};
use crate::commands::spec::flag;
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::blocked::Wanted;
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::container::Kind;
use crate::page::list::ListOp;
use crate::page::packed::pack;
use crate::page::value::ValueType;
use crate::resp::{Args, Reply};

const COMPLEXITY: &str = "O(N) where N is the number of elements moved.";

pub(super) const LMOVEM: Spec = Spec {
    since: "8.10.0",
    summary: "Moves elements from an end of a list to an end of another, and returns them",
    complexity: COMPLEXITY,
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    ..Spec {
        name: "lmovem",
        arity: -5,
        handler: Handler::Write(lmovem),
        ..LMOVE
    }
};

fn lmovem(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let order = Order::parse(args, 5)?;
    match order.count(txn, args.at(1))? {
        0 => reply.null_array(),
        count => order.run(txn, args, count, reply)?,
    }
    Ok(())
}

pub(super) const BLMOVEM: Spec = Spec {
    flags: flag::DENY_OOM | flag::BLOCKING,
    summary: "Moves elements from an end of a list to an end of another, and waits for them if they are not there",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    ..Spec {
        name: "blmovem",
        arity: -6,
        handler: Handler::Blocking(blmovem),
        ..LMOVEM
    }
};

fn blmovem(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Result<Attempt, CmdError> {
    let order = Order::parse(args, 6)?;
    let timeout = timeout_s(args.at(5))?;
    let count = order.count(txn, args.at(1))?;
    if count == 0 || txn.is_promised(args.at(1)) {
        let wait = Wait::for_values(Kind::List, 1..2, timeout);
        return Ok(Attempt::Nothing(match order.is_exact {
            // A shorter list stays for whoever wants less.
            true => Wait {
                wanted: Wanted::Enough(ValueType::Container(Kind::List)),
                ..wait
            },
            false => wait,
        }));
    }
    order.run(txn, args, count, reply)?;
    Ok(Attempt::Done)
}

/// What is to be moved and how.
struct Order {
    from: End,
    to: End,
    count_max: u64,
    /// EXACTLY: fewer are none.
    is_exact: bool,
    /// BULK: elements keep their order, and are not turned around by coming one by one.
    keeps_order: bool,
}

impl Order {
    /// Reads the ends, and the options from argument `at` on.
    fn parse(args: Args<'_>, at: usize) -> Result<Self, CmdError> {
        let mut order = Self {
            from: End::parse(args.at(3))?,
            to: End::parse(args.at(4))?,
            count_max: 1,
            is_exact: false,
            keeps_order: false,
        };
        let options = args.skip(at);
        if options.is_empty() {
            return Ok(order);
        }
        if options.len() != 3 {
            return Err(CmdError::Syntax);
        }
        let is = |option: usize, name: &[u8]| options.at(option).eq_ignore_ascii_case(name);
        order.is_exact = is(0, b"EXACTLY");
        if !order.is_exact && !is(0, b"COUNT") {
            return Err(CmdError::Syntax);
        }
        let count = parse_i64(options.at(1)).filter(|count| *count > 0);
        order.count_max = count.ok_or(CmdError::text("ERR count should be greater than 0"))? as u64;
        order.keeps_order = is(2, b"BULK");
        if !order.keeps_order && !is(2, b"OBO") {
            return Err(CmdError::Syntax);
        }
        Ok(order)
    }

    /// How many elements can be moved.
    fn count(&self, txn: &mut Txn<'_, '_>, source: &[u8]) -> Result<u64, CmdError> {
        let len = old_list(txn, source)?.map_or(0, |list| list.len());
        Ok(if self.is_exact && len < self.count_max {
            0
        } else {
            len.min(self.count_max)
        })
    }

    /// Moves so many elements, which are there, and answers with them.
    fn run(&self, txn: &mut Txn<'_, '_>, args: Args<'_>, count: u64, reply: &mut Reply) -> CmdResult {
        let (source, target) = (args.at(1), args.at(2));
        old_list(txn, target)?;
        let moved = self.arranged(txn, source, count)?;
        if source == target {
            self.turn(txn, source, &moved)?;
        } else {
            // In this order: where the log has no room for what is put there, nothing is taken either.
            push(txn, target, self.to, &moved);
            take(txn, source, self.from, count, |_| ())?;
        }
        txn.notify(Classes::LIST, self.to.pushed(), target);
        txn.notify_taken(Classes::LIST, self.from.popped(), source);
        reply.array(moved.len());
        moved.iter().for_each(|element| reply.bulk(element));
        Ok(())
    }

    /// The elements that are to be moved, as they will stand from left to right.
    fn arranged(&self, txn: &mut Txn<'_, '_>, source: &[u8], count: u64) -> Result<Vec<Vec<u8>>, CmdError> {
        let mut moved = Vec::new();
        let Some(list) = old_list(txn, source)? else {
            return Ok(moved);
        };
        let first = if self.from.is_front() { 0 } else { list.len() - count };
        let _: ControlFlow<()> = list.for_each_from(first, |item| {
            moved.push(item.bytes().into_owned());
            if moved.len() as u64 == count {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if self.from == self.to && !self.keeps_order {
            moved.reverse();
        }
        Ok(moved)
    }

    /// Moves them within one list.
    fn turn(&self, txn: &mut Txn<'_, '_>, key: &[u8], moved: &[Vec<u8>]) -> CmdResult {
        let count = moved.len() as u64;
        let is_all = old_list(txn, key)?.is_some_and(|list| list.len() == count);
        if self.from == self.to && !is_all {
            take(txn, key, self.from, count, |_| ())?;
            push(txn, key, self.to, moved);
        } else {
            // Where all are moved both ends are as good.
            push(txn, key, self.from.opposite(), moved);
            take(txn, key, self.from, count, |_| ())?;
        }
        Ok(())
    }
}

/// Puts elements, which stand from left to right, at an end of a list.
fn push(txn: &mut Txn<'_, '_>, key: &[u8], end: End, elements: &[Vec<u8>]) {
    let elements = elements.iter().map(Vec::as_slice);
    // The last one that comes in is the outermost.
    let elements = match end {
        End::Left => pack(elements.rev()),
        End::Right => pack(elements),
    };
    let op = ListOp::Push {
        front: end.is_front(),
        elements: &elements,
    };
    txn.apply(&Effect::List { key, op });
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Harness;

    fn fill(server: &mut Harness) {
        server.say("DEL s d");
        server.say("RPUSH s a b c d");
        server.say("RPUSH d x y");
    }

    #[test]
    fn elements_in_either_order() {
        let mut server = Harness::new();
        for (ends, order, reply, target) in [
            ("LEFT LEFT", "OBO", "b a", "b a x y"),
            ("LEFT LEFT", "BULK", "a b", "a b x y"),
            ("LEFT RIGHT", "OBO", "a b", "x y a b"),
            ("LEFT RIGHT", "BULK", "a b", "x y a b"),
            ("RIGHT LEFT", "OBO", "c d", "c d x y"),
            ("RIGHT LEFT", "BULK", "c d", "c d x y"),
            ("RIGHT RIGHT", "OBO", "d c", "x y d c"),
            ("RIGHT RIGHT", "BULK", "c d", "x y c d"),
        ] {
            fill(&mut server);
            let said = server.say(&format!("LMOVEM s d {ends} COUNT 2 {order}"));
            assert_eq!(said.replace("$1 ", ""), format!("*2 {reply}"), "{ends} {order}");
            let list = server.say("LRANGE d 0 -1");
            assert_eq!(list.replace("$1 ", ""), format!("*4 {target}"), "{ends} {order}");
            assert_eq!(server.say("LLEN s"), ":2");
        }
    }

    #[test]
    fn within_one_list() {
        let mut server = Harness::new();
        for (how, list) in [
            ("LEFT LEFT COUNT 2 OBO", "b a c d"),
            ("LEFT LEFT COUNT 2 BULK", "a b c d"),
            ("LEFT RIGHT COUNT 2 BULK", "c d a b"),
            ("RIGHT LEFT EXACTLY 3 OBO", "b c d a"),
            ("RIGHT RIGHT COUNT 2 OBO", "a b d c"),
            ("LEFT LEFT COUNT 9 OBO", "d c b a"),
            ("RIGHT RIGHT COUNT 4 OBO", "d c b a"),
            ("RIGHT LEFT COUNT 4 OBO", "a b c d"),
            ("LEFT RIGHT", "b c d a"),
        ] {
            fill(&mut server);
            server.say("EXPIRE s 100");
            server.say(&format!("LMOVEM s s {how}"));
            let found = server.say("LRANGE s 0 -1");
            assert_eq!(found.replace("$1 ", ""), format!("*4 {list}"), "{how}");
            assert_eq!(server.say("TTL s"), ":100", "{how}");
        }
    }

    #[test]
    fn how_many() {
        let mut server = Harness::new();
        fill(&mut server);
        server.say("SET text x");
        let count = "-ERR count should be greater than 0";
        let syntax = "-ERR syntax error";
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for (line, reply) in [
            ("LMOVEM nosuch d LEFT RIGHT", "*-1"),
            ("LMOVEM nosuch text LEFT RIGHT COUNT 5 BULK", "*-1"),
            ("LMOVEM s d LEFT RIGHT EXACTLY 5 BULK", "*-1"),
            ("BLMOVEM s d LEFT RIGHT 0 EXACTLY 5 BULK", "*-1"),
            ("BLMOVEM nosuch d LEFT RIGHT 0", "*-1"),
            ("LLEN s", ":4"),
            ("LMOVEM s text LEFT RIGHT", wrong_type),
            ("LMOVEM text d LEFT RIGHT", wrong_type),
            ("LMOVEM s d LEFT RIGHT COUNT 0 BULK", count),
            ("LMOVEM s d LEFT RIGHT EXACTLY -1 OBO", count),
            ("LMOVEM s d LEFT RIGHT COUNT a OBO", count),
            ("LMOVEM s d LEFT RIGHT COUNT 2", syntax),
            ("LMOVEM s d LEFT RIGHT COUNT 2 OBO extra", syntax),
            ("LMOVEM s d LEFT RIGHT BAD 2 OBO", syntax),
            ("LMOVEM s d LEFT RIGHT COUNT 2 BAD", syntax),
            ("LMOVEM s d LEFT MIDDLE COUNT 2 OBO", syntax),
            ("LMOVEM s d LEFT", "-ERR wrong number of arguments for 'lmovem' command"),
            (
                "BLMOVEM s d LEFT RIGHT x",
                "-ERR timeout is not a float or out of range",
            ),
            ("LMOVEM s d LEFT RIGHT", "*1 $1 a"),
            ("BLMOVEM s d LEFT RIGHT 0 EXACTLY 1 OBO", "*1 $1 b"),
            ("LMOVEM s d LEFT RIGHT COUNT 9223372036854775807 BULK", "*2 $1 c $1 d"),
            ("EXISTS s", ":0"),
            ("LRANGE d 0 -1", "*6 $1 x $1 y $1 a $1 b $1 c $1 d"),
        ] {
            assert_eq!(server.say(line), reply, "{line}");
        }
        assert_eq!(Harness::resp3().say("LMOVEM nosuch d LEFT RIGHT"), "_");
    }

    #[test]
    fn long_lists() {
        let mut server = Harness::new();
        let elements: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
        server.say(&format!("RPUSH s {}", elements.join(" ")));
        server.say("LMOVEM s d RIGHT LEFT COUNT 1000 OBO");
        server.say("LMOVEM s d RIGHT LEFT COUNT 1000 BULK");
        server.say("LMOVEM s d RIGHT LEFT COUNT 1000 BULK");
        server.say("LMOVEM d d LEFT RIGHT COUNT 3000 BULK");
        let words = server.say("LRANGE d 0 -1");
        let found: Vec<&str> = words.split(' ').skip(1).filter(|word| !word.starts_with('$')).collect();
        assert_eq!(found, elements);
    }
}
