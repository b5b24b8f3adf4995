//! Which path is answered by what, and who may ask.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, line, read_only};
use super::asked::{Asked, Peer};
use super::{health, login, metrics, status};
use crate::commands::table::table;
use crate::state::Server;

/// Who may see it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Everybody, so that probes need no password.
    ByAll,
    /// Who may run INFO.
    ByReaders,
}

struct Route {
    path: &'static str,
    seen: Seen,
    answer: fn(&Asked<'_>) -> Answer,
}

const ROUTES: &[Route] = &[
    Route {
        path: "/healthz",
        seen: Seen::ByAll,
        answer: health::alive,
    },
    Route {
        path: "/metrics",
        seen: Seen::ByReaders,
        answer: metrics::metrics,
    },
    Route {
        path: "/readyz",
        seen: Seen::ByAll,
        answer: health::ready,
    },
    Route {
        path: "/status",
        seen: Seen::ByReaders,
        answer: status::status,
    },
];

/// Answers a request.
pub(super) async fn answer(server: &Arc<Server>, peer: &Peer, request: &Request<Incoming>) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
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
    };
    if route.seen == Seen::ByReaders
        && let Err(refused) = login::check(&asked, peer, header(request, &AUTHORIZATION)).await
    {
        return *refused;
    }
    (route.answer)(&asked)
}

/// The value of a header; nothing where there is none, or no text.
fn header<'r>(request: &'r Request<Incoming>, name: &hyper::header::HeaderName) -> &'r str {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}
