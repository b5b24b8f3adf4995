//! A blocking RESP2 client, small enough that its own cost is known: it writes bytes and reads replies.
//!
//! **Invariants**: a reply is read whole before the next one begins; every socket has time limits, so
//! that a server which stops answering ends the benchmark with an error.

use super::Result;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);

/// One connection.
pub struct Client(BufReader<TcpStream>);

/// A reply, as far as benchmarks look at it.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// Simple string.
    Simple(String),
    /// Error.
    Error(String),
    /// Integer.
    Integer(i64),
    /// Bulk string: its length only; the bytes are dropped.
    Bulk(u64),
    /// Array: how many replies it had; they are dropped.
    Array(u64),
    /// Null bulk or array.
    Nil,
}

impl Client {
    /// Connects, without Nagle's delay.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self(BufReader::with_capacity(256 * 1024, stream)))
    }

    /// Sends raw bytes.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.get_mut().write_all(bytes)?)
    }

    /// The socket, for whoever does unfriendly things with it.
    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// One request and its reply; an error reply is an error.
    pub fn call(&mut self, args: &[&[u8]]) -> Result<Reply> {
        self.send(&encode(args))?;
        self.read_ok()
    }

    /// The next reply; an error reply is an error.
    pub fn read_ok(&mut self) -> Result<Reply> {
        match self.read()? {
            Reply::Error(text) => Err(format!("server answered: {text}").into()),
            reply => Ok(reply),
        }
    }

    /// The next reply.
    pub fn read(&mut self) -> Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err("server closed the connection".into());
        }
        let line = line.trim_end();
        let mut chars = line.chars();
        let (kind, rest) = (chars.next(), chars.as_str());
        match kind {
            Some('+') => Ok(Reply::Simple(rest.to_owned())),
            Some('-') => Ok(Reply::Error(rest.to_owned())),
            Some(':') => Ok(Reply::Integer(rest.parse()?)),
            Some('$' | '*') if rest == "-1" => Ok(Reply::Nil),
            Some('$') => self.skip_bulk(rest.parse()?),
            Some('*') => {
                let len = rest.parse()?;
                for _ in 0..len {
                    self.read()?;
                }
                Ok(Reply::Array(len))
            }
            _ => Err(format!("unexpected reply {line:?}").into()),
        }
    }

    /// One request, and its reply, an array of texts.
    pub fn texts(&mut self, args: &[&[u8]]) -> Result<Vec<String>> {
        self.send(&encode(args))?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let len: Option<usize> = line.strip_prefix('*').and_then(|len| len.trim_end().parse().ok());
        let len = len.ok_or_else(|| format!("no array: {line:?}"))?;
        (0..len).map(|_| self.read_text()).collect()
    }

    /// One request, and its reply as text.
    pub fn text(&mut self, args: &[&[u8]]) -> Result<String> {
        self.send(&encode(args))?;
        self.read_text()
    }

    fn read_text(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let len: Option<usize> = line.strip_prefix('$').and_then(|len| len.trim_end().parse().ok());
        let mut bytes = vec![0; len.ok_or_else(|| format!("no text: {line:?}"))? + 2];
        self.0.read_exact(&mut bytes)?;
        bytes.truncate(bytes.len() - 2);
        Ok(String::from_utf8(bytes)?)
    }

    fn skip_bulk(&mut self, len: u64) -> Result<Reply> {
        let whole = len + 2;
        let dropped = std::io::copy(&mut (&mut self.0).take(whole), &mut std::io::sink())?;
        if dropped != whole {
            return Err("server closed the connection within a value".into());
        }
        Ok(Reply::Bulk(len))
    }
}

/// A request as RESP bytes.
pub fn encode(args: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(args.iter().map(|arg| arg.len() + 16).sum::<usize>() + 16);
    encode_into(&mut out, args);
    out
}

/// Appends a request as RESP bytes.
pub fn encode_into(out: &mut Vec<u8>, args: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}
