//! A raw, blocking RESP client: sends any bytes, decodes replies with the `redis-protocol` crate.
//!
//! **Invariants**: one reply per [`Conn::recv`]; the bytes of each reply are kept, since two different encodings
//! (`$-1` and `*-1`) can decode to the same value. Which protocol a reply is in is found from the reply itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Args, Value};

/// How long a reply may take before a test gives up.
const REPLY_TIME_MAX: Duration = Duration::from_secs(60);

/// One reply: decoded, and as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    pub value: Value,
    pub raw: Vec<u8>,
}

/// A client connection.
#[derive(Debug)]
pub struct Conn<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

impl Conn {
    /// Connects to a server on this machine.
    pub fn connect(port: u16) -> io::Result<Conn> {
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIME_MAX))?;
        Ok(Conn::over(stream))
    }

    /// The same, talking RESP3.
    pub fn connect3(port: u16) -> io::Result<Conn> {
        let mut conn = Conn::connect(port)?;
        conn.try_call(&["HELLO", "3"])?;
        Ok(conn)
    }
}

impl<S: Read + Write> Conn<S> {
    /// Talks over `stream`.
    pub fn over(stream: S) -> Conn<S> {
        Conn {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The socket, for timeouts and half-closing.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The same, to do unusual things with it.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Sends one command and returns its reply; panics if the connection breaks.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        self.try_call(args)
            .unwrap_or_else(|e| panic!("{}: {e}", super::text::join(args)))
    }

    /// A number that `WAL INFO` tells.
    pub fn wal_info(&mut self, name: &str) -> i64 {
        let info = self.call(&["WAL", "INFO"]);
        let number = info.field(name).and_then(|number| number.int());
        number.unwrap_or_else(|| panic!("no {name} in {info:?}"))
    }

    /// Sends one command and returns its reply.
    pub fn try_call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Value> {
        self.send(args)?;
        self.recv().map(|reply| reply.value)
    }

    /// Sends all commands at once, then reads all replies.
    pub fn pipeline(&mut self, commands: &[Args]) -> io::Result<Vec<Value>> {
        let mut request = Vec::new();
        for command in commands {
            encode(command, &mut request);
        }
        self.send_raw(&request)?;
        commands.iter().map(|_| self.recv().map(|reply| reply.value)).collect()
    }

    /// Sends one command and does not wait.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let mut request = Vec::new();
        encode(args, &mut request);
        self.send_raw(&request)
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one reply.
    pub fn recv(&mut self) -> io::Result<Reply> {
        // A partial reply is decoded again only once the buffer has grown by half: a big one costs linear time.
        let mut retry_at = 0;
        loop {
            if !self.buffer.is_empty() && self.buffer.len() >= retry_at {
                if let Some((value, len)) = decode(&self.buffer)? {
                    let rest = self.buffer.split_off(len);
                    let raw = std::mem::replace(&mut self.buffer, rest);
                    return Ok(Reply { value, raw });
                }
                retry_at = missing_bulk(&self.buffer).unwrap_or(0);
            }
            self.fill()?;
        }
    }

    /// Reads until the server closes; what came is returned.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                    return Ok(std::mem::take(&mut self.buffer));
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 64 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the server")),
            n => {
                self.buffer.extend_from_slice(&chunk[..n]);
                Ok(())
            }
        }
    }
}

/// Appends a command as a RESP array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(args: &[A], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// The length the buffer must reach before it can hold the bulk string it starts with.
fn missing_bulk(buffer: &[u8]) -> Option<usize> {
    let end = buffer.iter().take(32).position(|&b| b == b'\r')?;
    let digits = std::str::from_utf8(buffer.get(1..end)?).ok()?;
    let len: usize = digits.parse().ok()?;
    (buffer.first() == Some(&b'$')).then_some(end + 2 + len + 2)
}

/// Decodes the reply at the start of `buffer`: `None` if it is not there in full.
///
/// Aggregates are taken apart here, because the crate keeps sets and maps in hash tables that cannot hold what
/// `COMMAND` answers (sets of maps); so are errors, because they may echo bytes that are not UTF-8.
fn decode(buffer: &[u8]) -> io::Result<Option<(Value, usize)>> {
    match buffer.first() {
        Some(b'-') => Ok(line(buffer).map(|(text, len)| (Value::Error(text.to_vec()), len))),
        Some(b'*' | b'~' | b'%' | b'>') => decode_aggregate(buffer),
        Some(_) => decode_scalar(buffer),
        None => Ok(None),
    }
}

fn decode_aggregate(buffer: &[u8]) -> io::Result<Option<(Value, usize)>> {
    let Some((text, mut at)) = line(buffer) else {
        return Ok(None);
    };
    let count: i64 = std::str::from_utf8(text)
        .ok()
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| undecodable(buffer))?;
    if count == -1 && buffer[0] == b'*' {
        return Ok(Some((Value::NullArray, at)));
    }
    let count = if buffer[0] == b'%' { 2 * count } else { count };
    let mut items = Vec::new();
    for _ in 0..count {
        let Some((item, len)) = decode(&buffer[at..])? else {
            return Ok(None);
        };
        items.push(item);
        at += len;
    }
    let value = match buffer[0] {
        b'*' => Value::Array(items),
        b'>' => Value::Push(items),
        b'~' => {
            items.sort();
            Value::Set(items)
        }
        _ => {
            let mut pairs: Vec<_> = items
                .chunks_exact(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect();
            pairs.sort();
            Value::Map(pairs)
        }
    };
    Ok(Some((value, at)))
}

fn decode_scalar(buffer: &[u8]) -> io::Result<Option<(Value, usize)>> {
    // RESP2 first: whatever it cannot read is RESP3.
    if let Ok(found) = redis_protocol::resp2::decode::decode(buffer) {
        return Ok(found.map(|(frame, len)| (Value::from(frame), len)));
    }
    let found = redis_protocol::resp3::decode::complete::decode(buffer).map_err(|_| undecodable(buffer))?;
    Ok(found.map(|(frame, len)| (Value::from(frame), len)))
}

/// The line `buffer` starts with, without its type byte, and its length in the buffer.
fn line(buffer: &[u8]) -> Option<(&[u8], usize)> {
    let end = buffer.windows(2).position(|w| w == b"\r\n")?;
    Some((&buffer[1..end], end + 2))
}

fn undecodable(buffer: &[u8]) -> io::Error {
    let start = super::text::quote(&buffer[..buffer.len().min(300)]);
    io::Error::new(ErrorKind::InvalidData, format!("undecodable reply: {start}"))
}
