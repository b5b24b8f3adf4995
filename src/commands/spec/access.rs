//! What a command does with a key, as bits; names as in `COMMAND INFO`.
//!
//! In capitals what is done with the key as a whole (read, read and write, overwrite, remove), in small letters what is
//! done with its value.

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access(u16);

/// Each bit's name, in Redis's order.
const NAMES: [&str; 11] = [
    "RO",
    "RW",
    "OW",
    "RM",
    "access",
    "update",
    "insert",
    "delete",
    "not_key",
    "incomplete",
    "variable_flags",
];

impl Access {
    /// The access of these names. In a constant a wrong name does not compile.
    pub const fn of(names: &[&str]) -> Self {
        let (mut bits, mut rest) = (0, names);
        while let [name, tail @ ..] = rest {
            let bit = bit_of(name);
            assert!(bit != 0, "a key spec has a flag that does not exist");
            bits |= bit;
            rest = tail;
        }
        Self(bits)
    }

    /// Whether it has all bits of `other`.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether what it is about is no key: a channel.
    pub const fn is_not_key(self) -> bool {
        self.has(Self::of(&["not_key"]))
    }

    /// The names, in Redis's order.
    pub fn names(self) -> impl ExactSizeIterator<Item = &'static str> {
        let mut names = NAMES.into_iter().enumerate();
        let found: smallvec::SmallVec<[&'static str; NAMES.len()]> = names
            .by_ref()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, name)| name)
            .collect();
        found.into_iter()
    }
}

/// The bit of a name; 0 for none.
const fn bit_of(name: &str) -> u16 {
    let (mut bit, mut rest) = (1, NAMES.as_slice());
    while let [known, tail @ ..] = rest {
        if is_same(known, name) {
            return bit;
        }
        bit <<= 1;
        rest = tail;
    }
    0
}

const fn is_same(one: &str, other: &str) -> bool {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    while let ([x, rest_a @ ..], [y, rest_b @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.is_empty() && b.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_bits_and_names_again() {
        const MIXED: Access = Access::of(&["update", "RW", "variable_flags", "access"]);
        let names: Vec<&str> = MIXED.names().collect();
        assert_eq!(names, ["RW", "access", "update", "variable_flags"]);
        assert!(MIXED.has(Access::of(&["RW"])) && !MIXED.has(Access::of(&["RO"])));
        assert_eq!(Access::of(&NAMES).names().collect::<Vec<_>>(), NAMES);
        assert_eq!(bit_of("upda"), 0);
        assert_eq!(bit_of("updated"), 0);
    }
}
