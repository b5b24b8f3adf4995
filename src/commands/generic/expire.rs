//! Giving keys a time to die: `EXPIRE`, `EXPIREAT`, `PEXPIRE`, `PEXPIREAT`.

use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Group, Handler, KeySpec, Spec, first_key, flag};
use crate::commands::support::expire::{TimeBase, TimeUnit, parse_expire};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

const KEYS: &[KeySpec] = &[first_key(&["RW", "update"])];

/// `EXPIRE key seconds [NX | XX | GT | LT]`
pub const EXPIRE: Spec = Spec {
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    summary: "Sets how many seconds a key has left to live",
    syntax: "key seconds [NX | XX | GT | LT]",
    ..Spec::new("expire", Group::Generic, -3, Handler::Write(expire))
};

/// `EXPIREAT key unix-time-seconds [NX | XX | GT | LT]`
pub const EXPIREAT: Spec = Spec {
    since: "1.2.0",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    summary: "Sets the Unix time, in seconds, at which a key dies",
    syntax: "key unix-time-seconds [NX | XX | GT | LT]",
    ..Spec::new("expireat", Group::Generic, -3, Handler::Write(expireat))
};

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]`
pub const PEXPIRE: Spec = Spec {
    since: "2.6.0",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    summary: "Sets how many milliseconds a key has left to live",
    syntax: "key milliseconds [NX | XX | GT | LT]",
    ..Spec::new("pexpire", Group::Generic, -3, Handler::Write(pexpire))
};

/// `PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]`
pub const PEXPIREAT: Spec = Spec {
    since: "2.6.0",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: KEYS,
    summary: "Sets the Unix time, in milliseconds, at which a key dies",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
    ..Spec::new("pexpireat", Group::Generic, -3, Handler::Write(pexpireat))
};

fn expire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(txn, args, reply, "expire", TimeUnit::Seconds, TimeBase::Now)
}

fn expireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(txn, args, reply, "expireat", TimeUnit::Seconds, TimeBase::Epoch)
}

fn pexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(txn, args, reply, "pexpire", TimeUnit::Milliseconds, TimeBase::Now)
}

fn pexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_expiry(txn, args, reply, "pexpireat", TimeUnit::Milliseconds, TimeBase::Epoch)
}

fn set_expiry(
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    reply: &mut Reply,
    command: &str,
    unit: TimeUnit,
    base: TimeBase,
) -> CmdResult {
    let condition = Condition::parse(args.skip(3))?;
    let now_ms = txn.now_ms() as i64;
    let at_ms = parse_expire(args.at(2), unit, base, now_ms).map_err(|error| error.message(command))?;
    let key = args.at(1);
    let Some(current_ms) = txn.old(key).map(|entry| entry.expire_at_ms()) else {
        reply.int(0);
        return Ok(());
    };
    let allowed = condition.allows(current_ms.map(|at_ms| at_ms as i64), at_ms);
    if allowed {
        // A time before the epoch is as past as the epoch itself: the key is deleted.
        txn.set_expiry(key, Some(at_ms.max(0) as u64));
    }
    reply.int(i64::from(allowed));
    Ok(())
}

/// When the expiry is set at all.
#[derive(Clone, Copy, Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(options: Args<'_>) -> Result<Self, CmdError> {
        let mut condition = Self::default();
        for option in options.iter() {
            match option.to_ascii_lowercase().as_slice() {
                b"nx" => condition.nx = true,
                b"xx" => condition.xx = true,
                b"gt" => condition.gt = true,
                b"lt" => condition.lt = true,
                _ => return Err(CmdError::quoting("ERR Unsupported option ", option, usize::MAX, "")),
            }
        }
        if condition.nx && (condition.xx || condition.gt || condition.lt) {
            return Err(CmdError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if condition.gt && condition.lt {
            return Err(CmdError::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    /// A key without expiry counts as one that dies after any time.
    fn allows(self, current_ms: Option<i64>, at_ms: i64) -> bool {
        match current_ms {
            None => !self.xx && !self.gt,
            Some(current_ms) => !self.nx && (!self.gt || at_ms > current_ms) && (!self.lt || at_ms < current_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn parse(options: &[&[u8]]) -> Result<Condition, String> {
        Condition::parse(OwnedRequest::from_slices(options).args()).map_err(|error| error.to_string())
    }

    #[test]
    fn conditions_follow_redis() {
        let allows = |option: &[u8], current, at| parse(&[option]).unwrap().allows(current, at);
        assert!(allows(b"NX", None, 5) && !allows(b"NX", Some(9), 5));
        assert!(!allows(b"xx", None, 5) && allows(b"xx", Some(9), 5));
        assert!(!allows(b"GT", None, 5) && !allows(b"GT", Some(5), 5) && allows(b"GT", Some(4), 5));
        assert!(allows(b"LT", None, 5) && !allows(b"LT", Some(5), 5) && allows(b"LT", Some(6), 5));
        assert!(parse(&[b"XX", b"GT"]).is_ok());
    }

    #[test]
    fn options_that_exclude_each_other() {
        let nx = "ERR NX and XX, GT or LT options at the same time are not compatible";
        assert_eq!(parse(&[b"nx", b"gt"]).err().as_deref(), Some(nx));
        let gt = "ERR GT and LT options at the same time are not compatible";
        assert_eq!(parse(&[b"gt", b"lt"]).err().as_deref(), Some(gt));
        assert_eq!(parse(&[b"foo"]).err().as_deref(), Some("ERR Unsupported option foo"));
    }
}
