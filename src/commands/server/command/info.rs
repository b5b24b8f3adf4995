//! COMMAND INFO, and COMMAND itself.

use super::{FLAGS, acl, find, subcommands};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Begin, Command, Find, Group, Handler, KeySpec, Spec, Table, flag};
use crate::resp::{Args, Reply};

pub(super) const INFO: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    acl: &["connection"],
    tips: &["nondeterministic_output_order"],
    summary: "Describes the given commands, or all",
    complexity: "O(N) where N is the number of commands to look up",
    syntax: "[command-name [command-name ...]]",
    ..Spec::new("info", Group::Server, -2, Handler::Session(info))
};

fn info(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() == 2 {
        write_all(cx.commands, reply);
        return Ok(Flow::Done);
    }
    reply.array(args.len() - 2);
    for name in args.iter().skip(2) {
        match find(cx.commands, name) {
            Some(command) => write(command, reply),
            None => reply.null(),
        }
    }
    Ok(Flow::Done)
}

/// Writes the description of every command.
pub(super) fn write_all(commands: &Table, reply: &mut Reply) {
    reply.array(commands.top_level().count());
    commands.top_level().for_each(|command| write(*command, reply));
}

fn write(command: Command, reply: &mut Reply) {
    let spec = command.spec;
    reply.array(10);
    reply.bulk(command.full_name().as_bytes());
    reply.int(i64::from(spec.arity));
    write_flags(spec, reply);
    let (first, last, step) = legacy_range(spec.keys);
    reply.int(first);
    reply.int(last);
    reply.int(step);
    let categories: Vec<&str> = acl::categories(spec).collect();
    reply.set(categories.len());
    categories
        .iter()
        .for_each(|category| reply.simple(&format!("@{category}")));
    reply.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(spec.keys.len());
    spec.keys.iter().for_each(|keys| write_key_spec(keys, reply));
    if spec.subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(spec.subcommands.len());
        subcommands(spec).for_each(|sub| write(sub, reply));
    }
}

fn write_flags(spec: &Spec, reply: &mut Reply) {
    let set = flag::NAMES.iter().filter(|(bit, _)| spec.has(*bit));
    reply.set(set.clone().count());
    set.for_each(|(_, name)| reply.simple(name));
}

/// First key, last key and step as commands described themselves before key specs: what follows from the ranges that
/// join without a gap.
fn legacy_range(keys: &[KeySpec]) -> (i64, i64, i64) {
    let mut range: Option<(i64, i64, i64)> = None;
    for spec in keys {
        let (Begin::Index(begin), Find::Range { last, step, .. }) = (spec.begin, spec.find) else {
            continue;
        };
        let (begin, step) = (begin as i64, step as i64);
        let end = if last < 0 {
            i64::from(last)
        } else {
            begin + i64::from(last)
        };
        match &mut range {
            _ if keys.len() > 1 && step != 1 => return (0, 0, 0),
            None => range = Some((begin, end, step)),
            Some((_, before, _)) if *before != begin - 1 => break,
            Some((_, before, _)) => *before = end,
        }
    }
    range.unwrap_or_default()
}

fn write_key_spec(spec: &KeySpec, reply: &mut Reply) {
    reply.map(3 + usize::from(spec.notes.is_some()));
    if let Some(notes) = spec.notes {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    reply.set(spec.access.names().len());
    spec.access.names().for_each(|flag| reply.simple(flag));
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => write_search("index", &[("index", index as i64)], reply),
        Begin::Keyword { word, from, .. } | Begin::Optional { word, from } => {
            write_search_header("keyword", 2, reply);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.int(from as i64);
        }
        Begin::Unknown(_) | Begin::Untold(_) => write_search("unknown", &[], reply),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        _ if matches!(spec.begin, Begin::Unknown(_) | Begin::Untold(_)) => write_search("unknown", &[], reply),
        Find::Range { last, step, limit } => {
            let fields = [
                ("lastkey", i64::from(last)),
                ("keystep", step as i64),
                ("limit", limit as i64),
            ];
            write_search("range", &fields, reply);
        }
        Find::Count { count_at, first, step } => {
            let fields = [
                ("keynumidx", count_at as i64),
                ("firstkey", first as i64),
                ("keystep", step as i64),
            ];
            write_search("keynum", &fields, reply);
        }
    }
}

/// What is done with a key as a whole in capitals (`RW`), what with its value in small letters (`update`), as in Redis.
fn write_search(kind: &str, fields: &[(&str, i64)], reply: &mut Reply) {
    write_search_header(kind, fields.len(), reply);
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.int(*value);
    }
}

fn write_search_header(kind: &str, fields: usize, reply: &mut Reply) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields);
}

#[cfg(test)]
mod tests {
    use super::legacy_range;
    use crate::commands::spec::{Begin, Find, KeySpec, all_keys, first_key};

    #[test]
    fn legacy_ranges() {
        assert_eq!(legacy_range(&[]), (0, 0, 0));
        assert_eq!(legacy_range(&[first_key(&[])]), (1, 1, 1));
        assert_eq!(legacy_range(&[all_keys(&[], 1, 2)]), (1, -1, 2));
        let second = KeySpec {
            begin: Begin::Index(2),
            ..first_key(&[])
        };
        assert_eq!(legacy_range(&[first_key(&[]), second]), (1, 2, 1));
        assert_eq!(legacy_range(&[second, all_keys(&[], 3, 1)]), (2, -1, 1));
        let counted = KeySpec {
            find: Find::Count {
                count_at: 0,
                first: 1,
                step: 1,
            },
            ..second
        };
        assert_eq!(legacy_range(&[counted]), (0, 0, 0));
    }
}
