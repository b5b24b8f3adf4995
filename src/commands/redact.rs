//! What may be shown of a request to others than its client: its arguments without the secrets among them.
//!
//! **Invariant:** whatever keeps or shows arguments (the slow log, a log line) takes them from [`shown_args`].

use crate::resp::Args;

/// What stands in a secret's place.
pub const REDACTED: &[u8] = b"(redacted)";

/// A command's way to tell whether argument `at` of a request, well-formed or not, is secret.
pub type IsSecret = fn(Args<'_>, usize) -> bool;

/// Of commands without secrets.
pub const fn nothing(_args: Args<'_>, _at: usize) -> bool {
    false
}

/// Of commands whose name alone may be shown (`AUTH`).
pub const fn all_arguments(_args: Args<'_>, at: usize) -> bool {
    at > 0
}

/// The arguments of a request, as they may be shown.
pub fn shown_args(is_secret: IsSecret, args: Args<'_>) -> impl ExactSizeIterator<Item = &[u8]> {
    args.iter()
        .enumerate()
        .map(move |(at, arg)| if is_secret(args, at) { REDACTED } else { arg })
}
