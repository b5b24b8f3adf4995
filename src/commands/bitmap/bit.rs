//! Single bits: GETBIT, SETBIT.

use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::bits::{BAD_BIT_OFFSET, get_bit, parse_bit_offset};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

pub(super) const GETBIT: Spec = Spec {
    since: "2.2.0",
    flags: flag::FAST,
    acl: &["bitmap"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns one bit of the string at a key",
    syntax: "key offset",
    ..Spec::new("getbit", Group::Bitmap, 3, Handler::Read(getbit))
};

fn getbit(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let offset = bit_offset(args.at(2), txn)?;
    let bit = txn.get_str(args.at(1))?.is_some_and(|text| get_bit(text, offset));
    reply.int(i64::from(bit));
    Ok(())
}

pub(super) const SETBIT: Spec = Spec {
    since: "2.2.0",
    flags: flag::DENY_OOM,
    acl: &["bitmap"],
    keys: &[first_key(&["RW", "access", "update"])],
    summary: "Sets or clears one bit of the string at a key and returns the previous one",
    syntax: "key offset value",
    ..Spec::new("setbit", Group::Bitmap, 4, Handler::Write(setbit))
};

fn setbit(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let offset = bit_offset(args.at(2), txn)?;
    let on = match parse_i64(args.at(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(CmdError::text("ERR bit is not an integer or out of range")),
    };
    let index = (offset >> 3) as usize;
    let old_byte = txn.old_str(key)?.and_then(|text| text.byte(index));
    let (byte, mask) = (old_byte.unwrap_or(0), 0x80u8 >> (offset & 7));
    let was_on = byte & mask != 0;
    if old_byte.is_none() || was_on != on {
        let byte = if on { byte | mask } else { byte & !mask };
        txn.write_range_or_create(key, index, &[byte]);
        txn.notify(Classes::STRING, "setbit", key);
    }
    reply.int(i64::from(was_on));
    Ok(())
}

fn bit_offset(text: &[u8], txn: &ReadTxn<'_, '_>) -> Result<u64, CmdError> {
    parse_bit_offset(text, txn.string_bytes_max()).ok_or(CmdError::text(BAD_BIT_OFFSET))
}
