//! Which databases a selector reaches: all, or those of a list of numbers, names and patterns of names.
//!
//! A numbered database's name is its number; that of database 0 is `default`, too.

use super::rule::{RuleError, has_spaces};
use crate::glob::{Case, glob_match};

/// The name of database 0.
const FIRST: &[u8] = b"default";

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Databases {
    All,
    /// As they were given.
    These(Vec<Box<[u8]>>),
}

impl Databases {
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
        Ok(Self::These(these))
    }

    /// Whether the database of this name is among them.
    pub fn allow(&self, name: &[u8]) -> bool {
        let Self::These(these) = self else { return true };
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
        these.iter().any(|pattern| fits(pattern, name) || fits(pattern, other))
    }

    /// The rule that says so; none where all are allowed.
    pub fn describe(&self) -> Option<Vec<u8>> {
        match self {
            Self::All => None,
            Self::These(these) if these.is_empty() => Some(b"resetdbs".to_vec()),
            Self::These(these) => Some([&b"db="[..], these.join(&b","[..]).as_slice()].concat()),
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
        assert_eq!(Databases::These(Vec::new()).describe().unwrap(), b"resetdbs");
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
            assert_eq!(read.allow(name.as_bytes()), allowed, "{list} {name}");
        }
        assert!(Databases::All.allow(b"x") && !Databases::These(Vec::new()).allow(b"0"));
    }
}
