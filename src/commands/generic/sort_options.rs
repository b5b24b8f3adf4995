//! The options of SORT and SORT_RO, and the patterns among them.

use crate::commands::CmdError;
use crate::commands::support::number::parse_i64;
use crate::engine::txn::ReadTxn;
use crate::page::hash::HashRef;
use crate::resp::Args;

/// What to sort by, how, and what to answer with.
#[derive(Default)]
pub(super) struct Options<'a> {
    /// From the greatest.
    pub descending: bool,
    /// As texts, not as numbers.
    pub alpha: bool,
    /// How many of the sorted elements to leave out.
    pub offset: i64,
    /// At most so many elements; `None` = all.
    pub count: Option<u64>,
    /// Where weights are, if not in the elements themselves.
    pub by: Option<Pattern<'a>>,
    /// What to answer for each element; nothing: itself.
    pub gets: Vec<Pattern<'a>>,
    /// Where to store the result.
    pub target: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Reads the arguments behind the key.
    pub fn parse(options: Args<'a>, may_store: bool) -> Result<Self, CmdError> {
        let mut parsed = Self::default();
        let mut at = 0;
        while let Some(option) = options.get(at) {
            let values = options.skip(at + 1);
            at += 1 + parsed.take(option, values, may_store)?;
        }
        Ok(parsed)
    }

    /// Takes an option; how many values it had.
    fn take(&mut self, option: &[u8], values: Args<'a>, may_store: bool) -> Result<usize, CmdError> {
        let value = values.get(0);
        match (option.to_ascii_lowercase().as_slice(), value) {
            (b"asc", _) => self.descending = false,
            (b"desc", _) => self.descending = true,
            (b"alpha", _) => self.alpha = true,
            (b"limit", Some(_)) if values.len() >= 2 => {
                let number = |at| parse_i64(values.at(at)).ok_or(CmdError::NotInteger);
                self.offset = number(0)?;
                self.count = u64::try_from(number(1)?).ok();
                return Ok(2);
            }
            (b"store", Some(target)) if may_store => {
                self.target = Some(target);
                return Ok(1);
            }
            (b"by", Some(pattern)) => {
                self.by = Some(Pattern::parse(pattern));
                return Ok(1);
            }
            (b"get", Some(pattern)) => {
                self.gets.push(Pattern::parse(pattern));
                return Ok(1);
            }
            _ => return Err(CmdError::Syntax),
        }
        Ok(0)
    }

    /// Whether `BY` names nothing that could differ between elements, so that there is nothing to sort by.
    pub fn keeps_order(&self) -> bool {
        matches!(self.by, Some(Pattern::Element | Pattern::Nothing))
    }
}

/// Where to find what belongs to an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// A pattern without a place for the element: never there.
    Nothing,
    /// A key around the element, and a field where that key holds a hash.
    Key {
        before: &'a [u8],
        after: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    fn parse(pattern: &'a [u8]) -> Self {
        if pattern == b"#" {
            return Self::Element;
        }
        let Some(star) = pattern.iter().position(|byte| *byte == b'*') else {
            return Self::Nothing;
        };
        let before = pattern.get(..star).unwrap_or_default();
        let behind = pattern.get(star + 1..).unwrap_or_default();
        let arrow = behind.windows(2).position(|two| two == b"->");
        let field = arrow
            .and_then(|arrow| behind.get(arrow + 2..))
            .filter(|field| !field.is_empty());
        let after = match arrow {
            Some(arrow) if field.is_some() => behind.get(..arrow).unwrap_or_default(),
            _ => behind,
        };
        Self::Key { before, after, field }
    }

    /// What the pattern means for an element, if it is there.
    pub fn look_up(self, txn: &mut ReadTxn<'_, '_>, element: &[u8]) -> Option<Vec<u8>> {
        let (before, after, field) = match self {
            Self::Element => return Some(element.to_vec()),
            Self::Nothing => return None,
            Self::Key { before, after, field } => (before, after, field),
        };
        let now_ms = txn.now_ms();
        let value = txn.get(&[before, element, after].concat())?.value();
        match field {
            None => Some(value.as_str()?.contiguous().into_owned()),
            Some(name) => {
                let field = HashRef::of(value)?.get(name).filter(|field| field.is_alive(now_ms))?;
                Some(field.value.bytes().into_owned())
            }
        }
    }
}

/// Whether SORT or SORT_RO looks at keys whose names are made of elements.
pub(super) fn has_patterns(args: Args<'_>) -> bool {
    let mut at = 2;
    while let Some(option) = args.get(at) {
        at += match option.to_ascii_lowercase().as_slice() {
            b"limit" => 3,
            b"get" | b"by" if args.get(at + 1).is_some_and(|pattern| pattern.contains(&b'*')) => return true,
            b"get" | b"by" | b"store" => 2,
            _ => 1,
        };
    }
    false
}

/// The first option of SORT or SORT_RO for which Redis asks for the right to read all keys: a `BY` with a pattern, any
/// `GET`.
pub fn reading_option(args: Args<'_>) -> Option<&'static str> {
    let mut at = 2;
    while let Some(option) = args.get(at) {
        at += match option.to_ascii_lowercase().as_slice() {
            b"limit" => 3,
            b"get" if at + 1 < args.len() => return Some("GET"),
            b"by" if args.get(at + 1).is_some_and(|pattern| pattern.contains(&b'*')) => return Some("BY"),
            b"get" | b"by" | b"store" => 2,
            _ => 1,
        };
    }
    None
}

/// Where among the arguments of SORT the key is that it stores into: the last one named.
pub(super) fn target_index(args: Args<'_>) -> Option<usize> {
    let (mut found, mut at) = (None, 2);
    while let Some(option) = args.get(at) {
        at += match option.to_ascii_lowercase().as_slice() {
            b"limit" => 3,
            b"get" | b"by" => 2,
            b"store" if at + 1 < args.len() => {
                found = Some(at + 1);
                2
            }
            _ => 1,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let key = |before, after, field| Pattern::Key { before, after, field };
        assert_eq!(Pattern::parse(b"#"), Pattern::Element);
        assert_eq!(Pattern::parse(b"nosort"), Pattern::Nothing);
        assert_eq!(Pattern::parse(b"w_*"), key(b"w_", b"", None));
        assert_eq!(Pattern::parse(b"o_*_x->f->g"), key(b"o_", b"_x", Some(b"f->g")));
        assert_eq!(Pattern::parse(b"*->"), key(b"", b"->", None));
        assert_eq!(Pattern::parse(b"a->*b"), key(b"a->", b"b", None));
    }

    #[test]
    fn patterns_are_found() {
        let has = |words: &[&'static [u8]]| has_patterns(crate::resp::OwnedRequest::from_slices(words).args());
        assert!(has(&[b"SORT", b"l", b"limit", b"0", b"9", b"GET", b"#", b"by", b"w*"]));
        assert!(!has(&[b"SORT", b"l*", b"BY", b"nosort", b"GET", b"#", b"STORE", b"*"]));
    }

    #[test]
    fn the_last_target_counts() {
        let request = |words: &[&'static [u8]]| crate::resp::OwnedRequest::from_slices(words);
        let named = request(&[b"SORT", b"l", b"BY", b"STORE", b"STORE", b"a", b"store", b"b", b"DESC"]);
        assert_eq!(target_index(named.args()), Some(7));
        assert_eq!(
            target_index(request(&[b"SORT", b"l", b"GET", b"STORE", b"STORE"]).args()),
            None
        );
    }
}
