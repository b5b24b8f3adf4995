//! Searching: VSIM.

use super::common::{check_arity, float_arg, is_word, on_key, read_set};
use super::filter::Filter;
use super::given::{Given, mismatch, projection_mismatch};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::vectors::{EF_MAX, EF_SEARCH, Found, Query, Search, VectorSet};
use crate::resp::{Args, Proto, Reply, parse_i64};

/// How many elements are asked for, unless `COUNT` says so.
const COUNT: usize = 10;
/// How many candidates a filter may judge for each element that is asked for, unless `FILTER-EF` says how many.
const JUDGED_FOR_EACH: usize = 100;

/// A filter takes so many steps in one search; from there on it accepts nothing, so that others are not held up for
/// long.
const FILTER_STEPS_MAX: usize = 1 << 23;

pub(super) const VSIM: Spec = Spec {
    summary: "The elements of a vector set that are most similar to a vector, or to one of them",
    complexity: "O(log(N)) where N is the number of elements in the vector set.",
    syntax: "key <ELE element | FP32 vector | VALUES num number [number ...]> [WITHSCORES] [WITHATTRIBS] [COUNT num] [EPSILON max-distance] [EF search-exploration-factor] [FILTER expression] [FILTER-EF max-filtering-effort] [TRUTH] [NOTHREAD]",
    ..on_key("vsim", Handler::Read(vsim))
};

/// What is asked for.
struct Options {
    with_scores: bool,
    with_attributes: bool,
    count: usize,
    epsilon: Option<f64>,
    ef: Option<usize>,
    filter: Option<Filter>,
    filter_ef: Option<usize>,
    is_exact: bool,
}

impl Options {
    fn parse(args: Args<'_>, from: usize) -> Result<Self, CmdError> {
        let mut options = Self {
            with_scores: false,
            with_attributes: false,
            count: COUNT,
            epsilon: None,
            ef: None,
            filter: None,
            filter_ef: None,
            is_exact: false,
        };
        let mut at = from;
        while at < args.len() {
            at += options.take(args, at)?;
        }
        Ok(options)
    }

    /// Takes the option at argument `at`; how many arguments it has.
    fn take(&mut self, args: Args<'_>, at: usize) -> Result<usize, CmdError> {
        let is = |word| is_word(args, at, word);
        match args.get(at + 1) {
            _ if is("withscores") => self.with_scores = true,
            _ if is("withattribs") => self.with_attributes = true,
            _ if is("truth") => self.is_exact = true,
            // A search runs in the worker that has the client, always.
            _ if is("nothread") => {}
            Some(value) => {
                let positive = |error| positive(value).ok_or(CmdError::text(error));
                if is("count") {
                    self.count = positive("ERR invalid COUNT")?;
                } else if is("ef") {
                    self.ef = Some(positive("ERR invalid EF")?);
                } else if is("epsilon") {
                    let epsilon = float_arg(args, at + 1).filter(|epsilon| *epsilon > 0.0);
                    self.epsilon = Some(epsilon.ok_or(CmdError::text("ERR invalid EPSILON"))?);
                } else if is("filter") {
                    self.filter = Some(Filter::compile(value)?);
                } else if is("filter-ef") {
                    self.filter_ef = Some(positive("ERR invalid FILTER-EF")?);
                } else {
                    return Err(NO_OPTION);
                }
                return Ok(2);
            }
            None => return Err(NO_OPTION),
        }
        Ok(1)
    }
}

const NO_OPTION: CmdError = CmdError::text("ERR syntax error in VSIM command");

fn positive(text: &[u8]) -> Option<usize> {
    let number = parse_i64(text).filter(|number| *number > 0)?;
    Some(usize::try_from(number).unwrap_or(usize::MAX))
}

fn vsim(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VSIM", 4..=usize::MAX)?;
    let Some(set) = read_set(txn, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    if is_word(args, 2, "ele") {
        let element = args.at(3);
        if !set.contains(element) {
            return Err(CmdError::text("ERR element not found in set"));
        }
        let options = Options::parse(args, 4)?;
        return search(set, Query::Element(element), &options, reply);
    }
    let given = Given::parse(args, 2, false)?;
    check_dimensions(set, given.dim())?;
    let options = Options::parse(args, given.end)?;
    search(set, Query::Vector(&given.vector), &options, reply)
}

/// Refuses a vector that is neither like those that are given to the set nor like those that it keeps.
fn check_dimensions(set: &VectorSet, dim: u32) -> CmdResult {
    let shape = set.shape();
    match shape.input_dim {
        _ if dim == shape.dim => Ok(()),
        Some(input_dim) if dim != input_dim => Err(projection_mismatch(dim, input_dim)),
        Some(_) => Ok(()),
        None => Err(mismatch(dim, shape)),
    }
}

fn search(set: &VectorSet, query: Query<'_>, options: &Options, reply: &mut Reply) -> CmdResult {
    let size = usize::try_from(set.len()).unwrap_or(usize::MAX);
    let count = options.count.min(size);
    let ef = options.ef.unwrap_or(EF_SEARCH as usize).min(EF_MAX as usize);
    let filter_ef = options
        .filter_ef
        .unwrap_or(options.count.saturating_mul(JUDGED_FOR_EACH));
    let filter = options.filter.as_ref();
    let mut steps_left = FILTER_STEPS_MAX;
    let mut accepts = |attributes: Option<&[u8]>| {
        let Some((filter, attributes)) = filter.zip(attributes) else {
            return false;
        };
        let left = steps_left.checked_sub(filter.cost(attributes.len()));
        steps_left = left.unwrap_or(0);
        left.is_some() && filter.accepts(attributes)
    };
    let found = set.search(
        query,
        Search {
            count,
            ef,
            epsilon: options.epsilon,
            filter: filter.is_some().then_some(&mut accepts),
            filter_ef,
            is_exact: options.is_exact,
        },
    );
    answer(&found.unwrap_or_default(), options, reply);
    Ok(())
}

fn answer(found: &[Found<'_>], options: &Options, reply: &mut Reply) {
    if options.with_scores || options.with_attributes {
        let both = options.with_scores && options.with_attributes;
        let is_nested = both && reply.proto() == Proto::Resp3;
        match reply.proto() {
            Proto::Resp3 => reply.map(found.len()),
            Proto::Resp2 => reply.array(found.len() * if both { 3 } else { 2 }),
        }
        for found in found {
            reply.bulk(found.element);
            if is_nested {
                reply.array(2);
            }
            answer_more(found, options, reply);
        }
        return;
    }
    reply.array(found.len());
    found.iter().for_each(|found| reply.bulk(found.element));
}

/// What is told of an element beside its name.
fn answer_more(found: &Found<'_>, options: &Options, reply: &mut Reply) {
    if options.with_scores {
        reply.double(found.score);
    }
    match found.attributes {
        _ if !options.with_attributes => {}
        Some(attributes) => reply.bulk(attributes),
        None => reply.null(),
    }
}
