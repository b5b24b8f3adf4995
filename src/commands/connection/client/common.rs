//! What the subcommands of CLIENT have in common.

use crate::commands::spec::flag;

/// Flags of subcommands that concern the caller.
pub(super) const OWN: u32 = flag::NO_SCRIPT | flag::LOADING | flag::STALE;
/// Flags of subcommands that concern others.
pub(super) const ADMIN: u32 = OWN | flag::ADMIN;

/// Reads `yes`/`no`, `on`/`off` and the like: the first word is true.
pub(super) fn either(arg: &[u8], yes: &str, no: &str) -> Option<bool> {
    if arg.eq_ignore_ascii_case(yes.as_bytes()) {
        Some(true)
    } else {
        arg.eq_ignore_ascii_case(no.as_bytes()).then_some(false)
    }
}
