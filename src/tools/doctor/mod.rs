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
    for finding in findings.all() {
        match finding.mark {
            Mark::Good => println!("ok: {}", finding.what),
            Mark::Note => println!("note: {}", finding.what),
            Mark::Amiss => println!("AMISS: {}", finding.what),
        }
        if !finding.remedy.is_empty() {
            println!("    {}", finding.remedy);
        }
    }
    if let Err(why) = looked {
        eprintln!("lokikv: cannot look: {why}");
        return EXIT_USAGE;
    }
    match findings.amiss() {
        0 => {
            println!("nothing is amiss");
            EXIT_OK
        }
        1 => {
            println!("one thing is amiss");
            EXIT_FAILURE
        }
        count => {
            println!("{count} things are amiss");
            EXIT_FAILURE
        }
    }
}
