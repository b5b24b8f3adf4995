//! Payloads of `DUMP`: one value with its type, behind it the version (2 bytes) and the checksum (8 bytes) of all that.
//! Those of `FUNCTION DUMP` have libraries in its place.

use super::checksum;
use super::code::op;
use super::error::{Error, Reason};
use super::object::Object;
use super::read::{Source, object};
use super::version::Version;
use super::write;

const FOOTER_BYTES: usize = 10;
/// What the compressed strings of one payload may become: as much as the longest string.
const UNPACKED_BYTES_MAX: u64 = crate::page::value::STRING_BYTES_MAX;

/// Why a payload is refused.
#[derive(Debug)]
pub enum RestoreError {
    /// It is of a newer version, or not what was dumped.
    Footer,
    /// The value makes no sense.
    Value(Error),
}

/// The payload of a value.
pub fn dump(object: &Object) -> Vec<u8> {
    let versions = [Version::USUAL, Version::TIMED_HASHES];
    let version = versions.into_iter().find(|version| version.holds(object));
    dump_as(object, version.unwrap_or(Version::MESSAGES))
}

/// The same of a version that holds it.
pub(super) fn dump_as(object: &Object, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    write::kind_and_value(&mut out, object, version);
    with_footer(out, version)
}

fn with_footer(mut out: Vec<u8>, version: Version) -> Vec<u8> {
    out.extend(version.number().to_le_bytes());
    out.extend(checksum::of(&out).to_le_bytes());
    out
}

/// Why a payload of libraries is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibrariesError {
    /// It is of a newer version, or not what was dumped.
    Footer,
    /// There is something else in it.
    OtherType,
    /// There is a library as release candidates of Redis 7.0 wrote it.
    OldFunction,
    /// The code of a library makes no sense.
    Code,
}

/// The payload of libraries with these codes.
pub fn dump_libraries<'c>(codes: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(op::FUNCTION);
        write::string(&mut out, code);
    }
    with_footer(out, Version::USUAL)
}

/// The codes of the libraries of a payload, up to the first error.
///
/// # Errors
/// Version or checksum are wrong.
pub fn restore_libraries(
    payload: &[u8],
) -> Result<impl Iterator<Item = Result<Vec<u8>, LibrariesError>>, LibrariesError> {
    let (libraries, _) = footed(payload).ok_or(LibrariesError::Footer)?;
    let mut source = Source::new(libraries, libraries.len()).unpacking_at_most(UNPACKED_BYTES_MAX);
    Ok(std::iter::from_fn(move || next_library(&mut source).transpose()))
}

fn next_library(source: &mut Source<&[u8]>) -> Result<Option<Vec<u8>>, LibrariesError> {
    if source.is_at_end().map_err(|_| LibrariesError::Code)? {
        return Ok(None);
    }
    match source.byte().map_err(|_| LibrariesError::Code)? {
        op::FUNCTION => source.string().map(Some).map_err(|_| LibrariesError::Code),
        op::FUNCTION_OLD => Err(LibrariesError::OldFunction),
        _ => Err(LibrariesError::OtherType),
    }
}

/// The value of a payload.
///
/// # Errors
/// Version or checksum are wrong, or the value is.
pub fn restore(payload: &[u8]) -> Result<Object, RestoreError> {
    let (value, version) = footed(payload).ok_or(RestoreError::Footer)?;
    let mut source = Source::new(value, value.len()).unpacking_at_most(UNPACKED_BYTES_MAX);
    read_value(&mut source, version).map_err(|reason| {
        RestoreError::Value(Error {
            offset: source.position(),
            version: Some(version),
            key: None,
            kind: value.first().copied(),
            reason,
        })
    })
}

/// The part before the footer and the version, if the footer is right.
fn footed(payload: &[u8]) -> Option<(&[u8], Version)> {
    let (value, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER_BYTES)?)?;
    let (number, sum) = footer.split_first_chunk()?;
    let version = Version::of_payload(u16::from_le_bytes(*number))?;
    let summed = payload.get(..payload.len() - sum.len())?;
    (checksum::of(summed).to_le_bytes() == *sum).then_some((value, version))
}

fn read_value(source: &mut Source<&[u8]>, version: Version) -> Result<Object, Reason> {
    let code = source.byte()?;
    let object = object(source, code, version)?;
    if object.is_void() {
        return Reason::bad("a container of nothing");
    }
    if source.is_at_end()? {
        Ok(object)
    } else {
        Reason::bad("more follows behind the value")
    }
}
