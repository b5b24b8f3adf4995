//! CLIENT subcommands about client-side caching.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::common::{OWN, either};
use super::list::told_instead;
use crate::client::{CachingMode, Client, Desired};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Reply};

pub(super) const CACHING: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Says whether the next command's keys are tracked",
    syntax: "<YES | NO>",
    ..Spec::new("caching", Group::Connection, 3, Handler::Session(caching))
};

fn caching(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let caching = &cx.client.handle.caching;
    if !caching.is_on() {
        return Err(CmdError::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    }
    match (either(args.at(2), "yes", "no"), caching.mode()) {
        (Some(true), CachingMode::OptIn) | (Some(false), CachingMode::OptOut) => cx.client.say_caching(),
        (Some(true), _) => {
            return Err(CmdError::text(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
        (Some(false), _) => {
            return Err(CmdError::text(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
        (None, _) => return Err(CmdError::Syntax),
    }
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const GETREDIR: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Returns where tracking notices are sent to",
    ..Spec::new("getredir", Group::Connection, 2, Handler::Session(getredir))
};

fn getredir(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.int(told_instead(&cx.client.handle));
    Ok(Flow::Done)
}

pub(super) const TRACKING: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Turns tracking of the keys a client reads on or off",
    complexity: "O(1). Some options may introduce additional complexity.",
    syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    ..Spec::new("tracking", Group::Connection, -3, Handler::Session(tracking))
};

fn tracking(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let options = Options::read(cx, args)?;
    let tracking = cx.server.engine.tracking();
    if either(args.at(2), "on", "off").ok_or(CmdError::Syntax)? {
        let mode = options.check(cx.client)?;
        let desired = Desired {
            mode,
            no_loop: options.no_loop,
            redirect: options.redirect,
        };
        let everything: &[&[u8]] = &[b""];
        let prefixes = match mode {
            CachingMode::Broadcast if options.prefixes.is_empty() => everything,
            _ => &options.prefixes,
        };
        cx.client.begin_caching(tracking, desired, prefixes);
    } else {
        cx.client.end_caching(tracking);
    }
    reply.ok();
    Ok(Flow::Done)
}

#[derive(Default)]
struct Options<'a> {
    redirect: u64,
    broadcasts: bool,
    opts_in: bool,
    opts_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn read(cx: &SessionCx<'_>, args: Args<'a>) -> Result<Self, CmdError> {
        let mut options = Self::default();
        let mut words = args.skip(3).iter();
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"bcast" => options.broadcasts = true,
                b"optin" => options.opts_in = true,
                b"optout" => options.opts_out = true,
                b"noloop" => options.no_loop = true,
                b"redirect" => {
                    let other = words.next().ok_or(CmdError::Syntax)?;
                    options.set_redirect(cx, other)?;
                }
                b"prefix" => options.prefixes.push(words.next().ok_or(CmdError::Syntax)?),
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(options)
    }

    fn set_redirect(&mut self, cx: &SessionCx<'_>, other: &[u8]) -> Result<(), CmdError> {
        if self.redirect != 0 {
            return Err(CmdError::text(
                "ERR A client can only redirect to a single other client",
            ));
        }
        let id = parse_i64(other).ok_or(CmdError::NotInteger)?;
        let client = u64::try_from(id).ok().and_then(|id| cx.server.clients.get(id));
        let client = client.filter(|client| !client.is_killed());
        let client = client.ok_or(CmdError::text("ERR The client ID you want redirect to does not exist"))?;
        self.redirect = client.id;
        Ok(())
    }

    /// The mode that is asked for, if it goes with the other options and with what the client does already.
    fn check(&self, client: &Client) -> Result<CachingMode, CmdError> {
        if !self.broadcasts && !self.prefixes.is_empty() {
            return Err(CmdError::text("ERR PREFIX option requires BCAST mode to be enabled"));
        }
        let caching = &client.handle.caching;
        let now = caching.is_on().then(|| caching.mode());
        if now.is_some_and(|now| (now == CachingMode::Broadcast) != self.broadcasts) {
            return Err(CmdError::text(
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
                 with a different mode.",
            ));
        }
        if self.broadcasts && (self.opts_in || self.opts_out) {
            return Err(CmdError::text("ERR OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if self.opts_in && self.opts_out {
            return Err(CmdError::text("ERR You can't specify both OPTIN mode and OPTOUT mode"));
        }
        if self.opts_in && now == Some(CachingMode::OptOut) || self.opts_out && now == Some(CachingMode::OptIn) {
            return Err(CmdError::text(
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling \
                 it with a different mode.",
            ));
        }
        self.check_prefixes(client)?;
        Ok(match self {
            Self { broadcasts: true, .. } => CachingMode::Broadcast,
            Self { opts_in: true, .. } => CachingMode::OptIn,
            Self { opts_out: true, .. } => CachingMode::OptOut,
            _ => CachingMode::Read,
        })
    }

    /// Whether no key has two of the client's prefixes. O(n log n).
    fn check_prefixes(&self, client: &Client) -> Result<(), CmdError> {
        let overlapped = overlapped(&self.prefixes);
        for (at, (prefix, is_overlapped)) in self.prefixes.iter().zip(overlapped).enumerate() {
            if let Some(known) = first_overlap(&client.prefixes, prefix) {
                return Err(overlapping(prefix, "' overlaps with an existing prefix '", known));
            }
            // Those before it overlap with none.
            let others = self.prefixes.iter().skip(at + 1).filter(|_| is_overlapped);
            if let Some(other) = others.copied().find(|other| overlap(other, prefix)) {
                return Err(overlapping(prefix, "' overlaps with another provided prefix '", other));
            }
        }
        Ok(())
    }
}

/// Whether one is how the other begins.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Which of these overlap with another one of them.
fn overlapped(prefixes: &[&[u8]]) -> Vec<bool> {
    let mut sorted: Vec<(&[u8], usize)> = prefixes.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let mut marks = vec![false; prefixes.len()];
    // Those that the one before begins with, the shortest first.
    let mut begins: Vec<(&[u8], usize)> = Vec::new();
    for (prefix, at) in sorted {
        while begins.pop_if(|(begin, _)| !prefix.starts_with(begin)).is_some() {}
        if let Some((_, shorter)) = begins.last() {
            [at, *shorter]
                .iter()
                .for_each(|at| marks.get_mut(*at).into_iter().for_each(|mark| *mark = true));
        }
        begins.push((prefix, at));
    }
    marks
}

/// The first of `known` that overlaps with `prefix`. They do not overlap with each other, but for the empty one.
fn first_overlap<'a>(known: &'a BTreeSet<Box<[u8]>>, prefix: &[u8]) -> Option<&'a [u8]> {
    let before = (Bound::Unbounded, Bound::Excluded(prefix));
    let from = (Bound::Included(prefix), Bound::Unbounded);
    let nearest = [
        known.first(),
        known.range::<[u8], _>(before).next_back(),
        known.range::<[u8], _>(from).next(),
    ];
    nearest
        .into_iter()
        .flatten()
        .map(|known| &**known)
        .find(|known| overlap(known, prefix))
}

fn overlapping(prefix: &[u8], how: &str, other: &[u8]) -> CmdError {
    let text = [
        b"ERR Prefix '",
        prefix,
        how.as_bytes(),
        other,
        b"'. Prefixes for a single client must not overlap.",
    ];
    CmdError::Quoting(text.concat())
}

pub(super) const TRACKINGINFO: Spec = Spec {
    since: "6.2.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Describes the connection's tracking",
    ..Spec::new("trackinginfo", Group::Connection, 2, Handler::Session(trackinginfo))
};

fn trackinginfo(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let caching = &cx.client.handle.caching;
    let (is_said, mode) = (caching.is_said(), caching.mode());
    let words = [
        (true, if caching.is_on() { "on" } else { "off" }),
        (mode == CachingMode::Broadcast, "bcast"),
        (mode == CachingMode::OptIn, "optin"),
        (mode == CachingMode::OptIn && is_said, "caching-yes"),
        (mode == CachingMode::OptOut, "optout"),
        (mode == CachingMode::OptOut && is_said, "caching-no"),
        (caching.is_no_loop(), "noloop"),
        (caching.is_broken(), "broken_redirect"),
    ];
    let told = words.iter().filter(|(is_so, _)| *is_so);
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(told.clone().count());
    told.for_each(|(_, word)| reply.bulk(word.as_bytes()));
    reply.bulk(b"redirect");
    reply.int(told_instead(&cx.client.handle));
    reply.bulk(b"prefixes");
    reply.array(cx.client.prefixes.len());
    cx.client.prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn overlaps_are_found_as_by_looking_at_all_pairs() {
        let mut random = SmallRng::seed_from_u64(5);
        for _ in 0..3000 {
            let mut word = || -> Vec<u8> {
                let len = random.random_range(0..6);
                (0..len).map(|_| b"ab\xff"[random.random_range(0..3)]).collect()
            };
            let words: Vec<Vec<u8>> = (0..9).map(|_| word()).collect();
            let prefixes: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let by_pairs = |at: usize| (0..9).any(|other| other != at && overlap(prefixes[at], prefixes[other]));
            assert_eq!(
                overlapped(&prefixes),
                (0..9).map(by_pairs).collect::<Vec<_>>(),
                "{words:?}"
            );

            let mut known: BTreeSet<Box<[u8]>> = BTreeSet::new();
            for prefix in &prefixes {
                if prefix.is_empty() || !known.iter().any(|known| !known.is_empty() && overlap(known, prefix)) {
                    known.insert(Box::from(*prefix));
                }
            }
            let prefix = word();
            let first = known.iter().map(|known| &**known).find(|known| overlap(known, &prefix));
            assert_eq!(first_overlap(&known, &prefix), first, "{known:?} {prefix:?}");
        }
    }

    /// Looked at in pairs, these would take hours.
    #[test]
    fn very_many_are_no_burden() {
        let words: Vec<String> = (0..500_000).map(|n| format!("{n:06}")).collect();
        let prefixes: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        assert!(overlapped(&prefixes).iter().all(|is_overlapped| !is_overlapped));
        let known: BTreeSet<Box<[u8]>> = prefixes.iter().map(|prefix| Box::from(*prefix)).collect();
        assert!(
            known
                .iter()
                .all(|prefix| first_overlap(&known, prefix) == Some(&**prefix))
        );
    }
}
