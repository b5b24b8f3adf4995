//! How the table of collections is sorted: by links, without a script.

use super::data::CollectionRow;

/// A column to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// The name.
    Name,
    /// Keys.
    Keys,
    /// Keys with an expiry.
    Expires,
    /// Bytes in memory.
    #[default]
    Bytes,
    /// Lookups.
    Reads,
    /// Changes.
    Writes,
    /// Keys that were evicted.
    Evicted,
}

impl Column {
    /// In the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::Keys,
        Self::Expires,
        Self::Bytes,
        Self::Reads,
        Self::Writes,
        Self::Evicted,
    ];

    /// As the table and the query name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Keys => "keys",
            Self::Expires => "expires",
            Self::Bytes => "bytes",
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Evicted => "evicted",
        }
    }

    fn number(self, row: &CollectionRow) -> u64 {
        match self {
            Self::Name => 0,
            Self::Keys => row.keys,
            Self::Expires => row.expires,
            Self::Bytes => row.bytes,
            Self::Reads => row.reads,
            Self::Writes => row.writes,
            Self::Evicted => row.evicted,
        }
    }
}

/// An order. By default the largest come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub column: Column,
    /// Against the order that is of use: names from a to z, numbers from the greatest down.
    pub is_reversed: bool,
}

impl Sort {
    /// As the query of an address tells it: `bytes`, or `-bytes` for the other way round.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, is_reversed) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let column = Column::ALL.into_iter().find(|column| column.name() == name)?;
        Some(Self { column, is_reversed })
    }

    /// What a link on a column's head leads to: that column, or the other way round if it is that one already.
    pub fn after_click(self, column: Column) -> Self {
        Self {
            column,
            is_reversed: self.column == column && !self.is_reversed,
        }
    }

    /// As the query tells it.
    pub fn to_query(self) -> String {
        format!("{}{}", if self.is_reversed { "-" } else { "" }, self.column.name())
    }

    /// Sorts rows; those that are equal by name.
    pub fn apply(self, rows: &mut [CollectionRow]) {
        let greatest_first = |row: &CollectionRow| std::cmp::Reverse(self.column.number(row));
        rows.sort_by(|a, b| {
            let by_number = greatest_first(a).cmp(&greatest_first(b));
            let by_name = a.name.cmp(&b.name);
            match (self.column, self.is_reversed) {
                (Column::Name, false) => by_name,
                (Column::Name, true) => by_name.reverse(),
                (_, false) => by_number.then(by_name),
                (_, true) => by_number.reverse().then(by_name),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(by: &str) -> String {
        let row = |(name, keys, bytes): (&str, u64, u64)| CollectionRow {
            name: name.to_owned(),
            keys,
            bytes,
            ..CollectionRow::default()
        };
        let mut rows = [("b", 1, 5), ("a", 2, 5), ("c", 3, 1)].map(row);
        Sort::parse(by).unwrap().apply(&mut rows);
        rows.iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn orders() {
        assert_eq!(["name", "-name"].map(sorted), ["abc", "cba"]);
        assert_eq!(
            ["keys", "-keys", "bytes", "-bytes"].map(sorted),
            ["cab", "bac", "abc", "cab"]
        );
        for wrong in ["", "-", "--keys", "Keys", "keys ", "\"><script>"] {
            assert_eq!(Sort::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_second_click_turns_it_round() {
        let sort = Sort::default();
        assert_eq!(sort.to_query(), "bytes");
        assert_eq!(sort.after_click(Column::Bytes).to_query(), "-bytes");
        assert_eq!(sort.after_click(Column::Bytes).after_click(Column::Bytes), sort);
        assert_eq!(sort.after_click(Column::Name).to_query(), "name");
        for column in Column::ALL {
            let sort = sort.after_click(column);
            assert_eq!(Sort::parse(&sort.to_query()), Some(sort));
        }
    }
}
