//! The wire protocol: request bytes to argument lists, replies to bytes (RESP2 and RESP3).
//!
//! Requests: [`RequestParser`] scans a connection's read buffer into a [`Batch`] of [`Args`], without copying.
//! Replies: [`Reply`] gathers the answers to a batch for one vectored write. [`Client`] is the other side of the
//! wire, for health checks and tools.

mod args;
mod batch;
mod big_bulk;
mod client;
pub(crate) mod double;
pub(crate) mod float_text;
mod frames;
mod inline;
mod limits;
pub(crate) mod magnitude;
mod measure;
mod number;
mod parser;
mod reply;

pub use args::{Args, OwnedRequest, Span};
pub use batch::Batch;
pub use big_bulk::{BIG_BULK_BYTES, BigBulk};
pub use client::{Client, Stream, connect_within};
pub use inline::words;
pub use limits::{ParserLimits, ProtocolError};
pub use measure::Excess;
pub use number::{is_c_space, parse_i64};
pub use parser::RequestParser;
pub use reply::{Deferred, DeferredText, Mark, Proto, Reply, Wants, format_double, format_general, format_shortest};

#[cfg(test)]
mod parser_tests;
#[cfg(test)]
mod reply_tests;
