//! A server with a TLS port, and clients of it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::pki::{Authority, Files, Identity, Odd};
use crate::support::server::free_port;
use crate::support::{Conn, Server, Value};

/// How long anything may take.
const TIME_MAX: Duration = Duration::from_secs(30);

pub type Stream = StreamOwned<ClientConnection, TcpStream>;
pub type TlsConn = Conn<Stream>;

/// A server, and those who sign for it and its clients.
pub struct Secure {
    pub server: Server,
    pub port: u16,
    pub files: Files,
    pub authority: Authority,
    /// A client that it knows.
    pub client: Identity,
}

/// What a client wants.
#[derive(Clone)]
pub struct Wishes {
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub resumption: Resumption,
    pub early_data: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Wishes {
            versions: rustls::ALL_VERSIONS.to_vec(),
            resumption: Resumption::disabled(),
            early_data: false,
        }
    }
}

impl Secure {
    /// A server without a log, with these settings beside those of TLS.
    pub fn start(settings: &[&str]) -> Secure {
        for _ in 0..5 {
            let authority = Authority::new("authority");
            let files = Files::new(&authority.server(1), &authority);
            let client = authority.client("default", Odd::Nothing);
            let port = free_port();
            let mut all = files.settings(port);
            all.extend(["wal.enabled=false", "checkpoint.interval_s=0"].map(str::to_owned));
            all.extend(settings.iter().map(|setting| (*setting).to_owned()));
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let mut server = Server::lokikv_stopped(&all);
            match server.try_start() {
                Ok(()) => {
                    return Secure {
                        server,
                        port,
                        files,
                        authority,
                        client,
                    };
                }
                Err(why) => assert!(why.to_lowercase().contains("in use"), "{why}"),
            }
        }
        panic!("no free port");
    }

    /// The same, for clients without certificates.
    pub fn for_all(settings: &[&str]) -> Secure {
        let mut all = vec!["tls.auth_clients=no"];
        all.extend_from_slice(settings);
        Secure::start(&all)
    }

    /// What a client needs that trusts the server.
    pub fn config(&self, identity: Option<&Identity>, wishes: &Wishes) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&wishes.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key())
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.resumption = wishes.resumption.clone();
        config.enable_early_data = wishes.early_data;
        Arc::new(config)
    }

    /// A socket on the TLS port.
    pub fn socket(&self) -> TcpStream {
        let addr = SocketAddr::from(([127, 0, 0, 1], self.port));
        let socket = TcpStream::connect_timeout(&addr, TIME_MAX).unwrap();
        socket.set_read_timeout(Some(TIME_MAX)).unwrap();
        socket.set_write_timeout(Some(TIME_MAX)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// A client that is about to greet the server.
    pub fn stream(&self, config: Arc<ClientConfig>) -> Stream {
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(config, name).unwrap(), self.socket())
    }

    /// A client with this certificate, or why it is not served.
    pub fn try_connect(&self, identity: Option<&Identity>, wishes: &Wishes) -> io::Result<TlsConn> {
        let mut conn = Conn::over(self.stream(self.config(identity, wishes)));
        // Whether the server takes a certificate is known only when it answers.
        conn.try_call(&["PING"])?;
        Ok(conn)
    }

    /// A client without a certificate.
    pub fn connect(&self) -> TlsConn {
        self.try_connect(None, &Wishes::default()).expect("a TLS connection")
    }

    /// A figure of INFO tls or clients, by the plain port.
    pub fn figure(&self, name: &str) -> String {
        self.try_figure(name).unwrap_or_else(|why| panic!("no {name}: {why}"))
    }

    /// The same, or what is said instead: too many clients may be there just now.
    fn try_figure(&self, name: &str) -> Result<String, String> {
        let info = self.server.connect().try_call(&["INFO", "tls", "clients"]);
        let info = info.map_err(|error| error.to_string())?.text();
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::to_owned).ok_or(info)
    }

    /// Waits until a figure is as it should be.
    pub fn wait_for(&self, name: &str, wanted: impl Fn(&str) -> bool) {
        let started = Instant::now();
        loop {
            let figure = self.try_figure(name);
            if figure.as_ref().is_ok_and(|figure| wanted(figure)) {
                return;
            }
            assert!(
                started.elapsed() < TIME_MAX,
                "{name} stays {figure:?}\n{}",
                self.server.stdout()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the log has this.
    pub fn wait_for_log(&self, text: &str) {
        let started = Instant::now();
        while !self.server.stdout().contains(text) {
            assert!(
                started.elapsed() < TIME_MAX,
                "not logged: {text}\n{}",
                self.server.stdout()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// That whoever behaves is served, by either port.
    pub fn serves(&self) {
        assert_eq!(self.connect().call(&["SET", "served", "yes"]), Value::ok());
        assert_eq!(self.server.connect().call(&["GET", "served"]), Value::bulk("yes"));
    }
}

/// What comes until the server closes; a reset counts as the end.
pub fn read_to_close(stream: &mut impl Read) -> Vec<u8> {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return got,
            Ok(count) => got.extend_from_slice(&chunk[..count]),
            Err(error) if is_end(&error) => return got,
            Err(error) => panic!("not closed: {error}"),
        }
    }
}

/// Whether the connection is over, however that is told.
pub fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, UnexpectedEof};
    [
        BrokenPipe,
        ConnectionAborted,
        ConnectionReset,
        InvalidData,
        UnexpectedEof,
    ]
    .contains(&error.kind())
}

/// Sends as much as the server takes.
pub fn push(stream: &mut impl Write, bytes: &[u8]) {
    match stream.write_all(bytes) {
        Ok(()) => {}
        Err(error) => assert!(is_end(&error), "{error}"),
    }
}
