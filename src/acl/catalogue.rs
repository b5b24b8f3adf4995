//! The commands that rules name: numbers, names and categories, as the table of commands has them.
//!
//! **Invariant:** subcommands follow their container without a gap, as in the table.

use std::collections::HashMap;
use std::ops::Range;

/// All categories, in the order in which `ACL CAT` and `COMMAND INFO` show them.
pub const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

struct Known {
    is_subcommand: bool,
    subcommands: Range<u16>,
    /// Bits, by the place in [`CATEGORIES`].
    categories: u32,
}

/// See the module.
pub struct Catalogue {
    commands: Vec<Known>,
    by_name: HashMap<Box<str>, u16>,
}

impl Catalogue {
    /// The commands in the order of their numbers: the full name (`config|set` of a subcommand) and the categories.
    pub fn new<C: Iterator<Item = &'static str>>(commands: impl Iterator<Item = (String, C)>) -> Self {
        let mut catalogue = Self {
            commands: Vec::new(),
            by_name: HashMap::new(),
        };
        for (name, categories) in commands {
            let id = u16::try_from(catalogue.commands.len()).unwrap_or(u16::MAX);
            let parent = name.split_once('|').and_then(|(parent, _)| catalogue.find(parent));
            if let Some(parent) = parent.and_then(|id| catalogue.commands.get_mut(usize::from(id))) {
                parent.subcommands.end = id + 1;
            }
            let bits = categories.filter_map(category_bit).fold(0, |bits, bit| bits | bit);
            catalogue.by_name.insert(name.into(), id);
            catalogue.commands.push(Known {
                is_subcommand: parent.is_some(),
                subcommands: id + 1..id + 1,
                categories: bits,
            });
        }
        catalogue
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The command of this full name, in lower case.
    pub(super) fn find(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    /// Its subcommands.
    pub(super) fn subcommands(&self, id: u16) -> Range<u16> {
        let known = self.commands.get(usize::from(id));
        known.map_or(0..0, |known| known.subcommands.clone())
    }

    /// Whether it is one.
    pub(super) fn is_subcommand(&self, id: u16) -> bool {
        self.commands
            .get(usize::from(id))
            .is_some_and(|known| known.is_subcommand)
    }

    /// The commands of a category, given by its bit.
    pub(super) fn of_category(&self, bit: u32) -> impl Iterator<Item = u16> + '_ {
        (0..)
            .zip(&self.commands)
            .filter(move |(_, known)| known.categories & bit != 0)
            .map(|(id, _)| id)
    }
}

/// The bit of a category's name, in lower case.
pub(super) fn category_bit(name: &str) -> Option<u32> {
    let at = CATEGORIES.iter().position(|known| *known == name)?;
    1_u32.checked_shl(u32::try_from(at).ok()?)
}
