//! Whether a script may run now, and with which rights: Redis's checks, in its order.

use std::ops::Range;

use crate::commands::error::CmdError;
use crate::commands::misconf;
use crate::commands::support::number::parse_i64;
use crate::config::values::OnScriptError;
use crate::resp::Args;
use crate::state::{Callee, Server};

/// What a script or a function is given: keys, and other arguments behind them.
#[derive(Clone, Copy)]
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
    /// When the number of keys is wrong: `no_number` if it is none.
    pub fn of(args: Args<'a>, no_number: CmdError) -> Result<Self, CmdError> {
        let count = parse_i64(args.at(2)).ok_or(no_number)?;
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

/// A script or a function that may run, with what it is given.
pub struct Start<'a> {
    /// What runs.
    pub callee: Callee,
    /// What it is given.
    pub given: Given<'a>,
    /// The command allows no changes.
    pub(super) is_ro_form: bool,
    /// It may change nothing.
    pub is_read_only: bool,
    /// What it calls is refused for want of memory until it has changed something.
    pub denies_oom: bool,
    /// What becomes of what it has done if it raises an error.
    pub on_error: OnScriptError,
}

impl<'a> Start<'a> {
    /// Judges whether `callee` may run; `is_ro_form`: for a command that allows no changes.
    ///
    /// # Errors
    /// When it may not.
    pub fn judge(server: &Server, callee: Callee, given: Given<'a>, is_ro_form: bool) -> Result<Self, CmdError> {
        let is_over_memory = server.is_out_of_memory();
        let on_error = server.params.live().on_script_error();
        let Some(said) = callee.flags() else {
            return Ok(Self {
                callee,
                given,
                is_ro_form,
                is_read_only: is_ro_form,
                denies_oom: is_over_memory,
                on_error,
            });
        };
        if !said.no_writes {
            if let Some(error) = misconf::no_scripts(server) {
                return Err(error);
            }
            if is_ro_form {
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
            callee,
            given,
            is_ro_form,
            is_read_only: is_ro_form || said.no_writes,
            denies_oom: is_over_memory && !said.allow_oom,
            on_error: if said.rollback {
                OnScriptError::RollBack
            } else {
                on_error
            },
        })
    }
}
