//! What a request may measure, and what is said to a client that breaks the protocol.

use std::fmt;

/// The limits of requests on one connection. `Default` is what Redis allows, except `args_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParserLimits {
    /// Most arguments in a request.
    pub args_max: usize,
    /// Longest argument (`proto-max-bulk-len`).
    pub bulk_bytes_max: usize,
    /// Longest inline request, and longest line that announces a count or a length.
    pub inline_bytes_max: usize,
    /// Whether the client has authenticated or need not: until then it may send 10 arguments of 16 KiB, no more.
    pub authenticated: bool,
}

impl ParserLimits {
    /// Most arguments before authentication.
    pub const UNAUTHENTICATED_ARGS_MAX: usize = 10;
    /// Longest argument before authentication.
    pub const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16 * 1024;
}

impl Default for ParserLimits {
    fn default() -> Self {
        Self {
            args_max: 1024 * 1024,
            bulk_bytes_max: 512 * 1024 * 1024,
            inline_bytes_max: 64 * 1024,
            authenticated: true,
        }
    }
}

/// Why a connection's bytes are no request. The connection says so and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number after `*` is none, or too large.
    InvalidMultibulkLength,
    /// Too many arguments for a client that has not authenticated.
    UnauthenticatedMultibulkLength,
    /// The number after `$` is none, negative, or too large.
    InvalidBulkLength,
    /// Too long an argument for a client that has not authenticated.
    UnauthenticatedBulkLength,
    /// An argument that does not begin with `$`, but with this byte.
    ExpectedDollar(u8),
    /// The line after `*` does not end.
    TooBigCountString,
    /// The line after `$` does not end.
    TooBigBulkCountString,
    /// An inline request does not end.
    TooBigInline,
    /// An inline request with an open quote, or with something glued to a closing quote.
    UnbalancedQuotes,
    /// The small arguments of one request exceed 4 GiB together.
    TooBigRequest,
    /// No memory for an announced argument.
    OutOfMemory,
}

impl ProtocolError {
    /// The error's text as sent (without the leading `-`): Redis's own, byte for byte.
    #[must_use]
    pub fn text(self) -> Vec<u8> {
        let reason: &[u8] = match self {
            Self::InvalidMultibulkLength => b"invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => b"unauthenticated multibulk length",
            Self::InvalidBulkLength => b"invalid bulk length",
            Self::UnauthenticatedBulkLength => b"unauthenticated bulk length",
            Self::ExpectedDollar(got) => &[b"expected '$', got '", &[got][..], b"'"].concat(),
            Self::TooBigCountString => b"too big mbulk count string",
            Self::TooBigBulkCountString => b"too big bulk count string",
            Self::TooBigInline => b"too big inline request",
            Self::UnbalancedQuotes => b"unbalanced quotes in request",
            Self::TooBigRequest => b"too big request",
            Self::OutOfMemory => b"out of memory for the announced bulk length",
        };
        [b"ERR Protocol error: ", reason].concat()
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text().escape_ascii())
    }
}

impl std::error::Error for ProtocolError {}
