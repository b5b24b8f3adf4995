//! When replies of commands on vector sets are the same: searches are approximate and graphs are random, so elements
//! that are equally similar may come in any order, and neighbours on upper levels may be others. Numbers that are made
//! from floats may differ by rounding.

use crate::support::{Args, Value};

/// How far apart numbers may be, of which the greatest is about this.
const APART_MAX: f64 = 1e-5;

/// How many values a reply of `VSIM` to these arguments has for each element.
pub fn width(args: &Args) -> usize {
    let has = |word: &str| args.iter().skip(3).any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    1 + usize::from(has("WITHSCORES")) + usize::from(has("WITHATTRIBS"))
}

/// Whether both found the same elements with the same scores and attributes. Each element has `width` values. Where
/// their order is told, scores do not rise.
pub fn found(redis: &Value, loki: &Value, width: usize) -> bool {
    // The pairs of a map come in no order.
    let rows = if let Value::Array(rows) = loki {
        rows.as_slice()
    } else {
        &[]
    };
    let scores = rows.chunks(width).filter_map(|row| row.get(1).and_then(number));
    have_the_same(redis, loki, width) && scores.is_sorted_by(|a, b| a >= b)
}

fn have_the_same(redis: &Value, loki: &Value, width: usize) -> bool {
    let by_name = |reply: &Value| {
        let mut rows: Vec<Vec<Value>> = match reply {
            Value::Map(pairs) => pairs
                .iter()
                .map(|(name, more)| match more {
                    Value::Array(more) => [&[name.clone()][..], more.as_slice()].concat(),
                    one => vec![name.clone(), one.clone()],
                })
                .collect(),
            other => other.items().chunks(width).map(<[Value]>::to_vec).collect(),
        };
        rows.sort();
        rows
    };
    let (redis_rows, loki_rows) = (by_name(redis), by_name(loki));
    redis.kind() == loki.kind()
        && redis_rows.len() == loki_rows.len()
        && redis_rows.iter().zip(&loki_rows).all(|(a, b)| are_close(a, b))
}

/// The same values; numbers within [`APART_MAX`].
pub fn are_close(redis: &[Value], loki: &[Value]) -> bool {
    redis.len() == loki.len() && redis.iter().zip(loki).all(|(a, b)| is_close(a, b))
}

/// The same value; numbers within [`APART_MAX`], in arrays, too.
pub fn is_close(redis: &Value, loki: &Value) -> bool {
    if let (Value::Array(redis), Value::Array(loki)) = (redis, loki) {
        return are_close(redis, loki);
    }
    let are_near = match (number(redis), number(loki)) {
        (Some(a), Some(b)) => (a - b).abs() <= APART_MAX * a.abs().max(1.0),
        _ => false,
    };
    redis == loki || (are_near && redis.kind() == loki.kind())
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Double(text) => text.parse().ok(),
        Value::Bulk(_) => value.text().parse().ok(),
        _ => None,
    }
}

/// Whether an element has neighbours on the lowest level, where it has some in Redis. Which ones is each graph's
/// affair.
pub fn linked(redis: &Value, loki: &Value, with_scores: bool) -> bool {
    let width = if with_scores { 2 } else { 1 };
    let lowest = |reply: &Value| reply.items().last().map(|links| links.items().len() / width);
    match (lowest(redis), lowest(loki)) {
        (Some(redis), Some(loki)) => (redis > 0) == (loki > 0),
        _ => redis == loki,
    }
}

/// Whether `VINFO` tells the same, but for what is chance or the process.
pub fn described(redis: &Value, loki: &Value) -> bool {
    const OWN: [&str; 2] = ["max-level", "vset-uid"];
    let fields = |reply: &Value| {
        let mut pairs = reply.pairs();
        for (name, value) in &mut pairs {
            if OWN.contains(&name.text().as_str()) {
                *value = Value::Null;
            }
        }
        pairs
    };
    redis.kind() == loki.kind() && fields(redis) == fields(loki)
}
