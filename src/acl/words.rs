//! Words of ACL rules: those of a line, and selectors that are several words.
//!
//! No word has a blank in it, so that what is written is read as it was; quotes are letters like others.

/// The words of a line.
pub(super) fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b);
    line.split(is_space).filter(|word| !word.is_empty())
}

/// Puts the words of a selector in parentheses together again.
///
/// # Errors
/// With the word that opens a parenthesis which is not closed.
pub fn merge_selectors<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(Vec<u8>, Vec<u8>)> = None;
    for word in words {
        match &mut open {
            Some((_, selector)) => {
                selector.push(b' ');
                selector.extend_from_slice(word);
            }
            None if word.first() == Some(&b'(') => open = Some((word.to_vec(), word.to_vec())),
            None => merged.push(word.to_vec()),
        }
        if word.last() == Some(&b')') {
            merged.extend(open.take().map(|(_, selector)| selector));
        }
    }
    match open {
        Some((first, _)) => Err(first),
        None => Ok(merged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_line() {
        let words: Vec<&[u8]> = split(b"  user a\t~\"b\r\n").collect();
        assert_eq!(words, [&b"user"[..], b"a", b"~\"b"]);
    }

    #[test]
    fn selectors_come_together() {
        let merged = |line: &str| {
            let merged = merge_selectors(split(line.as_bytes()));
            let text = |word: Vec<u8>| String::from_utf8(word).unwrap();
            merged
                .map(|words| words.into_iter().map(text).collect::<Vec<_>>())
                .map_err(text)
        };
        assert_eq!(
            merged("on (~a +get) (x)"),
            Ok(vec!["on".into(), "(~a +get)".into(), "(x)".into()])
        );
        assert_eq!(merged("(~a +get on"), Err("(~a".into()));
        assert_eq!(merged("a) b"), Ok(vec!["a)".into(), "b".into()]));
    }
}
