//! Which path is answered by what, and who may ask.

use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, TRANSFER_ENCODING};
use hyper::{Method, Request, StatusCode};

use tokio::sync::Mutex;

use super::answer::{Answer, last, line, read_only};
use super::asked::{Asked, Peer};
use super::{health, login, metrics, page, status};
use crate::commands::table::table;
use crate::state::Server;

/// Who answers, and whom.
enum By {
    /// Everybody is answered, so that probes need no password.
    All(fn(&Asked<'_>) -> Answer),
    /// Those who may run INFO.
    Readers(fn(&Asked<'_>) -> Answer),
    /// The same, and more is shown to those who may run more.
    Page,
}

struct Route {
    path: &'static str,
    by: By,
}

const ROUTES: &[Route] = &[
    Route {
        path: "/",
        by: By::Page,
    },
    Route {
        path: "/healthz",
        by: By::All(health::alive),
    },
    Route {
        path: "/metrics",
        by: By::Readers(metrics::metrics),
    },
    Route {
        path: page::STYLE_PATH,
        by: By::All(page::style),
    },
    Route {
        path: page::ICON_PATH,
        by: By::All(page::icon),
    },
    Route {
        path: "/readyz",
        by: By::All(health::ready),
    },
    Route {
        path: "/status",
        by: By::Readers(status::status),
    },
];

/// Answers a request. One with a body is its connection's last, and the body is not read.
pub(super) async fn answer(server: &Arc<Server>, peer: &Peer, request: &Request<Incoming>) -> Answer {
    if !has_body(request) {
        return answer_to(server, peer, request).await;
    }
    last(if is_reading(request) {
        line(StatusCode::BAD_REQUEST, "a request has no body here")
    } else {
        read_only()
    })
}

fn is_reading(request: &Request<Incoming>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// Whether there is one, or is said to be: also one in chunks that ends at once.
fn has_body(request: &Request<Incoming>) -> bool {
    request.headers().contains_key(TRANSFER_ENCODING) || !request.body().is_end_stream()
}

async fn answer_to(server: &Arc<Server>, peer: &Peer, request: &Request<Incoming>) -> Answer {
    if !is_reading(request) {
        return read_only();
    }
    let Some(route) = ROUTES.iter().find(|route| route.path == request.uri().path()) else {
        return line(StatusCode::NOT_FOUND, "there is nothing here");
    };
    let asked = Asked {
        server,
        commands: table(),
        host: header(request, &HOST),
        accept: header(request, &ACCEPT),
        query: request.uri().query().unwrap_or_default(),
    };
    if let By::All(answer) = route.by {
        return answer(&asked);
    }
    let user = match login::check(&asked, peer, header(request, &AUTHORIZATION)).await {
        Ok(user) => user,
        Err(refused) => return *refused,
    };
    // What comes meanwhile is seen before this one begins.
    let _turn = TURN.lock().await;
    tokio::task::yield_now().await;
    match route.by {
        By::All(answer) | By::Readers(answer) => answer(&asked),
        By::Page => page::page(&asked, &user).await,
    }
}

/// Figures of many collections take a while: they are made for one client after another, and probes come in between. It
/// is held across what waits for half a second at most.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a header says that has no text, or that must not be there twice: no name of this machine, and no login.
const UNCLEAR: &str = "?";

/// The value of a header; nothing where there is none.
fn header<'r>(request: &'r Request<Incoming>, name: &hyper::header::HeaderName) -> &'r str {
    let mut values = request.headers().get_all(name).iter();
    let Some(value) = values.next() else {
        return "";
    };
    if values.next().is_some() && *name != ACCEPT {
        return UNCLEAR;
    }
    value.to_str().unwrap_or(UNCLEAR)
}
