//! How many requests find their key, where memory is for a tenth of the keys: a cache in front of something slow, which
//! is asked for what is missing.

use std::net::SocketAddr;

use super::common::Result;
use super::common::client::{Client, Reply, encode_into};
use super::common::server::Server;
use super::common::sides::Side;
use super::common::stats::thousands;
use super::table::{self, Align};
use super::trace::{Asked, Kind, Trace};
use super::{Options, figure, limit_to};

/// Requests sent at once.
const BATCH: usize = 32;
const VALUE: &[u8] = &[b'v'; 100];

struct Counted {
    asked: u64,
    found: u64,
    kept: u64,
    over_bytes: u64,
}

impl Counted {
    fn percent(&self) -> f64 {
        100.0 * self.found as f64 / self.asked.max(1) as f64
    }
}

/// All traces under all policies on all servers.
pub fn measure(options: &Options, sides: &[Side]) -> Result<String> {
    let header = [
        ("Policy", Align::Left),
        ("Trace", Align::Left),
        ("Server", Align::Left),
        ("hits %", Align::Right),
        ("LokiKV, points more", Align::Right),
        ("keys kept", Align::Right),
        ("KB above the limit at most", Align::Right),
    ];
    let mut lines = Vec::new();
    for policy in &options.policies {
        for kind in Kind::ALL {
            let counted: Vec<Counted> = sides
                .iter()
                .map(|side| {
                    eprintln!("eviction: {policy}, {kind}, {}", side.title);
                    run(
                        Server::start(&side.setup(options.workers))?.address(),
                        options,
                        policy,
                        kind,
                    )
                })
                .collect::<Result<_>>()?;
            let own = counted.last().map_or(0.0, Counted::percent);
            for (at, (side, counted)) in sides.iter().zip(&counted).enumerate() {
                let is_own = at + 1 == sides.len();
                let more = if is_own {
                    String::new()
                } else {
                    format!("{:+.2}", own - counted.percent())
                };
                lines.push(vec![
                    policy.clone(),
                    kind.to_string(),
                    side.title.clone(),
                    format!("{:.2}", counted.percent()),
                    more,
                    thousands(counted.kept as f64),
                    thousands(counted.over_bytes as f64 / 1024.0),
                ]);
            }
        }
    }
    Ok(format!(
        "\n## Hits\n\n{} keys of 100 bytes each, memory for a tenth of them, {} requests of which the second half counts; what \
         scans ask for does not count.\n\n{}\n",
        thousands(options.keys as f64),
        thousands(options.requests as f64),
        table::render(&header, &lines)
    ))
}

fn name(asked: Asked) -> String {
    match asked {
        Asked::Key(rank) => format!("key:{rank:08}"),
        Asked::Once(number) => format!("one:{number:08}"),
    }
}

fn run(address: SocketAddr, options: &Options, policy: &str, kind: Kind) -> Result<Counted> {
    let limit = limit_to(address, options.keys / 10, policy, |bytes, rank| {
        encode_into(bytes, &[b"SET", name(Asked::Key(rank)).as_bytes(), VALUE]);
    })?;
    let mut client = Client::connect(address)?;
    let mut counted = Counted {
        asked: 0,
        found: 0,
        kept: 0,
        over_bytes: 0,
    };
    let mut trace = Trace::new(kind, options.keys);
    let mut asked = 0;
    for batch in 0.. {
        if asked >= options.requests {
            break;
        }
        let wanted: Vec<Asked> = (0..BATCH).map(|_| trace.next()).collect();
        asked += BATCH;
        let counts = asked > options.requests / 2;
        let missing = ask(&mut client, &wanted)?;
        if counts {
            let of_keys = |all: &[Asked]| all.iter().filter(|asked| matches!(asked, Asked::Key(_))).count() as u64;
            counted.asked += of_keys(&wanted);
            counted.found += of_keys(&wanted) - of_keys(&missing);
        }
        fill(&mut client, &missing)?;
        if batch % 256 == 0 {
            let used = figure(&mut client, "memory", "used_memory")?;
            counted.over_bytes = counted.over_bytes.max(used.saturating_sub(limit));
        }
    }
    counted.kept = match client.call(&[b"DBSIZE"])? {
        Reply::Integer(keys) => keys as u64,
        other => return Err(format!("DBSIZE: {other:?}").into()),
    };
    Ok(counted)
}

/// Asks for all; those that are missing.
fn ask(client: &mut Client, wanted: &[Asked]) -> Result<Vec<Asked>> {
    let mut bytes = Vec::new();
    for asked in wanted {
        encode_into(&mut bytes, &[b"GET", name(*asked).as_bytes()]);
    }
    client.send(&bytes)?;
    let mut missing = Vec::new();
    for asked in wanted {
        if client.read_ok()? == Reply::Nil {
            missing.push(*asked);
        }
    }
    Ok(missing)
}

fn fill(client: &mut Client, missing: &[Asked]) -> Result<()> {
    let mut bytes = Vec::new();
    for asked in missing {
        encode_into(&mut bytes, &[b"SET", name(*asked).as_bytes(), VALUE]);
    }
    client.send(&bytes)?;
    for _ in missing {
        client.read_ok()?;
    }
    Ok(())
}
