//! A vector set as bytes, in pages, the log and persisted files.

use std::sync::Arc;

use super::set::{Node, VectorSet};
use super::shape::{Quant, Shape};
use crate::page::malformed::Malformed;
use crate::page::packed::{Packed, read_varint, write_varint};

const CUT_SHORT: Malformed = Malformed::Container("a vector set is cut short");

/// Whether `packed` is a whole vector set.
///
/// # Errors
/// What is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), Malformed> {
    read(packed).map(drop)
}

/// How many elements a packed vector set has.
pub fn len(packed: Packed<'_>) -> u64 {
    (packed.count() as u64).saturating_sub(1)
}

impl VectorSet {
    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        let set = read(packed);
        debug_assert!(set.is_ok(), "{set:?}");
        set.unwrap_or_else(|_| {
            Self::new(Shape {
                quant: Quant::Q8,
                m: 16,
                dim: 1,
                input_dim: None,
            })
        })
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        let mut out = vec![0];
        write_varint(&mut out, self.len() + 1);
        write_varint(&mut out, self.shape.quant as u64);
        write_varint(&mut out, u64::from(self.shape.m));
        write_varint(&mut out, u64::from(self.shape.dim));
        write_varint(&mut out, u64::from(self.shape.input_dim.unwrap_or(0)));
        write_varint(&mut out, self.added);
        for node in self.nodes.iter() {
            write_bytes(&mut out, &node.name);
            write_bytes(&mut out, node.attributes.as_deref().unwrap_or_default());
            out.extend_from_slice(&node.norm.to_le_bytes());
            out.extend_from_slice(&node.range.to_le_bytes());
            write_bytes(&mut out, &node.bytes);
        }
        out
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let len = read_varint(rest).ok_or(CUT_SHORT)?;
    let (bytes, behind) = rest.split_at_checked(len as usize).ok_or(CUT_SHORT)?;
    *rest = behind;
    Ok(bytes)
}

fn float(rest: &mut &[u8]) -> Result<f32, Malformed> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(CUT_SHORT)?;
    *rest = behind;
    Ok(f32::from_le_bytes(*bytes))
}

fn read(packed: Packed<'_>) -> Result<VectorSet, Malformed> {
    let mut rest = packed.bytes().get(1..).unwrap_or_default();
    let mut number = || read_varint(&mut rest).ok_or(CUT_SHORT);
    let count = number()?.saturating_sub(1);
    let quant = u8::try_from(number()?).ok().and_then(Quant::of_code);
    let shape = Shape {
        quant: quant.ok_or(CUT_SHORT)?,
        m: number()? as u32,
        dim: number()? as u32,
        input_dim: Some(number()? as u32).filter(|dim| *dim > 0),
    };
    let mut set = VectorSet::new(shape);
    set.added = number()?;
    for _ in 0..count {
        let name = bytes(&mut rest)?.to_vec();
        let attributes = Some(bytes(&mut rest)?.to_vec()).filter(|bytes| !bytes.is_empty());
        let (norm, range) = (float(&mut rest)?, float(&mut rest)?);
        let node = Node {
            name,
            attributes,
            norm,
            range,
            bytes: bytes(&mut rest)?.to_vec(),
        };
        Arc::make_mut(&mut set.nodes).push(node);
    }
    Ok(set)
}
