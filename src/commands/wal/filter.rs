//! Which changes `WAL READ` shows: of these collections, at keys that fit one of these patterns, of these kinds.
//!
//! **Invariants**
//! - Changes are judged before they are made into replies, on the thread that reads the log.
//! - What concerns no single key (a flush, say) passes every pattern: it may have changed keys that fit.

use crate::commands::error::CmdError;
use crate::engine::Engine;
use crate::engine::effect::Effect;
use crate::engine::ids::CollectionId;
use crate::glob::{Case, glob_match};

/// So many values may be given, and so many bytes of patterns: each change is judged by all.
const VALUES_MAX: usize = 64;
const PATTERNS_BYTES_MAX: usize = 4096;

/// See the module. Of each kind any one has to fit, if there are some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    collections: Vec<String>,
    patterns: Vec<Vec<u8>>,
    effects: Vec<&'static str>,
}

/// A filter for one reading, with the collections as they are called now.
pub(super) struct Judge<'f> {
    filter: &'f Filter,
    ids: Vec<CollectionId>,
}

impl Filter {
    /// Whether all changes pass.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Takes an option with its value; whether it is one of a filter.
    pub fn take(&mut self, option: &[u8], value: &[u8]) -> Result<bool, CmdError> {
        match option.to_ascii_lowercase().as_slice() {
            b"collection" => {
                let name = std::str::from_utf8(value).map_err(|_| unknown("collection", value))?;
                self.collections.push(name.to_owned());
            }
            b"match" => {
                let bytes = self.patterns.iter().map(Vec::len).sum::<usize>();
                if bytes.saturating_add(value.len()) > PATTERNS_BYTES_MAX {
                    return Err(CmdError::text("ERR the patterns of WAL READ have at most 4096 bytes"));
                }
                self.patterns.push(value.to_vec());
            }
            b"effect" => {
                let mut kinds = KINDS.iter();
                let kind = kinds.find(|kind| value.eq_ignore_ascii_case(kind.as_bytes()));
                self.effects.push(kind.ok_or_else(|| unknown("effect", value))?);
            }
            _ => return Ok(false),
        }
        if self.collections.len() + self.patterns.len() + self.effects.len() > VALUES_MAX {
            return Err(CmdError::text("ERR WAL READ filters by at most 64 values"));
        }
        Ok(true)
    }

    /// The filter, for one reading.
    pub fn judge(&self, engine: &Engine) -> Judge<'_> {
        let registry = engine.registry();
        let slots = self.collections.iter().filter_map(|name| registry.by_name(name));
        Judge {
            filter: self,
            ids: slots.map(|slot| slot.collection.id()).collect(),
        }
    }
}

impl Judge<'_> {
    /// Whether a change of a collection is shown.
    pub fn shows(&self, id: CollectionId, effect: &Effect<'_>) -> bool {
        let Filter {
            collections,
            patterns,
            effects,
        } = self.filter;
        (collections.is_empty() || self.is_of_collections(id, effect))
            && (effects.is_empty() || effects.contains(&kind(effect)))
            && (patterns.is_empty() || fits(patterns, effect))
    }

    /// Whether it concerns one of the collections, by its id or by a name that it gives.
    fn is_of_collections(&self, id: CollectionId, effect: &Effect<'_>) -> bool {
        let named = match *effect {
            Effect::CollectionCreate { name, .. }
            | Effect::CollectionRename { name }
            | Effect::CollectionPublish { name, .. } => self.filter.collections.iter().any(|own| own == name),
            Effect::CollectionSwap { with } => self.ids.contains(&with),
            _ => false,
        };
        named || self.ids.contains(&id)
    }
}

fn fits(patterns: &[Vec<u8>], effect: &Effect<'_>) -> bool {
    effect.key().is_none_or(|key| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| glob_match(pattern, key, Case::Sensitive))
    })
}

fn unknown(what: &str, value: &[u8]) -> CmdError {
    CmdError::quoting(&format!("ERR WAL READ knows no {what} '"), value, usize::MAX, "'")
}

/// The kinds of effects by the names that `WAL READ` shows.
const KINDS: [&str; 23] = [
    "put",
    "delete",
    "expire-at",
    "str-range",
    "list",
    "set",
    "zset",
    "hash",
    "stream",
    "copy",
    "collection-create",
    "collection-drop",
    "collection-rename",
    "collection-flush",
    "collection-swap",
    "collection-load",
    "collection-publish",
    "collection-configure",
    "encoding-changed",
    "library-put",
    "library-delete",
    "libraries-flush",
    "vectors",
];

/// The kind of an effect, without looking at what is in it.
fn kind(effect: &Effect<'_>) -> &'static str {
    match effect {
        Effect::Put { .. } => "put",
        Effect::Delete { .. } => "delete",
        Effect::ExpireAt { .. } => "expire-at",
        Effect::StrRange { .. } => "str-range",
        Effect::List { .. } => "list",
        Effect::Set { .. } => "set",
        Effect::Zset { .. } => "zset",
        Effect::Hash { .. } => "hash",
        Effect::Stream { .. } => "stream",
        Effect::Copy { .. } => "copy",
        Effect::CollectionCreate { .. } => "collection-create",
        Effect::CollectionDrop => "collection-drop",
        Effect::CollectionRename { .. } => "collection-rename",
        Effect::CollectionFlush => "collection-flush",
        Effect::CollectionSwap { .. } => "collection-swap",
        Effect::CollectionLoad { .. } => "collection-load",
        Effect::CollectionPublish { .. } => "collection-publish",
        Effect::CollectionConfigure { .. } => "collection-configure",
        Effect::EncodingChanged { .. } => "encoding-changed",
        Effect::LibraryPut { .. } => "library-put",
        Effect::LibraryDelete { .. } => "library-delete",
        Effect::LibrariesFlush => "libraries-flush",
        Effect::Vectors { .. } => "vectors",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::field::of_effect;
    use crate::engine::ids::DatabaseId;
    use crate::page::StrRef;
    use crate::page::ValueRef;

    const OWN: CollectionId = CollectionId::new(5);
    const OTHER: CollectionId = CollectionId::new(6);

    fn put(key: &[u8]) -> Effect<'_> {
        Effect::Put {
            key,
            expire_at_ms: 0,
            value: ValueRef::Str(StrRef::Inline(b"v")),
        }
    }

    fn filter(options: &[(&str, &str)]) -> Filter {
        let mut filter = Filter::default();
        for (option, value) in options {
            assert_eq!(filter.take(option.as_bytes(), value.as_bytes()), Ok(true));
        }
        filter
    }

    #[test]
    fn kinds_are_called_as_they_are_shown() {
        let database = DatabaseId::DEFAULT;
        for effect in [
            put(b"k"),
            Effect::Delete { key: b"k" },
            Effect::ExpireAt {
                key: b"k",
                expire_at_ms: 1,
            },
            Effect::StrRange {
                key: b"k",
                offset: 0,
                bytes: b"x",
            },
            Effect::CollectionDrop,
            Effect::CollectionFlush,
            Effect::CollectionRename { name: "n" },
            Effect::CollectionSwap { with: OTHER },
            Effect::CollectionPublish { database, name: "n" },
            Effect::LibraryPut { name: b"n", code: b"c" },
            Effect::LibraryDelete { name: b"n" },
            Effect::LibrariesFlush,
        ] {
            let (shown, _) = of_effect(&effect).unwrap();
            assert_eq!(shown, kind(&effect));
            assert!(KINDS.contains(&kind(&effect)));
        }
    }

    #[test]
    fn all_that_is_given_has_to_fit() {
        let drop = Effect::CollectionDrop;
        let named = Effect::CollectionRename { name: "orders" };
        for (options, effect, is_shown) in [
            (&[][..], put(b"k"), true),
            (&[("MATCH", "user:*")], put(b"user:1"), true),
            (&[("MATCH", "user:*")], put(b"k"), false),
            (&[("MATCH", "user:*"), ("match", "k")], put(b"k"), true),
            (&[("MATCH", "user:*")], drop, true),
            (&[("EFFECT", "put")], put(b"k"), true),
            (&[("EFFECT", "delete")], put(b"k"), false),
            (&[("EFFECT", "delete"), ("effect", "PUT")], put(b"k"), true),
            (&[("COLLECTION", "orders")], put(b"k"), true),
            (&[("COLLECTION", "orders"), ("MATCH", "x*")], put(b"k"), false),
        ] {
            let filter = filter(options);
            let judge = Judge {
                filter: &filter,
                ids: vec![OWN],
            };
            assert_eq!(judge.shows(OWN, &effect), is_shown, "{options:?} {effect:?}");
        }
        let filter = filter(&[("COLLECTION", "orders")]);
        let judge = Judge {
            filter: &filter,
            ids: vec![OWN],
        };
        assert!(!judge.shows(OTHER, &put(b"k")));
        assert!(judge.shows(OTHER, &named) && judge.shows(OTHER, &Effect::CollectionSwap { with: OWN }));
    }

    #[test]
    fn what_is_too_much_or_unknown_is_refused() {
        let mut filter = Filter::default();
        assert_eq!(filter.take(b"count", b"5"), Ok(false));
        assert!(filter.take(b"effect", b"nosuch").is_err());
        assert!(filter.take(b"match", &[b'x'; PATTERNS_BYTES_MAX + 1]).is_err());
        for _ in 0..VALUES_MAX {
            assert_eq!(filter.take(b"match", b"x"), Ok(true));
        }
        assert!(filter.take(b"match", b"x").is_err());
    }
}
