//! Why a server does not start, or had to stop.

use std::fmt;

use crate::engine::CollectionError;
use crate::logging::LogFileError;
use crate::net::BindError;
use crate::recovery::RecoveryError;
use crate::recovery::folders::FolderError;
use crate::wal::WalError;

/// Why the server could not start or had to stop: one line.
#[derive(Debug)]
pub struct StartError(pub(super) String);

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl From<String> for StartError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Each of these says in its own words what is wrong.
macro_rules! from_errors {
    ($($error:ty),+) => {$(
        impl From<$error> for StartError {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        }
    )+};
}

from_errors!(
    BindError,
    CollectionError,
    FolderError,
    LogFileError,
    RecoveryError,
    WalError
);
