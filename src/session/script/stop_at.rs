//! Has a test end a script at its n-th point, as if it were killed there: before one of its calls, or where it asks
//! whether it may go on, which it then does from its beginning.
//!
//! The script is given `stop-at:N` as its last argument. Compiled in for tests, and with the feature `fault-points`.

use crate::commands::scripting::Start;

#[cfg(any(test, feature = "fault-points"))]
const PREFIX: &[u8] = b"stop-at:";

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct StopAt {
    /// Points that are left until then.
    #[cfg(any(test, feature = "fault-points"))]
    left: Option<u64>,
}

#[cfg(any(test, feature = "fault-points"))]
impl StopAt {
    /// What a script is told.
    pub fn of(start: &Start<'_>) -> Self {
        let told = start.given.others().last();
        let number = told.and_then(|told| std::str::from_utf8(told.strip_prefix(PREFIX)?).ok());
        Self {
            left: number.and_then(|number| number.parse().ok()),
        }
    }

    /// Whether it is told anything.
    pub const fn is_set(self) -> bool {
        self.left.is_some()
    }

    /// Passes a point; whether it is the one.
    pub fn is_reached(&mut self) -> bool {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.left == Some(0)
    }
}

#[cfg(not(any(test, feature = "fault-points")))]
impl StopAt {
    pub const fn of(_: &Start<'_>) -> Self {
        Self {}
    }

    pub const fn is_set(self) -> bool {
        false
    }

    pub const fn is_reached(&mut self) -> bool {
        false
    }
}
