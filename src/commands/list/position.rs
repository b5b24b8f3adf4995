//! Where an element is in a list: LPOS.

use std::ops::ControlFlow;

use super::common::list_of;
use crate::commands::spec::{Group, first_key};
use crate::commands::support::number::parse_i64;
use crate::commands::value::symmetric;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::list::ListRef;
use crate::page::packed::Item;
use crate::resp::{Args, Reply};

pub(super) const LPOS: Spec = Spec {
    since: "6.0.6",
    acl: &["list"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the places of elements that are equal to one",
    complexity: "O(N) where N is the number of elements in the list, for the average case. When searching for elements \
                 near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in \
                 constant time.",
    syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    ..Spec::new("lpos", Group::List, -3, Handler::Read(lpos))
};

struct Options {
    /// Which match comes first, from 1; from the back.
    skipped: u64,
    backwards: bool,
    /// How many; `None`: one, not in an array; 0: all.
    count: Option<u64>,
    /// How many elements are looked at; 0: all.
    looks_max: u64,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        let mut options = Self {
            skipped: 0,
            backwards: false,
            count: None,
            looks_max: 0,
        };
        let mut rest = args.iter();
        while let Some(option) = rest.next() {
            let value = rest.next().ok_or(CmdError::Syntax);
            match option.to_ascii_lowercase().as_slice() {
                b"rank" => {
                    let rank = symmetric(value?)?;
                    (options.skipped, options.backwards) =
                        (rank.unsigned_abs().checked_sub(1).ok_or(ZERO_RANK)?, rank < 0);
                }
                b"count" => options.count = Some(at_least_zero(value?, "ERR COUNT can't be negative")?),
                b"maxlen" => options.looks_max = at_least_zero(value?, "ERR MAXLEN can't be negative")?,
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(options)
    }
}

const ZERO_RANK: CmdError = CmdError::text(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from \
     the end of the list",
);

fn at_least_zero(value: &[u8], negative: &'static str) -> Result<u64, CmdError> {
    let value = parse_i64(value).ok_or(CmdError::text(negative))?;
    u64::try_from(value).map_err(|_| CmdError::text(negative))
}

fn lpos(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args.skip(3))?;
    let list = txn.get(args.at(1)).map(list_of).transpose()?;
    let found = list.map_or_else(Vec::new, |list| places(list, Item::of(args.at(2)), &options));
    match options.count {
        Some(_) => {
            reply.array(found.len());
            found.into_iter().for_each(|place| reply.int(place as i64));
        }
        None => match found.first() {
            Some(place) => reply.int(*place as i64),
            None => reply.null(),
        },
    }
    Ok(())
}

fn places(list: ListRef<'_>, element: Item<'_>, options: &Options) -> Vec<u64> {
    let last = list.len().saturating_sub(1);
    let wanted = match options.count {
        None => 1,
        Some(0) => u64::MAX,
        Some(count) => count,
    };
    let (mut looks, mut matches, mut found) = (0, 0, Vec::new());
    let look = |item: Item<'_>| {
        if options.looks_max > 0 && looks == options.looks_max {
            return ControlFlow::Break(());
        }
        if item.is(element) {
            matches += 1;
            if matches > options.skipped {
                found.push(if options.backwards { last - looks } else { looks });
            }
        }
        looks += 1;
        if found.len() as u64 == wanted {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let _ = if options.backwards {
        list.for_each_back_from(last, look)
    } else {
        list.for_each_from(0, look)
    };
    found
}
