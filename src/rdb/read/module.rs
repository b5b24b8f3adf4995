//! What modules have put into a file: vector sets are kept, all else is told by name, and skipped where nothing is lost
//! by it.

use std::io::Read;

use super::super::code::{module, vectors as code};
use super::super::error::Reason;
use super::super::object::Object;
use super::source::Source;
use super::vectors;

/// The alphabet of modules' names, six bits a letter.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NAME_LETTERS: u32 = 9;
const VERSION_BITS: u32 = 10;

/// The name in a module's id; below it stands the version of its encoding.
fn name(id: u64) -> String {
    (0..NAME_LETTERS)
        .rev()
        .filter_map(|place| {
            let letter = (id >> (VERSION_BITS + 6 * place)) & 0x3f;
            LETTERS.get(letter as usize).map(|byte| char::from(*byte))
        })
        .collect()
}

/// The value of a module's type.
pub fn value<R: Read>(source: &mut Source<R>) -> Result<Object, Reason> {
    match source.length()? {
        code::MODULE_ID => Ok(Object::Vectors(Box::new(vectors::read(source)?))),
        id => Err(unsupported(id)),
    }
}

/// What says whose value it is.
pub fn unsupported(id: u64) -> Reason {
    let (name, version) = (name(id), id & ((1 << VERSION_BITS) - 1));
    Reason::Unsupported(match id >> VERSION_BITS == code::MODULE_ID >> VERSION_BITS {
        true => format!("it is a vector set in version {version} of its encoding, and LokiKV knows version 0 only"),
        false => format!("the value belongs to the module type \"{name}\", which LokiKV does not have"),
    })
}

/// Skips what a module stores beside the keys; the result is its name.
pub fn skip_auxiliary<R: Read>(source: &mut Source<R>) -> Result<String, Reason> {
    let name = name(source.length()?);
    // When it was written: a number behind the code for numbers.
    source.length()?;
    source.length()?;
    let mut text = Vec::new();
    loop {
        match source.length()? {
            module::END => return Ok(name),
            module::SIGNED | module::UNSIGNED => {
                source.length()?;
            }
            module::FLOAT => {
                source.array::<4>()?;
            }
            module::DOUBLE => {
                source.array::<8>()?;
            }
            module::STRING => source.string_into(&mut text)?,
            _ => return Reason::bad("a module's data has a part of an unknown kind"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_spell_names() {
        let id = "ReJSON-RL".bytes().fold(0_u64, |id, byte| {
            let letter = super::LETTERS.iter().position(|letter| *letter == byte).unwrap();
            (id << 6) | letter as u64
        });
        assert_eq!(super::name((id << 10) | 3), "ReJSON-RL");
    }
}
