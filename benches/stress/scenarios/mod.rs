//! The ways to misbehave.

mod big_request;
mod sigterm;
mod silent;
mod slow_reader;

use super::common::Result;
use super::common::server::Server;
use super::common::stats::Latencies;
use super::options::Options;
use super::prober::{Mix, Prober};
use clap::ValueEnum;

/// One way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Nobody misbehaves.
    Calm,
    /// A value of 512 MiB is written.
    BigSet,
    /// A value of 512 MiB is written and read.
    BigGet,
    /// A request of a million arguments.
    ManyArgs,
    /// Thousands of idle connections.
    Idle,
    /// A client asks for a gigabyte and reads nothing.
    SlowReader,
    /// Clients send half a request and fall silent.
    HalfRequest,
    /// The server is told to stop under load.
    Sigterm,
}

/// What came of it.
pub struct Outcome {
    /// What the bystander felt.
    pub latencies: Option<Latencies>,
    /// The server's memory peak.
    pub peak_bytes: u64,
    /// Anything else worth telling.
    pub note: String,
}

impl Scenario {
    /// In the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Calm,
        Self::BigSet,
        Self::BigGet,
        Self::ManyArgs,
        Self::Idle,
        Self::SlowReader,
        Self::HalfRequest,
        Self::Sigterm,
    ];

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Its name in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Calm => "nothing else",
            Self::BigSet => "SET of 512 MiB",
            Self::BigGet => "GET of 512 MiB",
            Self::ManyArgs => "MSET of 1,000,000 arguments",
            Self::Idle => "5,000 idle connections",
            Self::SlowReader => "1 GiB of replies never read",
            Self::HalfRequest => "200 half requests of 512 MiB, then silence",
            Self::Sigterm => "SIGTERM under load",
        }
    }
}

/// Runs one scenario on a fresh server.
pub fn run(scenario: Scenario, server: Server, options: &Options) -> Result<Outcome> {
    let duration = options.duration();
    let address = server.address();
    match scenario {
        Scenario::Calm => watched(&server, || {
            std::thread::sleep(duration);
            Ok(String::new())
        }),
        Scenario::BigSet => watched(&server, || big_request::set(address)),
        Scenario::BigGet => {
            big_request::set(address)?;
            watched(&server, || big_request::get(address))
        }
        Scenario::ManyArgs => watched(&server, || big_request::many_args(address)),
        Scenario::Idle => watched(&server, || silent::idle_connections(&server, duration)),
        Scenario::SlowReader => watched(&server, || slow_reader::run(address, duration)),
        Scenario::HalfRequest => watched(&server, || silent::half_requests(&server, duration)),
        Scenario::Sigterm => sigterm::run(server, duration),
    }
}

/// Misbehaves while the bystander probes.
fn watched(server: &Server, misbehave: impl FnOnce() -> Result<String>) -> Result<Outcome> {
    let prober = Prober::start(server.address(), Mix::ReadsAndWrites)?;
    let done = misbehave();
    let latencies = prober.finish().map_err(|error| format!("the bystander: {error}"))?;
    Ok(Outcome {
        latencies: Some(latencies),
        peak_bytes: server.resident_peak_bytes()?,
        note: done?,
    })
}
