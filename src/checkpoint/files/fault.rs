//! What can be wrong with a page whose checksum is right.

use std::fmt;

use crate::engine::index::Misfit;
use crate::page::{Malformed, PageId};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageFault {
    /// The content is not packed and yet has two lengths.
    TwoLengths,
    /// The content is packed and too long for that.
    TooLong(u64),
    /// The content is stored in an unknown way.
    UnknownWay(u32),
    /// The content does not unpack; the unpacker's words.
    DoesNotUnpack(String),
    /// The content unpacks to another length.
    Unpacked {
        /// This one.
        bytes: usize,
        /// Instead of this one.
        expected: u64,
    },
    /// The bytes are not entries.
    Malformed(Malformed),
    /// A part of a container in it is not there.
    NoPart(PageId),
    /// A part of a container in it is one of another container, too.
    PartOfTwo(PageId),
    /// It is a part where a page should be.
    IsPart,
    /// An entry, or the page, does not belong there.
    Misfit(Misfit),
}

impl From<Malformed> for PageFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Misfit> for PageFault {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

impl fmt::Display for PageFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoLengths => out.write_str("it is not packed and yet has two lengths"),
            Self::TooLong(bytes) => write!(out, "it is packed and {bytes} bytes long"),
            Self::UnknownWay(flags) => write!(out, "it is stored in a way unknown here ({flags})"),
            Self::DoesNotUnpack(why) => write!(out, "it does not unpack: {why}"),
            Self::Unpacked { bytes, expected } => write!(out, "it unpacks to {bytes} bytes, not {expected}"),
            Self::NoPart(id) => write!(out, "part {id} of a container is not there"),
            Self::PartOfTwo(id) => write!(out, "part {id} of a container is named by another one, too"),
            Self::IsPart => out.write_str("it is a part of a container, not a page"),
            Self::Malformed(malformed) => malformed.fmt(out),
            Self::Misfit(misfit) => misfit.fmt(out),
        }
    }
}

impl std::error::Error for PageFault {}
