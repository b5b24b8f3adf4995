//! Glob patterns as `KEYS`, `SCAN MATCH`, `PSUBSCRIBE`, `CONFIG GET` and ACL rules understand them.
//!
//! `*` any run, `?` one byte, `[a-z]` / `[^a-z]` one byte of a class, `\x` the byte `x` itself.
//!
//! **Invariants**: O(pattern × text) at worst and no recursion, whatever the pattern: after a mismatch only the last
//! `*` is retried, since every other element takes exactly one byte. The odd cases are Redis's: a class without `]`
//! ends with the pattern, a reversed range is swapped, ranges compare bytes as signed, a final `\` stands for itself,
//! and an empty text is matched by the empty pattern alone.

/// Whether letters of either case are the same letter (ASCII only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `a` is not `A`: keys, channels.
    Sensitive,
    /// `a` is `A`: configuration and command names.
    Insensitive,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Insensitive => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether the whole of `text` matches `pattern`. O(pattern × text) at worst, linear for usual patterns.
pub fn glob_match(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (pattern, text);
    // What follows the last `*`, and where in the text it was last tried.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if p.first() == Some(&b'*') {
            p = skip_stars(p);
            if p.is_empty() {
                return true;
            }
            retry = Some((p, t));
        }
        match step(p, t, case) {
            Some((p_next, [])) => return skip_stars(p_next).is_empty(),
            Some((p_next, t_next)) => (p, t) = (p_next, t_next),
            None => {
                let Some((star_p, [_, star_t @ ..])) = retry else {
                    return false;
                };
                if star_t.is_empty() {
                    return false;
                }
                retry = Some((star_p, star_t));
                (p, t) = (star_p, star_t);
            }
        }
    }
}

fn skip_stars(mut pattern: &[u8]) -> &[u8] {
    while let [b'*', rest @ ..] = pattern {
        pattern = rest;
    }
    pattern
}

/// Matches one pattern element against the first byte of `text`; what is left of both, if it matched.
fn step<'a>(pattern: &'a [u8], text: &'a [u8], case: Case) -> Option<(&'a [u8], &'a [u8])> {
    let (&byte, text) = text.split_first()?;
    let (matched, rest) = match pattern {
        [] => return None,
        [b'?', rest @ ..] => (true, rest),
        [b'[', b'^', class @ ..] => {
            let (hit, rest) = in_class(class, byte, case);
            (!hit, rest)
        }
        [b'[', class @ ..] => in_class(class, byte, case),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (case.fold(*literal) == case.fold(byte), rest),
    };
    matched.then_some((rest, text))
}

/// Whether `byte` is in the class that starts `class` (after `[` or `[^`), and the pattern after the class.
fn in_class(mut class: &[u8], byte: u8, case: Case) -> (bool, &[u8]) {
    let mut hit = false;
    loop {
        class = match class {
            // An escaped member is compared exactly, even when case is ignored.
            [b'\\', literal, rest @ ..] => {
                hit |= *literal == byte;
                rest
            }
            [] => return (hit, class),
            [b']', rest @ ..] => return (hit, rest),
            [from, b'-', to, rest @ ..] => {
                hit |= in_range(*from, *to, byte, case);
                rest
            }
            [literal, rest @ ..] => {
                hit |= case.fold(*literal) == case.fold(byte);
                rest
            }
        };
    }
}

fn in_range(from: u8, to: u8, byte: u8, case: Case) -> bool {
    let (from, to) = if from.cast_signed() > to.cast_signed() {
        (to, from)
    } else {
        (from, to)
    };
    let fold = |byte| case.fold(byte).cast_signed();
    (fold(from)..=fold(to)).contains(&fold(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensitive(pattern: &str, text: &str) -> bool {
        glob_match(pattern.as_bytes(), text.as_bytes(), Case::Sensitive)
    }

    #[test]
    fn plain_patterns() {
        for (pattern, text, expected) in [
            ("*", "a", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "hllo", true),
            ("h*llo", "heeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hbllo", true),
            ("h[a-c]llo", "hbllo", true),
            ("user:*:name", "user:1:2:name", true),
            ("user:*:name", "user:1:2:nam", false),
            ("a**b***", "ab", true),
            ("", "a", false),
            ("a", "ab", false),
            ("A", "a", false),
        ] {
            assert_eq!(sensitive(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn odd_patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", false),
            ("a\\", "a\\", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[", "[", false),
            ("[^", "x", true),
            ("[abc", "b", true),
            ("[abc", "bc", false),
            ("[c-a]", "b", true),
            ("[a-]", "_", true),
            ("[a-]", "b", false),
            ("[\\]]", "]", true),
            ("[\\", "\\", true),
            ("[]a]", "a]", false),
            ("[a-c-e]", "-", true),
        ] {
            assert_eq!(sensitive(pattern, text), expected, "{pattern} {text}");
        }
        // Signed ranges: 0x80 is below 'a'.
        assert!(glob_match(b"[\x80-b]", b"a", Case::Sensitive));
        assert!(!glob_match(b"[a-\xff]", b"b", Case::Sensitive));
    }

    #[test]
    fn ignoring_case() {
        let insensitive = |pattern: &[u8], text: &[u8]| glob_match(pattern, text, Case::Insensitive);
        assert!(insensitive(b"MaxMem*", b"maxmemory-policy"));
        assert!(insensitive(b"[A-C]x", b"bX"));
        assert!(!insensitive(b"[\\A]", b"a"));
    }

    #[test]
    fn hostile_pattern_is_quick() {
        let text = vec![b'a'; 50_000];
        let mut pattern = b"a*".repeat(500);
        pattern.push(b'b');
        assert!(!glob_match(&pattern, &text, Case::Sensitive));
    }
}
