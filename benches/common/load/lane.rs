//! One thread of the generator: some of the connections, and one set of sockets to wait at.
//!
//! **Invariants**: nothing is allocated for a request; a pipeline's time counts from the moment it was due (without a
//! rate: from when it was sent) to the last byte of its last reply; an error reply ends the measurement.

use super::super::Result;
use super::super::epoll::{Epoll, Interest};
use super::super::histogram::Histogram;
use super::requests::Requests;
use super::scanner::Scanner;
use super::{Load, MEASURE, STOP, Shared};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const READ_BYTES: usize = 256 * 1024;
/// How long a thread waits before it looks whether to stop.
const LOOK_MS: i32 = 50;

/// What a thread has at hand.
pub struct Lane<'a> {
    number: usize,
    shared: &'a Shared,
    epoll: Epoll,
    connections: Vec<Connection>,
    requests: Requests,
    times: Histogram,
    answered: u64,
    pace: Option<Pace>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    scanner: Scanner,
    unanswered: u64,
    due: Instant,
    unsent: Vec<u8>,
}

/// When the next pipelines are due, and who may send them.
struct Pace {
    interval: Duration,
    due: Instant,
    idle: VecDeque<usize>,
}

impl<'a> Lane<'a> {
    /// Connects lane `number` of `lanes`.
    pub fn connect(address: SocketAddr, load: &Load, number: usize, lanes: usize, shared: &'a Shared) -> Result<Self> {
        let mine = load.connections / lanes + usize::from(number < load.connections % lanes);
        let epoll = Epoll::new(mine)?;
        let mut connections = Vec::with_capacity(mine);
        for index in 0..mine {
            let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, index)?;
            connections.push(Connection {
                stream,
                scanner: Scanner::new(),
                unanswered: 0,
                due: Instant::now(),
                unsent: Vec::new(),
            });
        }
        let requests = Requests::new(&load.unit, load.pipeline, number as u64 + 1);
        let pace = load.rate.map(|rate| Pace {
            interval: Duration::from_secs_f64((requests.replies() * lanes) as f64 / rate as f64),
            due: Instant::now(),
            idle: (0..mine).collect(),
        });
        Ok(Self {
            number,
            shared,
            epoll,
            connections,
            requests,
            times: Histogram::new(),
            answered: 0,
            pace,
            buffer: vec![0; READ_BYTES],
        })
    }

    /// Asks until it is told to stop; the times of what was answered while measured.
    pub fn run(mut self) -> Result<Histogram> {
        if self.pace.is_none() {
            for index in 0..self.connections.len() {
                self.ask(index, Instant::now())?;
            }
        }
        // Whoever keeps a rate must not oversleep: it does not sleep.
        let timeout = if self.pace.is_some() { 0 } else { LOOK_MS };
        let mut ready = Vec::new();
        let mut phase = 0;
        loop {
            match self.shared.phase.load(Ordering::Relaxed) {
                STOP => return Ok(self.times),
                now if now == MEASURE && phase != MEASURE => {
                    self.times.clear();
                    phase = now;
                }
                _ => {}
            }
            self.ask_what_is_due()?;
            self.epoll.wait(timeout, &mut ready)?;
            for &index in &ready {
                self.serve(index)?;
            }
            if let Some(answered) = self.shared.answered.get(self.number) {
                answered.store(self.answered, Ordering::Relaxed);
            }
        }
    }

    fn ask_what_is_due(&mut self) -> Result<()> {
        let now = Instant::now();
        while let Some(pace) = &mut self.pace {
            let due = pace.due;
            if due > now {
                break;
            }
            let Some(index) = pace.idle.pop_front() else { break };
            pace.due += pace.interval;
            self.ask(index, due)?;
        }
        Ok(())
    }

    fn ask(&mut self, index: usize, due: Instant) -> Result<()> {
        let connection = self.connections.get_mut(index).ok_or("no such connection")?;
        connection.due = due;
        connection.unanswered = self.requests.replies() as u64;
        let bytes = self.requests.next();
        let sent = send(&mut connection.stream, bytes)?;
        if sent < bytes.len() {
            connection
                .unsent
                .extend_from_slice(bytes.get(sent..).unwrap_or_default());
            self.epoll.change(&connection.stream, index, Interest::ReadWrite)?;
        }
        Ok(())
    }

    /// Reads what has come, sends what is left, and asks again when all is answered.
    fn serve(&mut self, index: usize) -> Result<()> {
        let connection = self.connections.get_mut(index).ok_or("no such connection")?;
        if !connection.unsent.is_empty() {
            let sent = send(&mut connection.stream, &connection.unsent)?;
            connection.unsent.drain(..sent);
            if connection.unsent.is_empty() {
                self.epoll.change(&connection.stream, index, Interest::Read)?;
            }
        }
        let len = match connection.stream.read(&mut self.buffer) {
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(len) => len,
            Err(error) if is_temporary(error.kind()) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let replies = connection.scanner.scan(self.buffer.get(..len).unwrap_or_default());
        if let Some(error) = connection.scanner.error() {
            return Err(format!("the server answered: {error}").into());
        }
        self.answered += replies;
        connection.unanswered = connection.unanswered.checked_sub(replies).ok_or("a reply too many")?;
        if connection.unanswered > 0 {
            return Ok(());
        }
        let now = Instant::now();
        self.times.add(now.saturating_duration_since(connection.due));
        match &mut self.pace {
            Some(pace) => pace.idle.push_back(index),
            None => self.ask(index, now)?,
        }
        Ok(())
    }
}

/// How many bytes the socket took.
fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    match stream.write(bytes) {
        Ok(len) => Ok(len),
        Err(error) if is_temporary(error.kind()) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn is_temporary(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
