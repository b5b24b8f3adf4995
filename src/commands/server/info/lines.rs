//! What sections of INFO are made of, and from.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use crate::commands::spec::Table;
use crate::state::Server;

/// The text of a section, line by line.
pub(super) struct Lines(String);

impl Lines {
    /// A section's, which begin with its title.
    pub fn under(title: &str) -> Self {
        Self(format!("# {title}\r\n"))
    }

    /// The whole of it.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Adds `name:value`.
    pub fn put(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// Adds a number of bytes, plainly and as `<name>_human`.
    pub fn put_bytes(&mut self, name: &str, bytes: u64) {
        self.put(name, bytes);
        self.put(&format!("{name}_human"), human(bytes));
    }
}

/// What a section looks at.
pub(super) struct View<'a> {
    pub server: &'a Arc<Server>,
    pub commands: &'static Table,
}

/// Bytes with a unit, as Redis writes them.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [(u64, char); 4] = [(1 << 40, 'T'), (1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, letter)) => format!("{:.2}{letter}", bytes as f64 / *unit as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_with_units() {
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1024), "1.00K");
        assert_eq!(human(1_064_584), "1.02M");
        assert_eq!(human(25_276_502_016), "23.54G");
    }
}
