//! Patterns of keys and channels: compared at once where they are a text, or a text with a star behind it, as most are.

use crate::glob::{Case, glob_match};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// No letter of it has a meaning.
    Text,
    /// A text, then a star.
    Prefix,
    /// Any other.
    Glob,
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Box<[u8]>,
    shape: Shape,
}

impl Pattern {
    /// The pattern of this text.
    pub fn new(text: &[u8]) -> Self {
        let is_plain = |text: &[u8]| !text.iter().any(|byte| b"*?[\\".contains(byte));
        let shape = match text {
            [prefix @ .., b'*'] if is_plain(prefix) => Shape::Prefix,
            _ if is_plain(text) => Shape::Text,
            _ => Shape::Glob,
        };
        Self {
            text: text.into(),
            shape,
        }
    }

    /// As it was written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether the whole of `name` fits. In Redis the empty name fits the empty pattern only.
    #[inline]
    pub fn fits(&self, name: &[u8]) -> bool {
        match (self.shape, &*self.text) {
            (Shape::Text, text) => text == name,
            (Shape::Prefix, [prefix @ .., _]) => !name.is_empty() && name.starts_with(prefix),
            (_, text) => glob_match(text, name, Case::Sensitive),
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
