//! Why a rule is refused, in Redis's words.

use std::fmt;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No such command or category.
    Unknown,
    /// It is no rule.
    Syntax,
    /// A key pattern where all keys are allowed.
    AllKeys,
    /// A channel pattern where all channels are allowed.
    AllChannels,
    /// A password to remove that is not there.
    NoSuchPassword,
    /// It is no hash of a password.
    BadHash,
    /// A file tells of a user twice.
    Duplicate,
    /// A first argument of a subcommand.
    FirstArgOfSubcommand,
    /// A database's number that none has.
    NoSuchDatabase,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Self::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            Self::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            Self::Duplicate => "Duplicate user found. A user can only be defined once in config files",
            Self::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
            Self::NoSuchDatabase => "The provided database ID is out of range",
        })
    }
}

/// Whether a name or a pattern has what ends a word in an ACL file.
pub(super) fn has_spaces(text: &[u8]) -> bool {
    text.iter()
        .any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
}
