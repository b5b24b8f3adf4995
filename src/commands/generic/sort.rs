//! Sorting what a list, set or sorted set holds: SORT, SORT_RO.
//!
//! Patterns make keys out of elements, so nobody can say beforehand which keys are looked at: a call with patterns
//! locks the whole collection, any other its keys.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::sort_options::{Options, Pattern, has_patterns, target_index};
use crate::commands::spec::{Begin, Group, KeySpec, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::container::Kind;
use crate::page::entry::EntryRef;
use crate::page::list::ListRef;
use crate::page::packed::{Item, pack};
use crate::page::set::SetRef;
use crate::page::zset::ZsetRef;
use crate::page::{Packed, ValueRef};
use crate::resp::double::parse_lenient;
use crate::resp::{Args, Reply};

const SOURCE: KeySpec = first_key(&["RO", "access"]);
const BY_PATTERNS: KeySpec = KeySpec {
    begin: Begin::Untold(has_patterns),
    notes: Some(
        "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the \
         key we sort",
    ),
    ..SOURCE
};
const TARGET: KeySpec = KeySpec {
    begin: Begin::Unknown(target_index),
    notes: Some(
        "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the \
         argument array",
    ),
    ..first_key(&["OW", "update"])
};

/// `SORT key …`
pub const SORT: Spec = Spec {
    flags: flag::WRITE | flag::DENY_OOM | flag::MOVABLE_KEYS,
    acl: &["set", "sortedset", "list", "dangerous"],
    keys: &[SOURCE, BY_PATTERNS, TARGET],
    summary: "Sorts the elements of a list, set or sorted set, and answers with them or stores them",
    complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of \
                 returned elements. When the elements are not sorted, complexity is O(N).",
    syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE \
             destination]",
    ..Spec::new("sort", Group::Generic, -2, Handler::Write(sort))
};

/// `SORT_RO key …`
pub const SORT_RO: Spec = Spec {
    since: "7.0.0",
    flags: flag::READONLY | flag::MOVABLE_KEYS,
    keys: &[SOURCE, BY_PATTERNS],
    summary: "Sorts the elements of a list, set or sorted set, and answers with them",
    syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
    ..Spec {
        name: "sort_ro",
        handler: Handler::Read(sort_ro),
        ..SORT
    }
};

fn sort(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args.skip(2), true)?;
    let outputs = outputs(txn, args.at(1), &options)?;
    let Some(target) = options.target else {
        return answer(&outputs, reply);
    };
    let texts: Vec<&[u8]> = outputs
        .iter()
        .map(|output| output.as_deref().unwrap_or_default())
        .collect();
    if texts.is_empty() {
        txn.remove(target);
    } else {
        let packed = pack(texts.iter().copied());
        txn.replace(target, ValueRef::Packed(Kind::List, Packed::new(&packed)), None);
        txn.notify(Classes::LIST, "sortstore", target);
    }
    reply.int(texts.len() as i64);
    Ok(())
}

fn sort_ro(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args.skip(2), false)?;
    answer(&outputs(txn, args.at(1), &options)?, reply)
}

fn answer(outputs: &[Option<Vec<u8>>], reply: &mut Reply) -> CmdResult {
    reply.array(outputs.len());
    for output in outputs {
        match output {
            Some(output) => reply.bulk(output),
            None => reply.null(),
        }
    }
    Ok(())
}

/// What is answered or stored, in order.
fn outputs(txn: &mut ReadTxn<'_, '_>, key: &[u8], options: &Options<'_>) -> Result<Vec<Option<Vec<u8>>>, CmdError> {
    let elements = sorted(txn, key, options)?;
    if options.gets.is_empty() {
        return Ok(elements.into_iter().map(Some).collect());
    }
    let mut outputs = Vec::with_capacity(elements.len() * options.gets.len());
    for element in &elements {
        outputs.extend(options.gets.iter().map(|pattern| pattern.look_up(txn, element)));
    }
    Ok(outputs)
}

/// The elements that are wanted, in the order that is wanted.
fn sorted(txn: &mut ReadTxn<'_, '_>, key: &[u8], options: &Options<'_>) -> Result<Vec<Vec<u8>>, CmdError> {
    let Some(source) = txn.get(key).map(Source::of).transpose()? else {
        return Ok(Vec::new());
    };
    // A set has no order of its own that should get into a list.
    let sorts_texts = options.keeps_order() && options.target.is_some() && matches!(source, Source::Set(_));
    let window = Window::of(options, source.len());
    if options.keeps_order() && !sorts_texts {
        return Ok(source.in_order(window, options.descending));
    }
    let order = Order {
        by: options.by.filter(|_| !sorts_texts),
        alpha: options.alpha || sorts_texts,
        descending: options.descending,
    };
    let all = source.all();
    let mut rows = weighed(txn, all, &order)?;
    rows.sort_by(|one, other| one.compare(other, &order));
    let rows = rows.into_iter().skip(window.start).take(window.count);
    Ok(rows.map(|row| row.element).collect())
}

/// How elements are compared.
struct Order<'a> {
    by: Option<Pattern<'a>>,
    alpha: bool,
    descending: bool,
}

/// Which of the sorted elements are wanted.
#[derive(Clone, Copy)]
struct Window {
    start: usize,
    count: usize,
}

impl Window {
    fn of(options: &Options<'_>, len: usize) -> Self {
        let start = usize::try_from(options.offset.max(0)).unwrap_or(len).min(len);
        let count = options.count.map_or(len, |count| usize::try_from(count).unwrap_or(len));
        Self {
            start,
            count: count.min(len - start),
        }
    }
}

/// What is sorted.
#[derive(Clone, Copy)]
enum Source<'a> {
    List(ListRef<'a>),
    Set(SetRef<'a>),
    Zset(ZsetRef<'a>),
}

impl<'a> Source<'a> {
    fn of(entry: EntryRef<'a>) -> Result<Self, CmdError> {
        let value = entry.value();
        let list = ListRef::of(value).map(Self::List);
        let set = || SetRef::of(value).map(Self::Set);
        let zset = || ZsetRef::of(value).map(Self::Zset);
        list.or_else(set).or_else(zset).ok_or(CmdError::WrongType)
    }

    fn len(self) -> usize {
        (match self {
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Zset(zset) => zset.len(),
        }) as usize
    }

    fn all(self) -> Vec<Vec<u8>> {
        let window = Window {
            start: 0,
            count: self.len(),
        };
        self.in_order(window, false)
    }

    /// The elements of a window in the order that they have, or its reverse.
    fn in_order(self, window: Window, reverse: bool) -> Vec<Vec<u8>> {
        let mut elements = Vec::with_capacity(window.count);
        if window.count == 0 {
            return elements;
        }
        let mut each = |item: Item<'_>| {
            elements.push(item.bytes().into_owned());
            if elements.len() < window.count {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let first = if reverse {
            self.len() - 1 - window.start
        } else {
            window.start
        } as u64;
        let _ = match self {
            Self::List(list) if reverse => list.for_each_back_from(first, each),
            Self::List(list) => list.for_each_from(first, each),
            Self::Zset(zset) if reverse => zset.for_each_back_from(first, |member| each(member.name)),
            Self::Zset(zset) => zset.for_each_from(first, |member| each(member.name)),
            Self::Set(set) => {
                let mut left = window.start;
                set.for_each(|item| match left.checked_sub(1) {
                    None => each(item),
                    Some(less) => {
                        left = less;
                        ControlFlow::Continue(())
                    }
                })
            }
        };
        elements
    }
}

/// An element and what it is sorted by.
struct Row {
    element: Vec<u8>,
    number: f64,
    /// Where texts other than the elements are compared.
    text: Option<Vec<u8>>,
}

impl Row {
    fn compare(&self, other: &Self, by: &Order<'_>) -> Ordering {
        let order = match (by.alpha, by.by.is_some()) {
            // What has no text comes first.
            (true, true) => self.text.cmp(&other.text),
            (true, false) => self.element.cmp(&other.element),
            (false, _) => {
                let by_number = self.number.partial_cmp(&other.number).unwrap_or(Ordering::Equal);
                by_number.then_with(|| self.element.cmp(&other.element))
            }
        };
        if by.descending { order.reverse() } else { order }
    }
}

fn weighed(txn: &mut ReadTxn<'_, '_>, elements: Vec<Vec<u8>>, order: &Order<'_>) -> Result<Vec<Row>, CmdError> {
    const NO_NUMBER: CmdError = CmdError::text("ERR One or more scores can't be converted into double");
    let mut rows = Vec::with_capacity(elements.len());
    for element in elements {
        let text = order.by.and_then(|by| by.look_up(txn, &element));
        let number = match (&text, order.by) {
            _ if order.alpha => 0.0,
            (Some(text), _) => parse_lenient(text).ok_or(NO_NUMBER)?,
            (None, Some(_)) => 0.0,
            (None, None) => parse_lenient(&element).ok_or(NO_NUMBER)?,
        };
        rows.push(Row { element, number, text });
    }
    Ok(rows)
}
