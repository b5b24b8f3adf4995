//! Why a data set is not written as it is asked for.

use std::fmt;

use crate::rdb::{Newer, Version};

/// See the module.
#[derive(Debug)]
pub enum Unwritable {
    /// The file is there.
    Exists,
    /// The data needs a newer format.
    NoVersion,
    /// The version that was asked for has no such values.
    TooOld(Version, Newer),
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
            Self::NoVersion => out.write_str("no version of the format holds all of this"),
            Self::TooOld(version, Newer::TimedHash) => write!(
                out,
                "it is a hash with fields that expire, which {version} does not hold ({} and {} do)",
                Version::TIMED_HASHES,
                Version::VALKEY
            ),
            Self::TooOld(version, Newer::Vectors) => write!(
                out,
                "it is a vector set, which {version} does not hold ({} does)",
                Version::TIMED_HASHES
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
