//! Patterns of keys and channels: compared at once where they are a text, or a text with a star behind it, as most are.

use crate::glob::{Case, glob_match};

/// What a pattern is like.
pub(super) enum Shape<'a> {
    /// A text: no letter of it has a meaning.
    Text(&'a [u8]),
    /// What begins with a text.
    Prefix(&'a [u8]),
    /// Any other.
    Glob,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Prefix,
    Glob,
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Box<[u8]>,
    kind: Kind,
}

impl Pattern {
    /// The pattern of this text.
    pub fn new(text: &[u8]) -> Self {
        let is_plain = |text: &[u8]| !text.iter().any(|byte| b"*?[\\".contains(byte));
        let kind = match text {
            [prefix @ .., b'*'] if is_plain(prefix) => Kind::Prefix,
            _ if is_plain(text) => Kind::Text,
            _ => Kind::Glob,
        };
        Self {
            text: text.into(),
            kind,
        }
    }

    /// As it was written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What it is like.
    #[inline]
    pub fn shape(&self) -> Shape<'_> {
        match (self.kind, &*self.text) {
            (Kind::Text, text) => Shape::Text(text),
            (Kind::Prefix, [prefix @ .., _]) => Shape::Prefix(prefix),
            _ => Shape::Glob,
        }
    }

    /// Whether the whole of `name` fits. In Redis the empty name fits the empty pattern only.
    #[inline]
    pub fn fits(&self, name: &[u8]) -> bool {
        match self.shape() {
            Shape::Text(text) => text == name,
            Shape::Prefix(prefix) => !name.is_empty() && name.starts_with(prefix),
            Shape::Glob => glob_match(&self.text, name, Case::Sensitive),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_cuts_are_what_globs_are() {
        let texts = [
            "", "a", "ab", "a*", "*", "**", "a?", "?", "[a]", "\\a", "a\\", "a*b", "*a", "[", "ab*", "\\*",
        ];
        for pattern in texts {
            for name in texts {
                let wanted = glob_match(pattern.as_bytes(), name.as_bytes(), Case::Sensitive);
                assert_eq!(
                    Pattern::new(pattern.as_bytes()).fits(name.as_bytes()),
                    wanted,
                    "{pattern} {name}"
                );
            }
        }
    }
}
