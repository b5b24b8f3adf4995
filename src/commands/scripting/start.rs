//! Whether a script may run now, and with which rights: Redis's checks, in its order.

use std::ops::Range;
use std::sync::Arc;

use crate::commands::error::CmdError;
use crate::commands::misconf;
use crate::commands::support::number::parse_i64;
use crate::resp::Args;
use crate::state::{Script, Server};

/// What a script is given: keys, and other arguments behind them.
pub struct Given<'a> {
    args: Args<'a>,
    count: usize,
}

/// How many arguments stand before the keys: the command, the script, their number.
const BEFORE_KEYS: usize = 3;

impl<'a> Given<'a> {
    /// What a request gives to its script.
    ///
    /// # Errors
    /// When the number of keys is wrong.
    pub fn of(args: Args<'a>) -> Result<Self, CmdError> {
        let count = parse_i64(args.at(2)).ok_or(CmdError::NotInteger)?;
        let room = args.len() - BEFORE_KEYS;
        if count > room as i64 {
            return Err(CmdError::text(
                "ERR Number of keys can't be greater than number of args",
            ));
        }
        let count = usize::try_from(count).map_err(|_| CmdError::text("ERR Number of keys can't be negative"))?;
        Ok(Self { args, count })
    }

    /// The keys.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.among(BEFORE_KEYS..BEFORE_KEYS + self.count)
    }

    /// The other arguments.
    pub fn others(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.among(BEFORE_KEYS + self.count..self.args.len())
    }

    fn among(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.args.skip(range.start).iter().take(range.len())
    }
}

/// A script that may run, with what it is given.
pub struct Start<'a> {
    /// The script.
    pub script: Arc<Script>,
    /// What it is given.
    pub given: Given<'a>,
    /// It may change nothing.
    pub is_read_only: bool,
    /// What it calls is refused for want of memory until it has changed something.
    pub denies_oom: bool,
}

impl<'a> Start<'a> {
    /// Judges whether `script` may run.
    ///
    /// # Errors
    /// When it may not.
    pub fn judge(server: &Server, script: Arc<Script>, given: Given<'a>, is_read_only: bool) -> Result<Self, CmdError> {
        let is_over_memory = server.is_over_memory();
        let Some(said) = script.flags else {
            return Ok(Self {
                script,
                given,
                is_read_only,
                denies_oom: is_over_memory,
            });
        };
        if !said.no_writes {
            if let Some(error) = misconf::no_scripts(server) {
                return Err(error);
            }
            if is_read_only {
                return Err(CmdError::text(
                    "ERR Can not execute a script with write flag using *_ro command.",
                ));
            }
        }
        if is_over_memory && !said.no_writes && !said.allow_oom {
            return Err(CmdError::text(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
            ));
        }
        Ok(Self {
            script,
            given,
            is_read_only: is_read_only || said.no_writes,
            denies_oom: is_over_memory && !said.allow_oom,
        })
    }
}
