//! Connections to a server that come back when they are lost.
//!
//! **Invariants**
//! - What runs again after a loss must not mind that parts of it were done.
//! - A server that was never reached is not waited for, but for one that says it is loading.

use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis_protocol::resp3::types::{OwnedFrame, Resp3Frame as _};
use rustls::ClientConfig;

use super::error::LiveError;
use super::interrupt::Stop;
use crate::config::migrate_args::Access;
use crate::config::server_url::ServerUrl;
use crate::resp::{Client, Excess, Stream, connect_within};
use crate::tls::{Identity, client_config, client_stream};

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A server that says nothing for half as long as it may be away is taken to be dead, within these bounds.
const SILENCE_MIN: Duration = Duration::from_secs(2);
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often who waits for it looks whether all is to end.
const LOOK: Duration = Duration::from_millis(200);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// First words of errors that pass.
const PASSING: [&str; 4] = ["LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN"];
pub const FULL: &str = "ERR max number of clients reached";

/// Why something failed.
#[derive(Debug)]
pub enum Trouble {
    /// The connection is of no use any more.
    Lost(io::Error),
    /// The server will do it later.
    Later(String),
    /// The server refuses.
    Refused(String),
    /// It is not the connection's fault.
    Ours(LiveError),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl From<LiveError> for Trouble {
    fn from(error: LiveError) -> Self {
        Self::Ours(error)
    }
}

impl Trouble {
    /// What an error reply is.
    pub fn of_reply(text: &str) -> Self {
        let word = text.split(' ').next().unwrap_or_default();
        if PASSING.contains(&word) || text == FULL {
            Self::Later(text.to_owned())
        } else {
            Self::Refused(text.to_owned())
        }
    }

    /// A reply that is none to what was asked.
    pub fn strange(what: &str) -> Self {
        Self::Lost(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the reply to {what} is not understood"),
        ))
    }
}

/// A server, and how it is dealt with.
#[derive(Debug)]
pub struct Endpoint {
    pub url: ServerUrl,
    pub tls: Option<Arc<ClientConfig>>,
    /// How long it may be away.
    pub patience: Duration,
    pub has_answered: AtomicBool,
}

/// What TLS connections are made with.
///
/// # Errors
/// When a file cannot be used.
fn tls_of(access: &Access) -> Result<Arc<ClientConfig>, LiveError> {
    let identity = access.cert.as_deref().zip(access.key.as_deref());
    let identity = identity.map(|(cert, key)| Identity { cert, key });
    Ok(client_config(&access.ca, identity)?)
}

impl Endpoint {
    /// The server at `url`.
    ///
    /// # Errors
    /// When TLS is asked for and cannot be had.
    pub fn new(url: &ServerUrl, access: &Access) -> Result<Self, LiveError> {
        Ok(Self {
            url: url.clone(),
            tls: if url.is_tls { Some(tls_of(access)?) } else { None },
            patience: Duration::from_secs(access.retry_s),
            has_answered: AtomicBool::new(false),
        })
    }

    fn silence_max(&self) -> Duration {
        (self.patience / 2).clamp(SILENCE_MIN, SILENCE_MAX)
    }
}

/// What a client can select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Space {
    Number(u64),
    Named(String),
}

/// A connection.
pub struct Conn {
    client: Client,
    selected: Option<Space>,
    /// What tells the server's process from another one.
    pub run_id: String,
    pub is_lokikv: bool,
    /// Whether reading a key leaves unchanged when it was used.
    pub is_no_touch: bool,
}

impl Conn {
    fn open(endpoint: &Endpoint, stop: &Stop) -> Result<Self, Trouble> {
        let mut client = Client::over(stream(endpoint, stop)?);
        client.set_timeout(Some(endpoint.silence_max()))?;
        let mut conn = Self {
            client,
            selected: None,
            run_id: String::new(),
            is_lokikv: false,
            is_no_touch: false,
        };
        let url = &endpoint.url;
        if let Some(password) = &url.password {
            let user = url.user.as_deref();
            let words = [Some("AUTH"), user, Some(password)];
            let words: Vec<&[u8]> = words.into_iter().flatten().map(str::as_bytes).collect();
            conn.ask(&words)?;
        }
        // Servers before Redis 7.2 do not know it.
        conn.is_no_touch = match conn.ask(&[b"CLIENT", b"NO-TOUCH", b"ON"]) {
            Ok(_) => true,
            Err(Trouble::Refused(text)) if !text.starts_with("NOAUTH") => false,
            Err(other) => return Err(other),
        };
        let info = conn.info("server")?;
        conn.run_id = field(&info, "run_id").unwrap_or_default().to_owned();
        conn.is_lokikv = field(&info, "lokikv_version").is_some();
        Ok(conn)
    }

    /// A section of INFO.
    pub fn info(&mut self, section: &str) -> Result<String, Trouble> {
        let reply = self.ask(&[b"INFO", section.as_bytes()])?;
        let text = reply.as_str().ok_or_else(|| Trouble::strange("INFO"))?;
        Ok(text.to_owned())
    }

    /// Sends a request; its reply, which is no error.
    pub fn ask(&mut self, args: &[&[u8]]) -> Result<OwnedFrame, Trouble> {
        let reply = self.client.call(args)?;
        match error_of(&reply) {
            Some(text) => Err(Trouble::of_reply(text)),
            None => Ok(reply),
        }
    }

    /// Selects.
    pub fn select(&mut self, space: &Space) -> Result<(), Trouble> {
        if self.selected.as_ref() == Some(space) {
            return Ok(());
        }
        self.selected = None;
        match space {
            Space::Number(db) => self.ask(&[b"SELECT", db.to_string().as_bytes()])?,
            Space::Named(name) => self.ask(&[b"COLLECTION", b"USE", name.as_bytes()])?,
        };
        self.selected = Some(space.clone());
        Ok(())
    }

    /// Requests that are sent together.
    pub fn pipeline(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// The text of an error.
pub fn error_of(reply: &OwnedFrame) -> Option<&str> {
    match reply {
        OwnedFrame::SimpleError { data, .. } => Some(data),
        OwnedFrame::BlobError { data, .. } => std::str::from_utf8(data).ok(),
        _ => None,
    }
}

/// A field of what INFO says.
pub fn field<'t>(info: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = info.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// A socket whose other side may be silent for some time only, and that is left when all is to end, even if bytes come.
struct Socket {
    inner: TcpStream,
    stop: Stop,
    silence_max: Cell<Option<Duration>>,
}

impl Socket {
    fn new(inner: TcpStream, stop: &Stop, silence_max: Duration) -> io::Result<Self> {
        Stream::set_timeout(&inner, Some(LOOK))?;
        Ok(Self {
            inner,
            stop: stop.clone(),
            silence_max: Cell::new(Some(silence_max)),
        })
    }

    fn wait(&self, mut act: impl FnMut(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        let begun = Instant::now();
        loop {
            if self.stop.is_set() {
                return Err(io::Error::other("interrupted"));
            }
            match act(&self.inner) {
                Err(error) if is_timeout(&error) => {
                    if self.silence_max.get().is_some_and(|max| begun.elapsed() >= max) {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }
}

impl io::Read for Socket {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.wait(|mut socket| socket.read(out))
    }
}

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(|mut socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.silence_max.set(timeout);
        Ok(())
    }
}

fn stream(endpoint: &Endpoint, stop: &Stop) -> io::Result<Box<dyn Stream>> {
    let silence_max = endpoint.silence_max();
    let socket = connect_within(endpoint.url.socket(), CONNECT_MAX.min(silence_max))?;
    let socket = Socket::new(socket, stop, silence_max)?;
    match &endpoint.tls {
        Some(config) => client_stream(config, &endpoint.url.host, socket),
        None => Ok(Box::new(socket)),
    }
}

/// A thread's way to a server.
pub struct Link<'a> {
    pub endpoint: &'a Endpoint,
    stop: &'a Stop,
    conn: Option<Conn>,
}

impl<'a> Link<'a> {
    pub fn new(endpoint: &'a Endpoint, stop: &'a Stop) -> Self {
        Self {
            endpoint,
            stop,
            conn: None,
        }
    }

    fn conn(&mut self) -> Result<&mut Conn, Trouble> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => Conn::open(self.endpoint, self.stop)?,
        };
        Ok(self.conn.insert(conn))
    }

    /// Does `work`, on further connections if the first is lost; `doing` says what it is.
    ///
    /// # Errors
    /// The server refuses, or is away for too long.
    pub fn run<T>(
        &mut self,
        doing: &'static str,
        mut work: impl FnMut(&mut Conn) -> Result<T, Trouble>,
    ) -> Result<T, LiveError> {
        let mut away_since: Option<Instant> = None;
        let mut pause = PAUSE_MIN;
        loop {
            self.stop.check()?;
            let asked_at = Instant::now();
            let (doing, outcome) = match self.conn() {
                Ok(conn) => (doing, work(conn)),
                Err(trouble) => ("connecting", Err(trouble)),
            };
            let is_silent = matches!(&outcome, Err(Trouble::Lost(error)) if is_timeout(error));
            let (why, is_final) = match outcome {
                Ok(done) => {
                    self.endpoint.has_answered.store(true, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(Trouble::Ours(error)) => {
                    // Replies may be on their way.
                    self.conn = None;
                    return Err(error);
                }
                Err(Trouble::Refused(text)) => {
                    self.conn = None;
                    let server = self.endpoint.url.to_string();
                    return Err(LiveError::Refused { server, doing, text });
                }
                Err(Trouble::Later(text)) => (text, false),
                Err(Trouble::Lost(error)) if is_excess(&error) => (error.to_string(), true),
                Err(Trouble::Lost(error)) => (error.to_string(), !self.endpoint.has_answered.load(Ordering::Relaxed)),
            };
            self.conn = None;
            self.stop.check()?;
            // It was away for as long as it was silent.
            let silence = if is_silent {
                self.endpoint.silence_max()
            } else {
                Duration::ZERO
            };
            let since = *away_since.get_or_insert_with(|| {
                Instant::now()
                    .checked_sub(silence)
                    .map_or(asked_at, |since| since.max(asked_at))
            });
            if is_final || since.elapsed() >= self.endpoint.patience {
                let server = self.endpoint.url.to_string();
                return Err(LiveError::Lost { server, doing, why });
            }
            self.stop.sleep(pause)?;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// Whether a reply was too much, as the next one would be.
fn is_excess(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Excess>())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
