//! Which databases a selector reaches: all, or those of a list of numbers, names and patterns of names.
//!
//! A numbered database's name is its number; that of database 0 is `default`, too.

use super::check::Place;
use super::rule::{RuleError, has_spaces};
use crate::glob::{Case, glob_match};

/// The name of database 0.
const FIRST: &[u8] = b"default";

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Databases {
    All,
    /// Some.
    These(List),
}

/// Names and patterns.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct List {
    /// As they were given.
    items: Vec<Box<[u8]>>,
    /// Bits of those of the first numbers that are among them: every request asks.
    numbers: u64,
}

impl List {
    fn new(items: Vec<Box<[u8]>>) -> Self {
        let list = Self { items, numbers: 0 };
        let known = (0..u64::BITS).filter(|number| list.has(number.to_string().as_bytes()));
        let numbers = known.fold(0, |bits, number| bits | 1 << number);
        Self { numbers, ..list }
    }

    fn has_number(&self, number: u32) -> bool {
        if number < u64::BITS {
            return self.numbers & 1 << number != 0;
        }
        self.has(itoa::Buffer::new().format(number).as_bytes())
    }

    fn has(&self, name: &[u8]) -> bool {
        let other: &[u8] = match name {
            b"0" => FIRST,
            FIRST => b"0",
            _ => name,
        };
        let fits = |pattern: &[u8], name: &[u8]| {
            if is_number(pattern) {
                pattern == name
            } else {
                glob_match(pattern, name, Case::Sensitive)
            }
        };
        self.items
            .iter()
            .any(|pattern| fits(pattern, name) || fits(pattern, other))
    }
}

impl Databases {
    /// None of them.
    pub const NONE: Self = Self::These(List {
        items: Vec::new(),
        numbers: 0,
    });

    /// Reads what stands behind `db=`.
    pub fn parse(list: &[u8]) -> Result<Self, RuleError> {
        let mut these: Vec<Box<[u8]>> = Vec::new();
        for item in list.split(|byte| *byte == b',') {
            if item.is_empty() || has_spaces(item) {
                return Err(RuleError::Syntax);
            }
            let is_negative =
                item.first() == Some(&b'-') && item.len() > 1 && is_number(item.get(1..).unwrap_or_default());
            if is_negative
                || is_number(item) && !std::str::from_utf8(item).is_ok_and(|item| item.parse::<i32>().is_ok())
            {
                return Err(RuleError::NoSuchDatabase);
            }
            if !these.iter().any(|known| **known == *item) {
                these.push(item.into());
            }
        }
        Ok(Self::These(List::new(these)))
    }

    /// Whether they are among them.
    pub fn allow(&self, place: Place<'_>) -> bool {
        match (self, place) {
            (Self::All, _) => true,
            (Self::These(_), Place::All) => false,
            (Self::These(list), Place::Number(number)) => list.has_number(number),
            (Self::These(list), Place::Name(name)) => list.has(name),
        }
    }

    /// The rule that says so; none where all are allowed.
    pub fn describe(&self) -> Option<Vec<u8>> {
        match self {
            Self::All => None,
            Self::These(list) if list.items.is_empty() => Some(b"resetdbs".to_vec()),
            Self::These(list) => Some([&b"db="[..], list.items.join(&b","[..]).as_slice()].concat()),
        }
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_checked() {
        for (list, wanted) in [
            ("0", Ok("db=0")),
            ("0,0,1", Ok("db=0,1")),
            ("99", Ok("db=99")),
            ("app_*,x", Ok("db=app_*,x")),
            ("", Err(RuleError::Syntax)),
            ("1,", Err(RuleError::Syntax)),
            ("1,,2", Err(RuleError::Syntax)),
            ("0 1", Err(RuleError::Syntax)),
            ("-1", Err(RuleError::NoSuchDatabase)),
            ("99999999999", Err(RuleError::NoSuchDatabase)),
        ] {
            let read = Databases::parse(list.as_bytes());
            let text = read.map(|read| String::from_utf8(read.describe().unwrap()).unwrap());
            assert_eq!(text, wanted.map(str::to_owned), "{list}");
        }
        assert!(Databases::All.describe().is_none());
        assert_eq!(Databases::NONE.describe().unwrap(), b"resetdbs");
    }

    #[test]
    fn numbers_names_and_patterns() {
        for (list, name, allowed) in [
            ("0,1", "0", true),
            ("0,1", "default", true),
            ("0,1", "10", false),
            ("1", "0", false),
            ("default", "0", true),
            ("def*", "0", true),
            ("app_*", "app_1", true),
            ("app_*", "app", false),
            ("app_*", "0", false),
            ("a?c", "abc", true),
            ("[ab]", "a", true),
            ("*", "0", true),
            ("*", "anything", true),
        ] {
            let read = Databases::parse(list.as_bytes()).ok().unwrap();
            assert_eq!(read.allow(Place::Name(name.as_bytes())), allowed, "{list} {name}");
            if let Ok(number) = name.parse() {
                assert_eq!(read.allow(Place::Number(number)), allowed, "{list} {name}");
            }
            assert!(!read.allow(Place::All), "{list}");
        }
        assert!(Databases::All.allow(Place::Name(b"x")) && Databases::All.allow(Place::All));
        let none = Databases::NONE;
        assert!(!none.allow(Place::Name(b"0")) && !none.allow(Place::Number(0)) && !none.allow(Place::Number(64)));
        let many = Databases::parse(b"63,64,1*").ok().unwrap();
        let allowed: Vec<u32> = (0..130).filter(|number| many.allow(Place::Number(*number))).collect();
        assert_eq!(allowed.len(), 1 + 10 + 2 + 30, "{allowed:?}");
    }
}
