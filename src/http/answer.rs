//! Answers, and what stands in the head of each.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::StatusCode;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// An answer as the library takes it.
pub(super) type Answer = Response<Full<Bytes>>;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// Nothing of another origin is loaded, and no other one shows or reads what is here.
const SAFETY: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// An answer with this body.
pub(super) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in SAFETY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// One line, for whoever reads it in a terminal.
pub(super) fn line(status: StatusCode, text: &str) -> Answer {
    answer(status, TEXT, format!("{text}\n"))
}

/// Asks for a login.
pub(super) fn who_is_it(why: &str) -> Answer {
    let mut answer = line(StatusCode::UNAUTHORIZED, why);
    let scheme = HeaderValue::from_static("Basic realm=\"LokiKV\", charset=\"UTF-8\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    answer
}

/// Nothing but reading is there.
pub(super) fn read_only() -> Answer {
    let mut answer = line(StatusCode::METHOD_NOT_ALLOWED, "this port is read-only: GET or HEAD");
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

/// The connection's last one.
pub(super) fn last(mut answer: Answer) -> Answer {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
