//! The thread: accepts connections and has their requests answered.
//!
//! **Invariant:** a connection ends after [`LIFE`] and [`LAST_ANSWER`] at the latest, whatever its client does or does
//! not do. There are [`HTTP_CONNECTIONS_MAX`](crate::config::HTTP_CONNECTIONS_MAX) at a time, and who comes then does
//! not wait: another one goes.
//!
//! The thread does not step back behind workers: what it locks for a moment, such as the list of clients, they would
//! wait for until it has a core again.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::asked::Peer;
use super::places::{Asks, Place, Places};
use super::router;
use crate::state::Server;
use crate::tls::common_name;

/// The head of a request has to be there by then; so long a connection may also be idle.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The head of a request, bytes and lines.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// After this, a connection takes no further request.
const LIFE: Duration = Duration::from_secs(300);
/// The last answer has to be taken by then.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// Serves HTTP on these sockets, if there are any, until the server ends.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(server: &Arc<Server>, listeners: Vec<std::net::TcpListener>) -> io::Result<()> {
    if listeners.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = Arc::clone(server);
    let builder = std::thread::Builder::new().name("http".to_owned());
    let thread = builder.spawn(move || {
        if let Err(error) = runtime.block_on(serve(server, listeners)) {
            tracing::error!(%error, "HTTP is not served any more");
        }
    });
    thread.map(drop)
}

async fn serve(server: Arc<Server>, listeners: Vec<std::net::TcpListener>) -> io::Result<()> {
    let places = Arc::<Places>::default();
    let mut doors = JoinSet::new();
    for listener in listeners {
        let listener = TcpListener::from_std(listener)?;
        doors.spawn(accept_all(Arc::clone(&server), listener, Arc::clone(&places)));
    }
    server.shutdown.wait().await;
    Ok(())
}

async fn accept_all(server: Arc<Server>, listener: TcpListener, places: Arc<Places>) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let place = places.take(peer.ip(), Instant::now());
                let took_anothers = place.took_anothers;
                tokio::spawn(hold(Arc::clone(&server), socket, peer, place));
                if took_anothers {
                    // That one is to close before others come.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for HTTP");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// A connection, for as long as it has its place.
async fn hold(server: Arc<Server>, socket: TcpStream, addr: SocketAddr, mut place: Place) {
    let asks = place.asks();
    tokio::select! {
        () = converse(&server, socket, addr, &asks) => {}
        () = place.is_taken() => {}
    }
}

async fn converse(server: &Arc<Server>, socket: TcpStream, addr: SocketAddr, asks: &Asks) {
    // Failing to set an option is no reason to refuse the client.
    let _ = socket.set_nodelay(true);
    if !server.params.config().http.tls {
        return talk(server, socket, Peer { addr, name: None }, asks).await;
    }
    if let Some((stream, name)) = agree(server, socket, addr).await {
        talk(server, stream, Peer { addr, name }, asks).await;
    }
}

/// Agrees on TLS as clients of commands do; also whom the client's certificate names, if that is to count.
async fn agree(server: &Server, socket: TcpStream, addr: SocketAddr) -> Option<(TlsStream<TcpStream>, Option<String>)> {
    let terms = server.tls.terms()?;
    let time = Duration::from_secs(server.params.config().tls.handshake_timeout_s);
    let stream = match timeout(time, TlsAcceptor::from(terms.config).accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%addr, %error, "a TLS handshake for HTTP has failed");
            return None;
        }
        Err(_) => return None,
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let name = shown.filter(|_| terms.names_users).and_then(|der| common_name(der));
    Some((stream, name))
}

async fn talk<S>(server: &Arc<Server>, stream: S, peer: Peer, asks: &Asks)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| {
        let peer = &peer;
        async move {
            let _asking = asks.begin(Instant::now());
            Ok::<_, Infallible>(router::answer(server, peer, &request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How it ends is its client's business: what was wrong has been answered as far as that could be.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST_ANSWER, connection).await;
}
