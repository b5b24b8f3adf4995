//! LATENCY DOCTOR: what the samples say, in words.

use std::fmt::Write as _;

use super::{FLAGS, TIPS};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, Support};
use crate::metrics::stats::LatencyEvent;
use crate::resp::{Args, Reply};

pub(super) const DOCTOR: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    summary: "Explains the latency samples",
    support: Support::Partial("says it in its own words"),
    ..Spec::new("doctor", Group::Server, 2, Handler::Session(doctor))
};

fn doctor(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let threshold_ms = cx.server.params.live().latency_threshold_ms();
    let events = cx.server.stats.latency.lock();
    let text = if threshold_ms == 0 {
        "Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n".to_owned()
    } else if events.is_empty() {
        format!("No event has taken {threshold_ms} ms or longer.\n")
    } else {
        let mut text = format!("Events that took {threshold_ms} ms or longer:\n");
        for (name, event) in events.iter() {
            describe(&mut text, name, event);
        }
        text
    };
    reply.verbatim(b"txt", &text);
    Ok(Flow::Done)
}

fn describe(text: &mut String, name: &str, event: &LatencyEvent) {
    let count = event.samples.len() as u64;
    let sum: u64 = event.samples.iter().map(|sample| u64::from(sample.ms)).sum();
    let mean = sum.checked_div(count).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "- {name}: {count} samples, mean {mean} ms, longest {} ms. {}",
        event.max_ms,
        advice(name)
    );
}

fn advice(event: &str) -> &'static str {
    match event {
        "command" => "SLOWLOG GET names the commands; avoid long ranges and whole-keyspace commands on busy servers.",
        "fast-command" => "Constant-time commands were slow: look for a machine short of CPU or memory.",
        _ => "Look at the disk's and the machine's load at those times (LATENCY HISTORY).",
    }
}
