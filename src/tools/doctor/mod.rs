//! `lokikv doctor`: looks at a data directory, or asks a running server, and says in plain words what to change.
//!
//! **Invariants**
//! - Nothing is changed: a directory's locks are not taken, and the one file that is written, to measure the disk, is
//!   removed again.
//! - What is said to be amiss has a remedy.

mod directory;
mod disk;
mod finding;
mod link;
mod memory;
mod server;
mod system;

use super::{Output, complain};
use crate::config::cli::{EXIT_FAILURE, EXIT_OK, EXIT_USAGE};
use crate::config::doctor_args::DoctorArgs;
use crate::config::server_url::ServerUrl;
use finding::{Findings, Mark};

/// Says what it finds; exit codes: 0 nothing is amiss, 1 something is, 2 it could not look.
pub fn doctor(args: &DoctorArgs) -> u8 {
    let mut findings = Findings::default();
    findings.good(format!("this is lokikv {}", env!("CARGO_PKG_VERSION")));
    let looked = if args.target.contains("://") {
        let url = args.target.parse::<ServerUrl>().map_err(|error| error.to_string());
        url.and_then(|url| server::look(args, &url, &mut findings))
    } else {
        directory::look(args, &mut findings)
    };
    let mut out = Output::default();
    for finding in findings.all() {
        match finding.mark {
            Mark::Good => out.line(format_args!("ok: {}", finding.what)),
            Mark::Note => out.line(format_args!("note: {}", finding.what)),
            Mark::Amiss => out.line(format_args!("AMISS: {}", finding.what)),
        }
        if !finding.remedy.is_empty() {
            out.line(format_args!("    {}", finding.remedy));
        }
    }
    if let Err(why) = looked {
        complain(format_args!("cannot look: {why}"));
        return out.finish(EXIT_USAGE);
    }
    let amiss = findings.amiss();
    match amiss {
        0 => out.line("nothing is amiss"),
        1 => out.line("one thing is amiss"),
        count => out.line(format_args!("{count} things are amiss")),
    }
    out.finish(if amiss == 0 { EXIT_OK } else { EXIT_FAILURE })
}
