//! Why a data set is not written as it is asked for.

use std::fmt;

use crate::rdb::{Newer, Version};

/// See the module.
#[derive(Debug)]
pub enum Unwritable {
    /// The file is there.
    Exists,
    /// The version that was asked for does not hold this.
    TooOld(Newer, Version),
    /// The version that was asked for has no libraries of functions.
    NoFunctions(Version),
    /// There is no collection of this name.
    NoCollection(String),
    /// Two collections would be the same database of the file.
    SameNumber {
        /// The database.
        db: u32,
        /// One of them.
        one: String,
        /// The other.
        other: String,
    },
    /// Collections have no number in the file.
    Homeless(Vec<String>),
}

impl fmt::Display for Unwritable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => out.write_str("there is a file already; --force replaces it"),
            Self::TooOld(Newer::TimedHash, version) => write!(
                out,
                "it is {}, which {version} does not hold ({} and {} do)",
                Newer::TimedHash,
                Version::TIMED_HASHES,
                Version::VALKEY
            ),
            Self::TooOld(newer, version) => write!(
                out,
                "it is {newer}, which {version} does not hold ({} does)",
                newer.version()
            ),
            Self::NoFunctions(version) => write!(
                out,
                "there are libraries of functions, which {version} does not hold; --skip-functions leaves them out"
            ),
            Self::NoCollection(name) => write!(out, "there is no collection \"{name}\""),
            Self::SameNumber { db, one, other } => {
                write!(out, "database {db} of the file would be both \"{one}\" and \"{other}\"")
            }
            Self::Homeless(names) => write!(
                out,
                "Redis has no names for databases: give {} a number by --collection NAME=DB, or leave it out by \
                 --skip-named",
                names.join(", ")
            ),
        }
    }
}

impl std::error::Error for Unwritable {}
