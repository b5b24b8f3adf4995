//! `DISPLAY`: what a collection holds, a line for each key.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::describe;
use super::select::{by_name, selected};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Access, DatabaseUse, DatabaseUses, Databases, Group, Handler, Spec, flag};
use crate::commands::support::number::parse_u64;
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::scope::Scope;
use crate::resp::{Args, Reply};

const LIMIT_DEFAULT: u64 = 1000;

/// `DISPLAY [name] [LIMIT n]`
pub const DISPLAY: Spec = Spec {
    databases: Databases::Told(displayed),
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    flags: flag::READONLY,
    acl: &["keyspace", "dangerous"],
    tips: &["nondeterministic_output_order"],
    summary: "Shows the keys and values of a collection, the selected one unless named, up to a limit (1000)",
    complexity: "O(N) where N is the number of keys shown.",
    syntax: "[name] [LIMIT n]",
    ..Spec::new("display", Group::Collection, -1, Handler::Session(display))
};

fn display(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let (name, limit) = parse(args)?;
    let engine = Arc::clone(&cx.server.engine);
    let slot = match name {
        Some(name) => by_name(cx.server, name)?,
        None => selected(cx)?,
    };
    let mut scope = Scope::visiting(&engine, cx.kit);
    show(&mut KeyspaceTxn::new(&mut scope, &slot.collection), limit, reply);
    Ok(Flow::Done)
}

/// The collection that is named, or the selected one. Wrong arguments show nothing.
fn displayed(args: Args<'_>, uses: &mut DatabaseUses) {
    let is_named = parse(args).is_ok_and(|(name, _)| name.is_some());
    uses.push(if is_named {
        DatabaseUse::At(1)
    } else {
        DatabaseUse::Selected
    });
}

/// The name, if one is given, and the limit.
fn parse(args: Args<'_>) -> Result<(Option<&[u8]>, u64), CmdError> {
    let limit = |at: usize| match (args.get(at), args.get(at + 1)) {
        (None, _) => Ok(LIMIT_DEFAULT),
        (Some(option), Some(n)) if option.eq_ignore_ascii_case(b"limit") && args.len() == at + 2 => {
            parse_u64(n).ok_or(CmdError::NotInteger)
        }
        _ => Err(CmdError::Syntax),
    };
    let is_limit = args.len() == 3 && args.get(1).is_some_and(|arg| arg.eq_ignore_ascii_case(b"limit"));
    match args.get(1) {
        Some(name) if !is_limit => Ok((Some(name), limit(2)?)),
        _ => Ok((None, limit(1)?)),
    }
}

fn show(txn: &mut KeyspaceTxn<'_, '_>, limit: u64, reply: &mut Reply) {
    let header = reply.deferred_array();
    let mut shown = 0;
    txn.for_each(|entry| {
        if shown == limit {
            return ControlFlow::Break(());
        }
        let line = format!("{} -> {}", describe::text(entry.key()), describe::value(entry.value()));
        reply.bulk(line.as_bytes());
        shown += 1;
        ControlFlow::Continue(())
    });
    let left = txn.key_count().saturating_sub(shown);
    let mut lines = shown as usize;
    if left > 0 {
        reply.bulk(format!("... and {left} more").as_bytes());
        lines += 1;
    }
    reply.finish_array(header, lines);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn parsed(args: &[&str]) -> Option<(Option<String>, u64)> {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        let request = OwnedRequest::from_slices(&args);
        let (name, limit) = parse(request.args()).ok()?;
        Some((name.map(|name| String::from_utf8_lossy(name).into_owned()), limit))
    }

    #[test]
    fn arguments() {
        assert_eq!(parsed(&["display"]), Some((None, 1000)));
        assert_eq!(parsed(&["display", "limit"]), Some((Some("limit".to_owned()), 1000)));
        assert_eq!(parsed(&["display", "LIMIT", "5"]), Some((None, 5)));
        assert_eq!(
            parsed(&["display", "users", "limit", "5"]),
            Some((Some("users".to_owned()), 5))
        );
        for wrong in [
            &["display", "users", "5"][..],
            &["display", "users", "limit"],
            &["display", "users", "limit", "x"],
            &["display", "users", "limit", "5", "6"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
