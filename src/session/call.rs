//! A request that is understood: its command, its keys and its flags, found once for all that follows.
//!
//! **Invariant:** keys are found here and nowhere else; admission, pause, MULTI's queue and the executor get the same
//! call.

use super::admit::Refusal;
use super::prepare::Prepared;
use crate::commands::error::{CmdError, QUOTED_BYTES_MAX, shown};
use crate::commands::spec::{Access, Command, Handler, KeyUse, KeyUses, Table, flag};
use crate::page::value::KEY_BYTES_MAX;
use crate::resp::{Args, OwnedRequest};

/// What a transaction needs because of what it runs; other flags of a queued command say nothing of EXEC.
const NEEDS: u32 = flag::WRITE | flag::DENY_OOM | flag::MAY_REPLICATE;

/// A call's keys.
#[derive(Clone, Copy)]
pub enum Keys<'a> {
    /// One at a fixed place, the usual case.
    One {
        /// Which argument it is.
        index: usize,
        /// Its hash, for the collection that the requests were prepared for.
        hash: Option<u64>,
    },
    /// These.
    Told(&'a [KeyUse]),
    /// These, and more of the selected collection that nobody can tell.
    Untold(&'a [KeyUse]),
}

/// See the module.
pub struct Call<'a> {
    /// The command, down to its subcommand.
    pub command: Command,
    /// What runs.
    pub handler: Handler,
    /// All arguments.
    pub args: Args<'a>,
    /// The command's flags, and what the transaction that it is in, or runs, needs.
    pub flags: u32,
    /// Its keys.
    pub keys: Keys<'a>,
}

impl<'a> Call<'a> {
    /// Understands a request. Keys that are not at a fixed place are kept in `room`.
    #[inline]
    pub fn resolve(
        commands: &Table,
        prepared: Prepared,
        args: Args<'a>,
        room: &'a mut KeyUses,
    ) -> Result<Self, Refusal> {
        let command = identify(commands, prepared.command, args)?;
        if args.has_longer_than(KEY_BYTES_MAX) && has_long_key(command, args, KEY_BYTES_MAX) {
            return Err((Some(command), CmdError::text("ERR a key is longer than 1 GiB")));
        }
        let keys = match command.single_key() {
            // A subcommand has other keys than what was prepared.
            Some(index) => Keys::One {
                index,
                hash: prepared.hash.filter(|_| command.parent.is_none()),
            },
            None if command.spec.keys.is_empty() => Keys::Told(&[]),
            None => {
                *room = key_uses(command, args);
                keys(command, args, room)
            }
        };
        Ok(Self {
            command,
            handler: command.spec.handler,
            args,
            flags: command.flags,
            keys,
        })
    }

    /// Whether any of `flags` is set.
    #[inline]
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// The keys that can be told, with what is done with them.
    pub fn key_uses(&self) -> impl Iterator<Item = (&'a [u8], Access)> + use<'a> {
        let one = match self.keys {
            Keys::One { index, .. } => Some(KeyUse {
                index,
                access: match self.command.spec.keys.first() {
                    Some(spec) => spec.access_in(self.args),
                    None => Access::default(),
                },
            }),
            Keys::Told(_) | Keys::Untold(_) => None,
        };
        let told = match self.keys {
            Keys::One { .. } => &[],
            Keys::Told(uses) | Keys::Untold(uses) => uses,
        };
        let args = self.args;
        let uses = one.into_iter().chain(told.iter().copied());
        uses.filter_map(move |key| Some((args.get(key.index)?, key.access)))
    }

    /// The keys that are found in the request: none where their number is wrong.
    pub fn keys_found(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let is_wrong = self.command.single_key().is_none() && self.command.spec.key_uses(self.args).is_err();
        let keys = (!is_wrong).then(|| self.key_uses());
        keys.into_iter().flatten().map(|(key, _)| key)
    }

    /// The command's flags, if it works on the selected collection and nothing else.
    pub fn flags_on_selected(&self) -> u32 {
        if self.handler.is_on_selected() {
            self.command.flags
        } else {
            0
        }
    }
}

/// The keys that can be told. Where a key count is wrong, all arguments: the handler will say what is wrong in its own
/// words, and whatever it looks at before that is locked.
fn key_uses(command: Command, args: Args<'_>) -> KeyUses {
    command.spec.key_uses(args).unwrap_or_else(|_| {
        let access = Access::default();
        (1..args.len()).map(|index| KeyUse { index, access }).collect()
    })
}

/// Whether a key among the arguments has more than `max` bytes.
#[cold]
fn has_long_key(command: Command, args: Args<'_>, max: usize) -> bool {
    let uses = key_uses(command, args);
    uses.iter()
        .any(|key| args.get(key.index).is_some_and(|key| key.len() > max))
}

fn keys<'a>(command: Command, args: Args<'_>, uses: &'a [KeyUse]) -> Keys<'a> {
    if command.spec.has_untold_keys(args) {
        Keys::Untold(uses)
    } else {
        Keys::Told(uses)
    }
}

/// A call that is kept: in MULTI's queue, or while it is blocked.
pub struct OwnedCall {
    command: Command,
    handler: Handler,
    flags: u32,
    uses: KeyUses,
    is_untold: bool,
    request: OwnedRequest,
}

impl OwnedCall {
    /// Keeps `call`; `handler` runs instead of the command's own.
    pub fn new(call: &Call<'_>, handler: Handler) -> Self {
        let (uses, is_untold) = match call.keys {
            Keys::One { .. } => (KeyUses::new(), false),
            Keys::Told(uses) => (uses.into(), false),
            Keys::Untold(uses) => (uses.into(), true),
        };
        Self {
            command: call.command,
            handler,
            flags: call.flags,
            uses,
            is_untold,
            request: call.args.to_owned(),
        }
    }

    /// The same command with other arguments.
    pub fn of_request(call: &Call<'_>, request: OwnedRequest) -> Self {
        Self {
            command: call.command,
            handler: call.handler,
            flags: call.flags,
            uses: key_uses(call.command, request.args()),
            is_untold: call.command.spec.has_untold_keys(request.args()),
            request,
        }
    }

    /// The call.
    pub fn call(&self) -> Call<'_> {
        Call {
            command: self.command,
            handler: self.handler,
            args: self.request.args(),
            flags: self.flags,
            keys: match self.command.single_key() {
                Some(index) => Keys::One { index, hash: None },
                None if self.is_untold => Keys::Untold(&self.uses),
                None => Keys::Told(&self.uses),
            },
        }
    }

    /// Whether what it does can be taken back. What scripts may not run is about the connection or the server.
    pub fn can_be_taken_back(&self) -> bool {
        match self.handler {
            Handler::Script(_) => self.command.has(flag::UNDOABLE | flag::RUNS_SCRIPT),
            Handler::Maintenance(_) | Handler::Container => false,
            Handler::Exclusive(_) | Handler::Session(_) => self.command.can_be_taken_back(),
            Handler::Read(_)
            | Handler::Write(_)
            | Handler::Blocking(_)
            | Handler::Across(_)
            | Handler::Keyspace(_)
            | Handler::Range(_)
            | Handler::Publish(_) => true,
        }
    }

    /// The command's full name.
    pub fn name(&self) -> String {
        self.command.full_name()
    }

    /// Whether all it touches can be locked before it runs.
    pub fn runs_locked(&self) -> bool {
        self.handler.runs_locked()
    }

    /// What it takes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let spilled = if self.uses.spilled() { self.uses.capacity() } else { 0 };
        size_of::<Self>() + self.request.heap_bytes() + spilled * size_of::<KeyUse>()
    }
}

/// What MULTI has queued.
#[derive(Default)]
pub struct Queue {
    calls: Vec<OwnedCall>,
    needs: u32,
    needs_on_selected: u32,
}

impl Queue {
    /// Adds a call.
    pub fn push(&mut self, call: OwnedCall) {
        let flags = call.call().flags_on_selected();
        self.needs |= call.flags & NEEDS;
        self.needs_on_selected |= flags & NEEDS;
        self.calls.push(call);
    }

    /// All calls, in order.
    pub fn calls(&self) -> &[OwnedCall] {
        &self.calls
    }

    /// What running them needs.
    pub fn needs(&self) -> u32 {
        self.needs
    }

    /// What running those needs that work on the selected collection.
    pub fn needs_on_selected(&self) -> u32 {
        self.needs_on_selected
    }
}

/// Finds the command, down to its subcommand, and checks the number of arguments.
#[inline]
fn identify(commands: &Table, found: Option<Command>, args: Args<'_>) -> Result<Command, Refusal> {
    let command = found.ok_or_else(|| (None, unknown(args)))?;
    let command = match (command.spec.subcommands, args.get(1)) {
        ([_, ..], Some(name)) => commands
            .lookup_subcommand(command, name)
            .ok_or_else(|| (None, unknown_subcommand(command, name)))?,
        _ => command,
    };
    if matches!(command.spec.handler, Handler::Container) || !command.spec.accepts(args.len()) {
        return Err((Some(command), CmdError::Arity(command.full_name())));
    }
    Ok(command)
}

#[cold]
fn unknown(args: Args<'_>) -> CmdError {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(shown(args.get(0).unwrap_or_default(), QUOTED_BYTES_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut quoted = Vec::new();
    for arg in args.iter().skip(1) {
        if quoted.len() >= QUOTED_BYTES_MAX {
            break;
        }
        quoted.push(b'\'');
        let room = QUOTED_BYTES_MAX + 1 - quoted.len();
        quoted.extend_from_slice(shown(arg, room));
        quoted.extend_from_slice(b"' ");
    }
    text.append(&mut quoted);
    CmdError::Quoting(text)
}

fn unknown_subcommand(container: Command, name: &[u8]) -> CmdError {
    let hint = format!("'. Try {} HELP.", container.spec.name.to_uppercase());
    CmdError::quoting("ERR unknown subcommand '", name, QUOTED_BYTES_MAX, &hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::table;

    #[test]
    fn keys_have_a_length_that_values_may_have_and_more() {
        for (words, is_long) in [
            (&["SET", "key", "a long value"][..], false),
            (&["SET", "longkey", "v"], true),
            (&["MSET", "key", "a long value", "longkey", "v"], true),
            (&["ZUNION", "1", "key"], false),
            (&["ZUNION", "9223372036854775807", "longkey"], true),
        ] {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            let request = OwnedRequest::from_slices(&words);
            let command = table().lookup(request.args().at(0)).unwrap();
            assert_eq!(has_long_key(command, request.args(), 6), is_long, "{words:?}");
        }
    }
}
