//! Many keys at once: `KRANGE`, `KCOUNT`.

use super::shape::Shape;
use super::{ACL, bound, must_be_ordered};
use crate::commands::error::CmdError;
use crate::commands::spec::{Access, CmdResult, Group, Handler, Spec};
use crate::commands::support::number::parse_i64;
use crate::engine::index::ordered::{Edge, KeyRange};
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::ranges::Part;
use crate::resp::{Args, Reply};

/// Keys of a step of a walk unless `COUNT` says otherwise, as SCAN has it.
const COUNT_DEFAULT: usize = 10;

/// `KCOUNT min max [PREFIX prefix]`
pub const KCOUNT: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    acl: ACL,
    summary: "Counts the keys of an ordered collection between two bounds",
    complexity: "O(log(N)) with N being the number of keys of a bcust collection. O(N) in a bdef one, with a constant \
                 below a hundredth: whole pages are counted at a time.",
    syntax: "min max [PREFIX prefix]",
    ..Spec::new("kcount", Group::Collection, -3, Handler::Keyspace(kcount))
};

/// `KRANGE min max [PREFIX prefix] [REV] [LIMIT offset count | CURSOR cursor [COUNT count]] [WITHVALUES] [WITHTYPES]`
pub const KRANGE: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    acl: ACL,
    summary: "Lists the keys of an ordered collection between two bounds, in order",
    complexity: "O(log(N)+M) with N being the number of keys and M those listed; in a bdef collection an offset takes \
                 O(N) with a constant below a hundredth.",
    syntax: "min max [PREFIX prefix] [REV] [LIMIT offset count | CURSOR cursor [COUNT count]] [WITHVALUES] [WITHTYPES]",
    ..Spec::new("krange", Group::Collection, -3, Handler::Keyspace(krange))
};

/// `PREFIX prefix` or nothing.
pub(super) fn prefix_only(args: Args<'_>, at: usize) -> Result<Option<&[u8]>, CmdError> {
    match (args.get(at), args.get(at + 1)) {
        (None, _) => Ok(None),
        (Some(option), Some(prefix)) if option.eq_ignore_ascii_case(b"prefix") && args.len() == at + 2 => {
            Ok(Some(prefix))
        }
        _ => Err(CmdError::Syntax),
    }
}

fn kcount(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let range = bound::range(args.at(1), args.at(2), prefix_only(args, 3)?);
    must_be_ordered(txn, "KCOUNT")?;
    reply.int(txn.count(&range) as i64);
    Ok(())
}

/// What KRANGE was asked for.
#[derive(Default)]
struct Options<'a> {
    prefix: Option<&'a [u8]>,
    reverse: bool,
    limit: Option<(i64, i64)>,
    cursor: Option<&'a [u8]>,
    count: Option<usize>,
    shape: Shape,
}

impl<'a> Options<'a> {
    fn parse(options: Args<'a>) -> Result<Self, CmdError> {
        let mut parsed = Self::default();
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            if parsed.shape.take(option, "withvalues", "withtypes") {
                continue;
            }
            let mut value = || rest.next().ok_or(CmdError::Syntax);
            match option.to_ascii_lowercase().as_slice() {
                b"prefix" => parsed.prefix = Some(value()?),
                b"rev" => parsed.reverse = true,
                b"limit" => parsed.limit = Some((int(value()?)?, int(value()?)?)),
                b"cursor" => parsed.cursor = Some(value()?),
                b"count" => {
                    let count = usize::try_from(int(value()?)?).ok().filter(|count| *count > 0);
                    parsed.count = Some(count.ok_or(CmdError::Syntax)?);
                }
                _ => return Err(CmdError::Syntax),
            }
        }
        let is_walk = parsed.cursor.is_some();
        if parsed.limit.is_some() && is_walk || parsed.count.is_some() && !is_walk {
            return Err(CmdError::Syntax);
        }
        Ok(parsed)
    }
}

fn int(text: &[u8]) -> Result<i64, CmdError> {
    parse_i64(text).ok_or(CmdError::NotInteger)
}

fn krange(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args.skip(3))?;
    must_be_ordered(txn, "KRANGE")?;
    let range = bound::range(args.at(1), args.at(2), options.prefix);
    if let Some(cursor) = options.cursor {
        return walk(txn, range, cursor, &options, reply);
    }
    let (offset, count) = options.limit.unwrap_or((0, -1));
    let part = Part {
        reverse: options.reverse,
        offset: usize::try_from(offset).unwrap_or(0),
        // As in ZRANGEBYLEX: nothing behind a negative offset, everything for a negative count.
        limit: if offset < 0 {
            0
        } else {
            usize::try_from(count).unwrap_or(usize::MAX)
        },
    };
    let header = reply.deferred_array();
    let mut elements = 0;
    txn.range(&range, part, |entry| elements += options.shape.write_item(entry, reply));
    reply.finish_array(header, elements);
    Ok(())
}

/// A step of a walk. The cursor is `0` at both ends, and else the last key seen, as a bound that leaves it out: it
/// needs nothing kept here, and holds whatever happens to the keys meanwhile.
fn walk(
    txn: &mut KeyspaceTxn<'_, '_>,
    mut range: KeyRange,
    cursor: &[u8],
    options: &Options<'_>,
    reply: &mut Reply,
) -> CmdResult {
    match cursor {
        b"0" => {}
        [b'(', last @ ..] if options.reverse => range.high = range.high.min(Edge::Before(last.to_vec())),
        [b'(', last @ ..] => range.low = range.low.max(Edge::After(last.to_vec())),
        _ => return Err(CmdError::text("ERR invalid cursor")),
    }
    let count = options.count.unwrap_or(COUNT_DEFAULT);
    let part = Part {
        reverse: options.reverse,
        offset: 0,
        // One more tells whether the walk goes on.
        limit: count.saturating_add(1),
    };
    let mut items = Reply::new(reply.proto());
    let (mut seen, mut elements, mut last) = (0, 0, Vec::new());
    txn.range(&range, part, |entry| {
        seen += 1;
        if seen <= count {
            elements += options.shape.write_item(entry, &mut items);
        }
        if seen == count {
            last = entry.key().to_vec();
        }
    });
    reply.array(2);
    if seen > count {
        reply.bulk(&[b"(", last.as_slice()].concat());
    } else {
        reply.bulk(b"0");
    }
    reply.array(elements);
    reply.extend(items);
    Ok(())
}
