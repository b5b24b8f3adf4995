//! What a SET of a new key costs that evicts another one, beside one that does not.

use super::common::client::{Client, encode};
use super::common::cores::Cores;
use super::common::load::requests::{DIGITS, Unit};
use super::common::load::{self, Generator, Load, Sample};
use super::common::sides::Side;
use super::common::stats::{median, thousands};
use super::common::{Result, server::Server};
use super::table::{self, Align};
use super::{Options, limit_to, set};

/// Keys of the load; a tenth of them fits where keys are evicted.
const KEYS: u64 = 1_000_000;
const CONNECTIONS: usize = 50;
const PIPELINES: [usize; 2] = [1, 16];
const KEY: &[u8] = b"set:0000000000";
const VALUE: &[u8] = b"a value of some thirty-two bytes";

/// All servers, with and without eviction.
pub fn measure(options: &Options, sides: &[Side]) -> Result<String> {
    let header = [
        ("at once", Align::Right),
        ("Server", Align::Left),
        ("SET/s", Align::Right),
        ("evicting SET/s", Align::Right),
        ("CPU ns", Align::Right),
        ("evicting, CPU ns", Align::Right),
        ("CPU, times", Align::Right),
    ];
    let generator = Generator {
        seconds: options.seconds,
        threads: 1,
        cores: Cores::split(1)?,
    };
    let mut lines = Vec::new();
    for pipeline in PIPELINES {
        for side in sides {
            let mut rounds = Vec::new();
            for round in 0..options.rounds {
                eprintln!("eviction: cost at {pipeline}, {}, round {}", side.title, round + 1);
                let server = Server::start(&side.setup(options.workers))?;
                rounds.push(both(&server, pipeline, &generator)?);
            }
            lines.push(line(pipeline, &side.title, &rounds));
        }
    }
    Ok(format!(
        "\n## Cost\n\nSET of one of {} keys, {CONNECTIONS} connections; evicting (allkeys-lru): memory for a tenth of them. \
         Medians of {}.\n\n{}\n",
        thousands(KEYS as f64),
        options.rounds,
        table::render(&header, &lines)
    ))
}

fn line(pipeline: usize, title: &str, rounds: &[[Sample; 2]]) -> Vec<String> {
    let of = |side: usize, pick: fn(&Sample) -> f64| {
        let samples = rounds.iter().filter_map(|round| round.get(side));
        median(&samples.map(pick).collect::<Vec<_>>())
    };
    let (free, evicting) = (of(0, |sample| sample.cpu_ns), of(1, |sample| sample.cpu_ns));
    vec![
        pipeline.to_string(),
        title.to_owned(),
        thousands(of(0, |sample| sample.per_second)),
        thousands(of(1, |sample| sample.per_second)),
        thousands(free),
        thousands(evicting),
        format!("{:.2}", evicting / free.max(1.0)),
    ]
}

/// Without a limit, then with one.
fn both(server: &Server, pipeline: usize, generator: &Generator) -> Result<[Sample; 2]> {
    let load = Load {
        unit: Unit {
            bytes: encode(&[b"SET", KEY, VALUE]),
            replies: 1,
            key: KEY.to_vec(),
            keys: KEYS,
        },
        connections: CONNECTIONS,
        pipeline,
        rate: None,
    };
    let mut client = Client::connect(server.address())?;
    set(&mut client, "maxmemory", "0")?;
    client.call(&[b"FLUSHALL"])?;
    let free = load::measure(server, &load, generator)?;
    limit_to(server.address(), KEYS as usize / 10, "allkeys-lru", |bytes, number| {
        let mut key = KEY.to_vec();
        let at = key.len() - DIGITS;
        key.truncate(at);
        key.extend_from_slice(format!("{:06}", number * 10).as_bytes());
        super::common::client::encode_into(bytes, &[b"SET", &key, VALUE]);
    })?;
    let evicting = load::measure(server, &load, generator)?;
    Ok([free, evicting])
}
