//! A small blocking client for health checks and tools: one request and its reply, or many that are sent together.
//!
//! **Invariants**
//! - After an error in the middle of a reply the connection is of no use any more; open another.
//! - Whatever the other side sends, a reply is bounded before it is gathered, and decoded once, when all of it is
//!   there.
//! - An error for want of time tells how long that was: the system's words for it mean nothing to who runs a tool.

use redis_protocol::resp2::types::OwnedFrame as Resp2;
use redis_protocol::resp3::types::OwnedFrame;
use redis_protocol::{resp2, resp3};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::measure::{Fault, Measure};

/// So long is a reply at most, unless another bound is given.
const REPLY_BYTES_MAX: usize = 64 << 20;
const READ_BYTES: usize = 64 * 1024;
/// Room for replies beyond this is given back.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A connection to a server.
pub struct Client {
    stream: Box<dyn Stream>,
    /// Requests that are not sent yet.
    queued: Vec<u8>,
    received: Vec<u8>,
    /// So much of that has been returned.
    taken: usize,
    /// How far the reply behind that is known.
    measure: Measure,
    resp3: bool,
    timeout: Option<Duration>,
}

/// What a connection's bytes go through.
pub trait Stream: Read + Write + Send {
    /// How long a read or a write may take (`None`: for ever).
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }
}

impl Stream for UnixStream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }
}

impl Client {
    /// Connects to `host:port`, or to a Unix socket if `addr` is a path (it contains a `/`).
    ///
    /// # Errors
    /// What the connection attempt gives.
    pub fn connect(addr: &str) -> io::Result<Self> {
        let stream: Box<dyn Stream> = if addr.contains('/') {
            Box::new(UnixStream::connect(addr)?)
        } else {
            let stream = TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        };
        Ok(Self::over(stream))
    }

    /// A client of the server at the other end of `stream`.
    pub fn over(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            queued: Vec::new(),
            received: Vec::new(),
            taken: 0,
            measure: Measure::default(),
            resp3: false,
            timeout: None,
        }
    }

    /// How long a read or a write may take (`None`: for ever, as at first).
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_timeout(timeout)?;
        self.timeout = timeout;
        Ok(())
    }

    /// Sends a request and waits for its reply; an error reply is a frame like any other. After `HELLO 3` or `HELLO 2`
    /// went well, replies are read in that protocol.
    ///
    /// # Errors
    /// What the socket gives; `TimedOut` after the timeout; `UnexpectedEof` if the server closes; `InvalidData` if it
    /// does not speak the protocol.
    pub fn call(&mut self, args: &[&[u8]]) -> io::Result<OwnedFrame> {
        self.send(args)?;
        let hello = match args {
            [hello, version, ..] if hello.eq_ignore_ascii_case(b"hello") => Some(*version),
            _ => None,
        };
        let Some(version) = hello else { return self.receive() };
        // Its own reply is in the new protocol already, if it is no error: an error looks the same in both.
        let before = std::mem::replace(&mut self.resp3, version == b"3");
        let reply = self.receive();
        if !reply.as_ref().is_ok_and(|frame| !is_error(frame)) {
            self.resp3 = before;
        }
        reply
    }

    /// Sends a request without waiting, with one [`receive`](Self::receive) to follow.
    ///
    /// # Errors
    /// What the socket gives.
    pub fn send(&mut self, args: &[&[u8]]) -> io::Result<()> {
        self.queue(args);
        self.flush()
    }

    /// Puts a request behind those that [`flush`](Self::flush) will send.
    pub fn queue(&mut self, args: &[&[u8]]) {
        let mut digits = itoa::Buffer::new();
        let mut head = |out: &mut Vec<u8>, kind: u8, length: usize| {
            out.push(kind);
            out.extend_from_slice(digits.format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        };
        head(&mut self.queued, b'*', args.len());
        for arg in args {
            head(&mut self.queued, b'$', arg.len());
            self.queued.extend_from_slice(arg);
            self.queued.extend_from_slice(b"\r\n");
        }
    }

    /// How many bytes [`flush`](Self::flush) would send.
    pub fn queued_bytes(&self) -> usize {
        self.queued.len()
    }

    /// Sends what was queued. As many [`receive`](Self::receive)s are to follow.
    ///
    /// # Errors
    /// What the socket gives.
    pub fn flush(&mut self) -> io::Result<()> {
        let sent = self.stream.write_all(&self.queued).and_then(|()| self.stream.flush());
        self.queued.clear();
        sent.map_err(|error| in_time(error, "no answer", self.timeout))
    }

    /// Waits for the next reply or push, of 64 MiB at most.
    ///
    /// # Errors
    /// As for [`call`](Self::call); `InvalidData` with an [`Excess`](super::Excess) in it for a reply that has too much
    /// of something.
    pub fn receive(&mut self) -> io::Result<OwnedFrame> {
        self.receive_at_most(REPLY_BYTES_MAX)
    }

    /// The same of a reply of so many bytes at most.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_at_most(&mut self, bytes_max: usize) -> io::Result<OwnedFrame> {
        loop {
            let rest = self.received.get(self.taken..).unwrap_or_default();
            if let Some(length) = self.measure.advance(rest, bytes_max).map_err(faulty)? {
                let frame = self.decode(rest.get(..length).unwrap_or_default())?;
                self.measure = Measure::default();
                self.taken += length;
                return Ok(frame);
            }
            self.received.drain(..self.taken);
            self.taken = 0;
            let len = self.received.len();
            self.received.resize(len + READ_BYTES, 0);
            let read = self.stream.read(self.received.get_mut(len..).unwrap_or_default());
            self.received.truncate(len + read.as_ref().map_or(0, |n| *n));
            if read.map_err(|error| in_time(error, "no answer", self.timeout))? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server closed the connection",
                ));
            }
            // One long reply is no reason to keep its room.
            if self.received.len() < READ_BYTES && self.received.capacity() > KEPT_BYTES_MAX {
                self.received.shrink_to(READ_BYTES);
            }
        }
    }

    fn decode(&self, reply: &[u8]) -> io::Result<OwnedFrame> {
        let decoded = if self.resp3 {
            resp3::decode::complete::decode(reply).map_err(invalid)?
        } else {
            let decoded = resp2::decode::decode(reply).map_err(invalid)?;
            decoded.map(|(frame, length)| (from_resp2(frame), length))
        };
        let whole = decoded.filter(|(_, length)| *length == reply.len());
        whole.map(|(frame, _)| frame).ok_or_else(not_understood)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("resp3", &self.resp3)
            .finish_non_exhaustive()
    }
}

/// A socket to the first address of `place`, host and port, that takes a connection; each is given `timeout`.
///
/// # Errors
/// There is no address, or why the last one takes none.
pub fn connect_within(place: (&str, u16), timeout: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => failure = in_time(error, "no connection", Some(timeout)),
        }
    }
    Err(failure)
}

/// The error, in words where it says that `timeout` is over and `missing` has not come.
fn in_time(error: io::Error, missing: &str, timeout: Option<Duration>) -> io::Error {
    let is_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    let Some(timeout) = timeout.filter(|_| is_late) else {
        return error;
    };
    let time = match timeout.as_millis() {
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{millis} ms"),
    };
    io::Error::new(io::ErrorKind::TimedOut, format!("{missing} within {time}"))
}

const fn is_error(frame: &OwnedFrame) -> bool {
    matches!(frame, OwnedFrame::SimpleError { .. } | OwnedFrame::BlobError { .. })
}

fn invalid(error: redis_protocol::error::RedisProtocolError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn faulty(fault: Fault) -> io::Error {
    match fault {
        Fault::Excess(excess) => io::Error::new(io::ErrorKind::InvalidData, excess),
        Fault::Length => not_understood(),
    }
}

fn not_understood() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server does not speak the protocol")
}

/// The same reply as a frame of the newer protocol, which has a type for each of the older one's.
fn from_resp2(frame: Resp2) -> OwnedFrame {
    let attributes = None;
    match frame {
        Resp2::SimpleString(data) => OwnedFrame::SimpleString { data, attributes },
        Resp2::Error(data) => OwnedFrame::SimpleError { data, attributes },
        Resp2::Integer(data) => OwnedFrame::Number { data, attributes },
        Resp2::BulkString(data) => OwnedFrame::BlobString { data, attributes },
        Resp2::Array(items) => OwnedFrame::Array {
            data: items.into_iter().map(from_resp2).collect(),
            attributes,
        },
        Resp2::Null => OwnedFrame::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis_protocol::resp3::types::Resp3Frame as _;
    use std::net::TcpListener;

    /// A server that expects `request` and answers with `reply`, in two pieces, then closes.
    fn serve(request: &'static [u8], reply: &'static [u8]) -> (String, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = vec![0; request.len()];
            stream.read_exact(&mut got).unwrap();
            assert_eq!(got, request);
            let (first, second) = reply.split_at(reply.len() / 2);
            stream.write_all(first).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            stream.write_all(second).unwrap();
        });
        (addr, server)
    }

    #[test]
    fn calls_in_resp2() {
        let (addr, server) = serve(
            b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
            b"*4\r\n$1\r\nv\r\n$-1\r\n:-3\r\n-ERR no\r\n",
        );
        let mut client = Client::connect(&addr).unwrap();
        client.set_timeout(Some(Duration::from_secs(5))).unwrap();
        let OwnedFrame::Array { data, .. } = client.call(&[b"GET", b"k"]).unwrap() else {
            panic!("no array")
        };
        assert_eq!(data[0].as_bytes(), Some(&b"v"[..]));
        assert!(data[1] == OwnedFrame::Null && is_error(&data[3]));
        assert_eq!(
            data[2],
            OwnedFrame::Number {
                data: -3,
                attributes: None
            }
        );
        server.join().unwrap();
        assert_eq!(client.receive().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn hello_switches_the_protocol_unless_it_fails() {
        let (addr, server) = serve(b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", b"%1\r\n$5\r\nproto\r\n:3\r\n_\r\n");
        let mut client = Client::connect(&addr).unwrap();
        assert!(matches!(client.call(&[b"HELLO", b"3"]).unwrap(), OwnedFrame::Map { data, .. } if data.len() == 1));
        assert_eq!(client.receive().unwrap(), OwnedFrame::Null);
        server.join().unwrap();

        let (addr, server) = serve(b"*2\r\n$5\r\nhello\r\n$1\r\n3\r\n", b"-NOAUTH no\r\n$-1\r\n");
        let mut client = Client::connect(&addr).unwrap();
        assert!(is_error(&client.call(&[b"hello", b"3"]).unwrap()));
        assert_eq!(client.receive().unwrap(), OwnedFrame::Null);
        server.join().unwrap();
    }

    #[test]
    fn silence_is_told_in_words() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = ("127.0.0.1", listener.local_addr().unwrap().port());
        let mut client = Client::over(Box::new(connect_within(place, Duration::from_secs(5)).unwrap()));
        client.set_timeout(Some(Duration::from_millis(30))).unwrap();
        let error = client.call(&[b"PING"]).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::TimedOut, "no answer within 30 ms")
        );
        let late = io::Error::from_raw_os_error(110);
        let told = in_time(late, "no connection", Some(Duration::from_secs(5)));
        assert_eq!(told.to_string(), "no connection within 5 s");
        drop(listener);
        let refused = connect_within(place, Duration::from_secs(5)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn connects_to_unix_sockets() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"+PONG\r\n").unwrap());
        let mut client = Client::connect(path.to_str().unwrap()).unwrap();
        assert_eq!(client.call(&[b"PING"]).unwrap().as_bytes(), Some(&b"PONG"[..]));
        server.join().unwrap();
    }
}
