//! Values as byte strings that any Redis understands: `DUMP`, `RESTORE`.

use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Group, Handler, Spec, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::engine::events::Classes;
use crate::engine::eviction::Noting;
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::{Access, ValueRef};
use crate::rdb;
use crate::resp::{Args, Reply};

/// `DUMP key`
pub const DUMP: Spec = Spec {
    since: "2.6.0",
    acl: &["keyspace"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Writes a value in Redis's own format, for RESTORE here or there",
    complexity: "O(N) in the bytes of the value.",
    syntax: "key",
    ..Spec::new("dump", Group::Generic, 2, Handler::Read(dump))
};

/// `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
pub const RESTORE: Spec = Spec {
    since: "2.6.0",
    flags: flag::DENY_OOM,
    acl: &["keyspace", "dangerous"],
    keys: &[first_key(&["OW", "update"])],
    summary: "Makes a key from a value that DUMP has written",
    complexity: "O(N) in the bytes of the value; O(N*log(N)) in the members of a sorted set.",
    syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    ..Spec::new("restore", Group::Generic, -4, Handler::Write(restore))
};

/// RESTORE as nodes of a cluster call it among themselves.
pub const RESTORE_ASKING: Spec = Spec {
    name: "restore-asking",
    since: "3.0.0",
    group: Group::Server,
    flags: RESTORE.flags | flag::ASKING,
    ..RESTORE
};

const BUSY: CmdError = CmdError::text("BUSYKEY Target key name already exists.");
const BAD_TTL: CmdError = CmdError::text("ERR Invalid TTL value, must be >= 0");
const BAD_IDLE: CmdError = CmdError::text("ERR Invalid IDLETIME value, must be >= 0");
const BAD_FREQUENCY: CmdError = CmdError::text("ERR Invalid FREQ value, must be >= 0 and <= 255");
const BAD_FOOTER: CmdError = CmdError::text("ERR DUMP payload version or checksum are wrong");
const BAD_VALUE: CmdError = CmdError::text("ERR Bad data format");

fn dump(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let object = match txn.get(args.at(1)) {
        Some(entry) => rdb::convert::object_of(entry.value(), now_ms).map_err(|reason| format!("ERR {reason}"))?,
        None => None,
    };
    match object {
        Some(object) => reply.bulk(&rdb::dump(&object)),
        None => reply.null(),
    }
    Ok(())
}

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        let mut options = Self::default();
        let mut rest = args.skip(4).iter().peekable();
        while let Some(option) = rest.next() {
            let has_value = rest.peek().is_some();
            match option.to_ascii_lowercase().as_slice() {
                b"replace" => options.replace = true,
                b"absttl" => options.absolute = true,
                b"idletime" if has_value && options.frequency.is_none() => {
                    let idle_s = rest.next().and_then(parse_i64).ok_or(CmdError::NotInteger)?;
                    options.idle_s = Some(u64::try_from(idle_s).map_err(|_| BAD_IDLE)?);
                }
                b"freq" if has_value && options.idle_s.is_none() => {
                    let frequency = rest.next().and_then(parse_i64).ok_or(CmdError::NotInteger)?;
                    options.frequency = Some(u8::try_from(frequency).map_err(|_| BAD_FREQUENCY)?);
                }
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(options)
    }

    /// Gives the key the time or the number of uses that were said, where its policy looks at that.
    fn set_access(&self, txn: &mut Txn<'_, '_>, key: &[u8]) {
        let (now_ms, noting) = (txn.now_ms(), txn.policy().noting());
        match (noting, self.idle_s, self.frequency) {
            (Noting::Counts, _, Some(counter)) => txn.set_access(key, Access::counted(now_ms, counter)),
            (Noting::Counts, _, None) | (_, None, _) => {}
            (_, Some(idle_s), _) => {
                let idle_s = u32::try_from(idle_s).unwrap_or(u32::MAX);
                txn.set_access(key, Access::in_second(now_ms).before(idle_s));
            }
        }
    }

    /// When the key will die, in Unix milliseconds; `None`: never.
    fn expire_at_ms(&self, ttl: &[u8], now_ms: u64) -> Result<Option<u64>, CmdError> {
        let ttl = parse_i64(ttl).ok_or(CmdError::NotInteger)?;
        let at_ms = match u64::try_from(ttl).map_err(|_| BAD_TTL)? {
            0 => return Ok(None),
            at_ms if self.absolute => at_ms,
            ttl_ms => now_ms.saturating_add(ttl_ms),
        };
        // Times are told of, and written to other files, with a sign.
        if i64::try_from(at_ms).is_err() {
            return Err(BAD_TTL);
        }
        Ok(Some(at_ms))
    }
}

fn restore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let options = Options::parse(args)?;
    if !options.replace && txn.exists(key) {
        return Err(BUSY);
    }
    let now_ms = txn.now_ms();
    let expire_at_ms = options.expire_at_ms(args.at(2), now_ms)?;
    let object = rdb::restore(args.at(3)).map_err(|error| match error {
        rdb::RestoreError::Footer => BAD_FOOTER,
        rdb::RestoreError::Value(_) => BAD_VALUE,
    })?;
    match rdb::convert::stored(object, txn.thresholds(), now_ms).map_err(|_| BAD_VALUE)? {
        Some(stored) => {
            put_restored(txn, key, stored.value(), expire_at_ms);
            options.set_access(txn, key);
        }
        // All its fields have died.
        None => {
            txn.remove(key);
        }
    }
    reply.ok();
    Ok(())
}

fn put_restored(txn: &mut Txn<'_, '_>, key: &[u8], value: ValueRef<'_>, expire_at_ms: Option<u64>) {
    if expire_at_ms.is_some_and(|at_ms| at_ms <= txn.now_ms()) {
        // Dead already: all that happens is that what was there goes.
        txn.remove(key);
        return;
    }
    let had = txn.type_at(key);
    txn.put(key, value, expire_at_ms);
    if had.is_some() {
        // What was there has been deleted first.
        txn.notify(Classes::NEW, "new", key);
    }
    txn.notify(Classes::GENERIC, "restore", key);
    txn.notify_replaced(key, had, value.value_type());
}
