//! What can be wrong with a change to whole collections.

use std::fmt;

use super::ids::{CollectionId, DatabaseId};

/// Why the registry refuses a change. On replay it means a damaged history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectionError {
    /// The name is in use.
    Exists(String),
    /// The database, or the name, is in use.
    ExistsIn {
        /// The name.
        name: String,
        /// The database.
        database: DatabaseId,
    },
    /// There is no collection of this identity.
    Missing(CollectionId),
    /// There is no such database.
    NoDatabase(DatabaseId),
    /// Nothing of this identity is being loaded.
    NotLoading(CollectionId),
    /// What was just made is not there.
    Vanished,
    /// What is to be replaced is not there any more.
    Dropped,
    /// The name belongs to another database.
    NameTaken(String),
    /// The name belongs to a numbered database.
    NameNumbered(String),
    /// Two collections would be in one place, or one where none can be.
    ImpossiblePlace(String),
    /// A collection of this name is attached, and in the way.
    Attached(String),
    /// The collection is attached, so nothing can take its place.
    Irreplaceable(String),
    /// The collection is not attached.
    NotAttached(String),
    /// Whether the collection is kept on disk was changed meanwhile.
    Reconfigured(String),
    /// There is no library of this name.
    NoLibrary(Box<[u8]>),
    /// The log has no record as long as that.
    TooLong,
    /// The effect is one on a key.
    EffectOnKey,
    /// There are as many as there may be.
    TooMany(u64),
    /// So many bytes are kept of collections already, to be taken back.
    TooMuchKept(usize),
}

impl fmt::Display for CollectionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(name) => write!(out, "collection {name:?} exists already"),
            Self::ExistsIn { name, database } => {
                write!(out, "collection {name:?} (database {database}) exists already")
            }
            Self::Missing(id) => write!(out, "there is no collection with id {id}"),
            Self::NoDatabase(id) => write!(out, "there is no database {id}"),
            Self::NotLoading(id) => write!(out, "collection {id} is not being loaded"),
            Self::Vanished => out.write_str("the collection vanished"),
            Self::Dropped => out.write_str("the collection was dropped meanwhile"),
            Self::NameTaken(name) => write!(out, "the name {name:?} is another database's"),
            Self::NameNumbered(name) => write!(out, "the name {name:?} is a numbered database's"),
            Self::ImpossiblePlace(name) => write!(out, "collection {name:?} is in an impossible place"),
            Self::Attached(name) => write!(out, "a collection is attached as {name:?}, detach it first"),
            Self::Irreplaceable(name) => {
                write!(
                    out,
                    "collection {name:?} is attached from a snapshot, nothing can replace it"
                )
            }
            Self::NotAttached(name) => write!(out, "collection {name:?} is not attached"),
            Self::Reconfigured(name) => {
                write!(
                    out,
                    "the checkpoint setting of {name:?} was changed meanwhile, try again"
                )
            }
            Self::TooMuchKept(bytes) => write!(
                out,
                "changes of whole collections that may be taken back already keep {bytes} bytes of memory"
            ),
            Self::TooMany(max) => write!(
                out,
                "there are {max} collections, and 'limits.collections_max' allows no more"
            ),
            Self::NoLibrary(name) => write!(out, "there is no library \"{}\"", name.escape_ascii()),
            Self::TooLong => out.write_str("the change is larger than what the log keeps as one"),
            Self::EffectOnKey => out.write_str("an effect on a key is not for the registry"),
        }
    }
}

impl std::error::Error for CollectionError {}
