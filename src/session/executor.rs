//! Runs calls: of requests, of transactions, of blocked commands that try again. The only place that asks what kind of
//! handler a command has.
//!
//! A call runs in a [`Place`]: beside others, under locks that are held already, or alone. A place is handed all it
//! works with, the right to work alone included, and cannot ask for more.
//!
//! **Invariant:** a command that touched a key outside of what its spec names answers an error.

use crate::client::Client;
use crate::commands::blocking::Attempt;
use crate::commands::context::{MaintenanceCx, PublishCx, Scripting, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::spec::{Across, CmdResult, Handler, flag};
use crate::engine::Engine;
use crate::engine::across::AcrossTxn;
use crate::engine::collection::Collection;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::ranges::RangeTxn;
use crate::engine::registry::Slot;
use crate::engine::scope::Scope;
use crate::engine::txn::{ReadTxn, Txn};
use crate::engine::worker::Kit;
use crate::resp::Reply;

use super::call::Call;

/// What to say when the client's collection has gone.
pub(super) const NO_COLLECTION: CmdError =
    CmdError::text("NOCOLLECTION the selected collection has been dropped, select another one");

const NOT_HERE: CmdError = CmdError::text("ERR the command cannot run here");

const TOO_LARGE: CmdError = CmdError::text(
    "ERR the change is larger than what the log keeps as one (a command or transaction of up to 4 GiB); it was left out",
);

/// A collection that is shown from a snapshot, or no longer, stays so.
const NOT_TAKEN_BACK: CmdError =
    CmdError::text("ERR the command cannot be taken back, and what it is a part of may have to be");

const ARGS_OF_ONE_CHANGE: usize = 3;

const STRAYED: CmdError =
    CmdError::text("ERR the command touched a key that it does not declare; this is a fault of the server");

/// Where a call runs. Each method finds the locks for one kind of handler and runs `body` under them; `bool` is whether
/// reads leave the access clock alone.
pub trait Place {
    /// The client, if it is told when keys change that it reads now.
    fn reader(&self) -> Option<u64> {
        None
    }

    /// Under the locks of the call's keys.
    fn on_keys<R>(
        &mut self,
        call: &Call<'_>,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool) -> Result<R, CmdError>,
    ) -> Result<R, CmdError>;

    /// Under the locks of the call's keys, and what is done if there is nothing yet: where nothing is waited for, that
    /// is answered at once.
    fn blocking(
        &mut self,
        call: &Call<'_>,
        reply: &mut Reply,
        body: impl FnOnce(&mut Scope<'_>, &Collection, bool, &mut Reply) -> Result<Attempt, CmdError>,
    ) -> Result<Flow<Waiting>, CmdError> {
        let attempt = self.on_keys(call, |scope, collection, quiet| body(scope, collection, quiet, reply))?;
        if let Attempt::Nothing(wait) = attempt {
            (wait.in_transaction)(reply);
        }
        Ok(Flow::Done)
    }

    /// Under the locks of the call's keys in two collections.
    fn across(
        &mut self,
        _call: &Call<'_>,
        _across: &Across,
        _body: impl FnOnce(&mut Scope<'_>, &Slot, &Slot, bool) -> CmdResult,
    ) -> CmdResult {
        Err(NOT_HERE)
    }

    /// On the selected collection, shard by shard.
    fn on_collection(
        &mut self,
        _call: &Call<'_>,
        _body: impl FnOnce(&mut Scope<'_>, &Collection) -> CmdResult,
    ) -> CmdResult {
        Err(NOT_HERE)
    }

    /// While nobody else runs.
    fn alone(&mut self, _body: impl FnOnce(&mut Scope<'_>, DatabaseId) -> CmdResult) -> CmdResult {
        Err(NOT_HERE)
    }

    /// Beside what the place has locked, which it does not need.
    fn publishing(&mut self, _body: impl FnOnce(&PublishCx<'_>) -> CmdResult) -> CmdResult {
        Err(NOT_HERE)
    }

    /// On the connection or the server.
    fn session(
        &mut self,
        _call: &Call<'_>,
        _body: impl FnOnce(&mut SessionCx<'_>) -> Result<Flow, CmdError>,
    ) -> Result<Flow, CmdError> {
        Err(NOT_HERE)
    }

    /// On scripts, what they call running in this place.
    fn scripting(&mut self, _call: &Call<'_>, _body: impl FnOnce(&mut dyn Scripting) -> CmdResult) -> CmdResult {
        Err(NOT_HERE)
    }

    /// The same as on the connection, without a pass.
    fn maintenance(
        &mut self,
        _call: &Call<'_>,
        _body: impl FnOnce(&mut MaintenanceCx<'_>) -> Result<Flow<Waiting>, CmdError>,
    ) -> Result<Flow<Waiting>, CmdError> {
        Err(NOT_HERE)
    }
}

/// Where the calls of one client run one after another: those of a transaction, or of a script.
pub(super) trait Series: Place {
    /// What is needed of the thread.
    fn kit(&mut self) -> &mut Kit;

    /// The client.
    fn client(&self) -> &Client;
}

/// Runs a call. On an error the caller drops what was written to `reply`.
#[inline]
pub fn execute<P: Place>(place: &mut P, call: &Call<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let args = call.args;
    let reader = place.reader();
    let result = match call.handler {
        Handler::Read(run) => place.on_keys(call, |scope, collection, quiet| {
            let result = run(&mut ReadTxn::new(scope, collection, quiet), args, reply);
            note_reader(scope, collection, call, reader);
            check(scope, call, result)
        }),
        Handler::Write(run) => place.on_keys(call, |scope, collection, quiet| {
            check_room(scope, call)?;
            let result = run(&mut Txn::new(scope, collection, quiet), args, reply);
            note_reader(scope, collection, call, reader);
            check(scope, call, result)
        }),
        Handler::Blocking(run) => {
            return place.blocking(call, reply, |scope, collection, quiet, reply| {
                check_room(scope, call)?;
                let result = run(&mut Txn::new(scope, collection, quiet), args, reply);
                note_reader(scope, collection, call, reader);
                check(scope, call, result)
            });
        }
        Handler::Across(across) => place.across(call, across, |scope, source, target, quiet| {
            check_room(scope, call)?;
            let result = (across.run)(&mut AcrossTxn::new(scope, source, target, quiet), args, reply);
            check(scope, call, result)
        }),
        Handler::Keyspace(run) => place.on_collection(call, |scope, collection| {
            check_room(scope, call)?;
            let result = run(&mut KeyspaceTxn::new(scope, collection), args, reply);
            check(scope, call, result)
        }),
        Handler::Range(run) => place.on_collection(call, |scope, collection| {
            check_room(scope, call)?;
            let result = run(&mut RangeTxn::new(scope, collection), args, reply);
            check(scope, call, result)
        }),
        Handler::Exclusive(run) => exclusive(place, call, |txn| run(txn, args, reply)),
        Handler::Publish(run) => place.publishing(|cx| run(cx, args, reply)),
        Handler::Script(run) => place.scripting(call, |cx| run(cx, args, reply)),
        Handler::Session(run) => return place.session(call, |cx| run(cx, args, reply)).map(Flow::may_wait),
        Handler::Maintenance(act) => return place.maintenance(call, |cx| (act.run)(cx, args, reply)),
        Handler::Container => Err(CmdError::Arity(call.command.full_name())),
    };
    result.map(|()| Flow::Done)
}

/// Changes collections or libraries as such, for a call.
pub(super) fn exclusive<P: Place>(
    place: &mut P,
    call: &Call<'_>,
    change: impl FnOnce(&mut ExclusiveTxn<'_, '_>) -> CmdResult,
) -> CmdResult {
    place.alone(|scope, database| {
        if scope.may_be_taken_back() && !call.command.can_be_taken_back() {
            return Err(NOT_TAKEN_BACK);
        }
        check_room(scope, call)?;
        let result = change(&mut ExclusiveTxn::new(scope, database));
        check(scope, call, result)
    })
}

/// Has the client told when a key changes that a call reads which changes nothing, whatever it has found or answered.
#[inline]
fn note_reader(scope: &mut Scope<'_>, collection: &Collection, call: &Call<'_>, reader: Option<u64>) {
    if let Some(client) = reader
        && call.has(flag::READONLY)
    {
        scope.note_reader(collection, client, call.keys_found());
    }
}

#[inline]
fn check<R>(scope: &mut Scope<'_>, call: &Call<'_>, result: Result<R, CmdError>) -> Result<R, CmdError> {
    if scope.has_strayed() {
        return Err(strayed(call));
    }
    if scope.take_overflow() {
        return Err(TOO_LARGE);
    }
    result
}

/// Refuses a command before its first change when the log has no record as long as what it, with all that its
/// transaction did before, may write. What it takes from elsewhere is judged when it is about to be changed.
#[inline(always)]
fn check_room(scope: &Scope<'_>, call: &Call<'_>) -> CmdResult {
    // Fewer arguments make one change.
    let may_be_long = scope.continues() || call.args.len() > ARGS_OF_ONE_CHANGE;
    // The bytes of the whole batch, in no time; only where that is too much those of the call are counted.
    if may_be_long && !scope.has_room(call.args.len_bytes() as u64) {
        return check_long(scope, call);
    }
    Ok(())
}

#[cold]
fn check_long(scope: &Scope<'_>, call: &Call<'_>) -> CmdResult {
    let bytes: usize = call.args.iter().map(<[u8]>::len).sum();
    if scope.has_room(bytes as u64) {
        Ok(())
    } else {
        Err(TOO_LARGE)
    }
}

#[cold]
fn strayed(call: &Call<'_>) -> CmdError {
    tracing::error!(
        command = call.command.full_name(),
        "a command touched a key that its spec does not name; what it did to that key was left out"
    );
    STRAYED
}

/// The two collections of a command on keys of both.
pub(super) fn two_slots(
    engine: &Engine,
    database: DatabaseId,
    call: &Call<'_>,
    across: &Across,
) -> Result<(Slot, Slot), CmdError> {
    let registry = engine.registry();
    let source = registry.slot(database).cloned().ok_or(NO_COLLECTION)?;
    let target = (across.target)(&registry, source.clone(), call.args)?;
    Ok((source, target))
}

#[cfg(test)]
mod tests {
    use crate::commands::spec::{Group, Handler, Spec, first_key};
    use crate::commands::testing::Harness;
    use crate::commands::{CmdError, CmdResult};
    use crate::engine::txn::Txn;
    use crate::page::StrRef;
    use crate::resp::{Args, Reply};

    /// Names its first key only, and writes two.
    const WRONG: Spec = Spec {
        keys: &[first_key(&["OW", "update"])],
        ..Spec::new("wrong", Group::String, 3, Handler::Write(wrong))
    };

    fn wrong(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
        txn.put_str(args.at(1), StrRef::Inline(b"v"), None);
        txn.put_str(args.at(2), StrRef::Inline(b"v"), None);
        let text = txn.get_str(args.at(2))?.map(|text| text.contiguous().into_owned());
        reply.bulk(&text.ok_or(CmdError::NoSuchKey)?);
        Ok(())
    }

    #[test]
    fn a_key_that_no_spec_names_is_an_error_and_left_alone() {
        let mut server = Harness::new();
        let (mut strayed, mut at_home) = (0, 0);
        for n in 0..200 {
            let other = format!("other{n}");
            let reply = server.run_spec(&WRONG, &[b"wrong", b"key", other.as_bytes()]);
            let is_there = server.say(&format!("EXISTS {other}")) == ":1";
            if reply.starts_with(b"-ERR the command touched a key that it does not declare") {
                assert!(!is_there, "{other}");
                strayed += 1;
            } else {
                // Its shard is the declared key's, and locked.
                assert_eq!(reply, b"$1\r\nv\r\n");
                assert!(is_there, "{other}");
                at_home += 1;
            }
        }
        assert!(strayed > 150 && strayed + at_home == 200, "{strayed} of 200");
        assert_eq!(server.say("GET key"), "$1 v");
    }
}
