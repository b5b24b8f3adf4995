//! Subscribers of a server, and one client that publishes to them.
//!
//! **Invariant:** a batch is published when the one before has come to everybody who gets it, and its replies as well.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::common::Result;
use super::common::client::{Client, encode, encode_into};
use super::common::epoll::Epoll;

const CHANNEL: &str = "news:today:7";
const PAYLOAD: &[u8; 32] = b"a message of thirty-two bytes...";
/// Clients that share the patterns.
const PATTERN_CLIENTS: usize = 100;
/// Without anything coming for so long, something is lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

/// Who listens.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// So many subscribers of one channel.
    Channel(usize),
    /// So many patterns of different beginnings, one of which fits.
    Patterns(usize),
}

impl Kind {
    /// What the report calls it.
    pub fn name(self) -> String {
        match self {
            Self::Channel(count) => format!("{count} subscribers"),
            Self::Patterns(count) => format!("{count} patterns"),
        }
    }

    /// How many connections it is.
    pub fn clients(self) -> usize {
        match self {
            Self::Channel(count) => count.max(1),
            Self::Patterns(_) => PATTERN_CLIENTS,
        }
    }

    /// How many copies of a message are delivered.
    fn receivers(self) -> usize {
        match self {
            Self::Channel(count) => count,
            Self::Patterns(_) => 1,
        }
    }

    /// What a message is on its way to a subscriber.
    fn message_bytes(self) -> usize {
        let pattern = pattern(0);
        let args: &[&[u8]] = match self {
            Self::Channel(_) => &[b"message", CHANNEL.as_bytes(), PAYLOAD],
            Self::Patterns(_) => &[b"pmessage", pattern.as_bytes(), CHANNEL.as_bytes(), PAYLOAD],
        };
        encode(args).len()
    }
}

/// The first one fits the channel.
fn pattern(number: usize) -> String {
    if number == 0 {
        "news:*:7".to_owned()
    } else {
        format!("news{number}:*:7")
    }
}

/// What came of some publishing.
pub struct Delivered {
    /// Copies of messages that came.
    pub messages: u64,
    /// How long it took.
    pub took: Duration,
}

/// See the module.
pub struct Audience {
    kind: Kind,
    subscribers: Vec<TcpStream>,
    publisher: TcpStream,
    epoll: Epoll,
    buffer: Vec<u8>,
}

impl Audience {
    /// Connects and subscribes all of them.
    pub fn gather(address: SocketAddr, kind: Kind) -> Result<Self> {
        let epoll = Epoll::new(512)?;
        let mut subscribers = Vec::with_capacity(kind.clients());
        for number in 0..kind.clients() {
            let mut client = Client::connect(address)?;
            let topics = match kind {
                Kind::Channel(_) => vec![CHANNEL.to_owned()],
                Kind::Patterns(count) => (number..count).step_by(PATTERN_CLIENTS).map(pattern).collect(),
            };
            let command = match kind {
                Kind::Channel(_) => "SUBSCRIBE",
                Kind::Patterns(_) => "PSUBSCRIBE",
            };
            let args: Vec<&[u8]> = std::iter::once(command)
                .chain(topics.iter().map(String::as_str))
                .map(str::as_bytes)
                .collect();
            client.send(&encode(&args))?;
            for _ in &topics {
                client.read_ok()?;
            }
            subscribers.push(client.stream().try_clone()?);
        }
        let publisher = Client::connect(address)?.stream().try_clone()?;
        for (number, socket) in subscribers.iter().chain([&publisher]).enumerate() {
            socket.set_nonblocking(true)?;
            epoll.add(socket, number)?;
        }
        Ok(Self {
            kind,
            subscribers,
            publisher,
            epoll,
            buffer: vec![0; 256 << 10],
        })
    }

    /// Publishes so many at once, again and again.
    pub fn publish(&mut self, at_once: usize, time: Duration) -> Result<Delivered> {
        let mut batch = Vec::new();
        for _ in 0..at_once {
            encode_into(&mut batch, &[b"PUBLISH", CHANNEL.as_bytes(), PAYLOAD]);
        }
        let replies = format!(":{}\r\n", self.kind.receivers()).len() * at_once;
        let batch_bytes = self.kind.message_bytes() * self.kind.receivers() * at_once;
        let (started, mut batches) = (Instant::now(), 0);
        while started.elapsed() < time {
            self.publisher.write_all(&batch)?;
            self.await_all(replies, batch_bytes)?;
            batches += 1;
        }
        Ok(Delivered {
            messages: batches * (self.kind.receivers() * at_once) as u64,
            took: started.elapsed(),
        })
    }

    /// Reads until so many bytes of replies and of messages have come.
    fn await_all(&mut self, mut replies: usize, mut messages: usize) -> Result<()> {
        let mut ready = Vec::new();
        let mut heard = Instant::now();
        while replies > 0 || messages > 0 {
            self.epoll.wait(1000, &mut ready)?;
            if ready.is_empty() && heard.elapsed() > LOST_AFTER {
                return Err(format!("{messages} bytes of messages never come").into());
            }
            for number in &ready {
                heard = Instant::now();
                let is_subscriber = *number < self.subscribers.len();
                let socket = self.subscribers.get_mut(*number).unwrap_or(&mut self.publisher);
                let count = match socket.read(&mut self.buffer) {
                    Ok(0) => return Err("the server has closed a connection".into()),
                    Ok(count) => count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                    Err(error) => return Err(error.into()),
                };
                let left = if is_subscriber { &mut messages } else { &mut replies };
                *left = left.checked_sub(count).ok_or("more has come than was published")?;
            }
        }
        Ok(())
    }
}
