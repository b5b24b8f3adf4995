//! Searching bits: BITCOUNT, BITPOS.

use crate::commands::spec::{Group, first_key};
use crate::commands::support::bits::{BitUnit, bit_count, bit_position, bit_position_of_nothing};
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const BITCOUNT: Spec = Spec {
    since: "2.6.0",
    acl: &["bitmap"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Counts the bits that are set in the string at a key, or in a range of it",
    complexity: "O(N)",
    syntax: "key [start end [BYTE | BIT]]",
    ..Spec::new("bitcount", Group::Bitmap, -2, Handler::Read(bitcount))
};

fn bitcount(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (start, end, unit) = match args.len() {
        2 => (0, -1, BitUnit::Byte),
        4 | 5 => (int_arg(args, 2)?, int_arg(args, 3)?, unit_arg(args, 4)?),
        _ => return Err(CmdError::Syntax),
    };
    let text = txn.get_str(args.at(1))?;
    reply.int(text.map_or(0, |text| bit_count(text, start, end, unit).cast_signed()));
    Ok(())
}

pub(super) const BITPOS: Spec = Spec {
    since: "2.8.7",
    acl: &["bitmap"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Finds the first set or clear bit in the string at a key, or in a range of it",
    complexity: "O(N)",
    syntax: "key bit [start [end [BYTE | BIT]]]",
    ..Spec::new("bitpos", Group::Bitmap, -3, Handler::Read(bitpos))
};

fn bitpos(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let bit = match int_arg(args, 2)? {
        0 => false,
        1 => true,
        _ => return Err(CmdError::text("ERR The bit argument must be 1 or 0.")),
    };
    if args.len() > 6 {
        return Err(CmdError::Syntax);
    }
    let start = if args.len() > 3 { int_arg(args, 3)? } else { 0 };
    let unit = unit_arg(args, 5)?;
    let end = if args.len() > 4 { Some(int_arg(args, 4)?) } else { None };
    let text = txn.get_str(args.at(1))?;
    reply.int(text.map_or(bit_position_of_nothing(bit), |text| {
        bit_position(text, bit, start, end, unit)
    }));
    Ok(())
}

/// BYTE or BIT at `i`; bytes when nothing is there.
fn unit_arg(args: Args<'_>, i: usize) -> Result<BitUnit, CmdError> {
    match args.get(i) {
        None => Ok(BitUnit::Byte),
        Some(word) if word.eq_ignore_ascii_case(b"BYTE") => Ok(BitUnit::Byte),
        Some(word) if word.eq_ignore_ascii_case(b"BIT") => Ok(BitUnit::Bit),
        Some(_) => Err(CmdError::Syntax),
    }
}
