//! Glob patterns as `KEYS`, `SCAN MATCH`, `PSUBSCRIBE`, `CONFIG GET` and ACL rules understand them.
//!
//! `*` any run, `?` one byte, `[a-z]` / `[^a-z]` one byte of a class, `\x` the byte `x` itself.
//!
//! **Invariants**: no recursion, whatever the pattern: after a mismatch only the last `*` is retried, since every other
//! element takes exactly one byte. Where that takes many steps, all places are tried at once, 64 in a word. The odd
//! cases are Redis's: a class without `]` ends with the pattern, a reversed range is swapped, ranges compare bytes as
//! signed, a final `\` stands for itself, and an empty text is matched by the empty pattern alone.

/// A match is tried step by step for so many steps for each byte.
const STEPS_PER_BYTE: usize = 8;

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

/// Whether the whole of `text` matches `pattern`. O(pattern × text / 64) at worst, linear for usual patterns.
pub fn glob_match(pattern: &[u8], text: &[u8], case: Case) -> bool {
    match_within(pattern, text, case, STEPS_PER_BYTE * (text.len() + pattern.len()))
}

/// By trying, for so many steps; then by searching.
fn match_within(pattern: &[u8], text: &[u8], case: Case, steps_max: usize) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (pattern, text);
    // What follows the last `*`, and where in the text it was last tried.
    let mut retry: Option<(&[u8], &[u8])> = None;
    for steps in 0_usize.. {
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
                if steps >= steps_max {
                    return search(star_p, star_t, case);
                }
                retry = Some((star_p, star_t));
                (p, t) = (star_p, star_t);
            }
        }
    }
    false
}

fn skip_stars(mut pattern: &[u8]) -> &[u8] {
    while let [b'*', rest @ ..] = pattern {
        pattern = rest;
    }
    pattern
}

/// Whether `text` ends with what matches `pattern`, which begins with an element.
fn search(mut pattern: &[u8], mut text: &[u8], case: Case) -> bool {
    loop {
        let (run, rest) = run(pattern);
        if rest.is_empty() {
            let end = text.len().checked_sub(run.len()).and_then(|from| text.get(from..));
            return end.is_some_and(|end| run.iter().zip(end).all(|(element, byte)| fits(element, *byte, case)));
        }
        // Where it ends first is as good as anywhere else.
        let Some(behind) = find_run(&run, text, case) else {
            return false;
        };
        text = behind;
        pattern = skip_stars(rest);
        if pattern.is_empty() {
            return true;
        }
    }
}

/// The elements before the next `*`, as what begins with each, and what is behind them.
fn run(mut pattern: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut elements = Vec::new();
    loop {
        let rest = match pattern {
            [] | [b'*', ..] => return (elements, pattern),
            [b'[', b'^', class @ ..] | [b'[', class @ ..] => in_class(class, 0, Case::Sensitive).1,
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
        };
        elements.push(pattern);
        pattern = rest;
    }
}

/// Whether a byte fits the element that `pattern` begins with.
fn fits(pattern: &[u8], byte: u8, case: Case) -> bool {
    step(pattern, &[byte], case).is_some()
}

/// What of `text` is behind the first place that a run of elements fits. All places are tried together, a bit for each:
/// whether the text fits up to here, if the element at that bit is the last one.
fn find_run<'t>(run: &[&[u8]], text: &'t [u8], case: Case) -> Option<&'t [u8]> {
    let words = run.len().div_ceil(64);
    let mut masks = vec![0_u64; 256 * words];
    for (byte, mask) in (0..=u8::MAX).zip(masks.chunks_exact_mut(words)) {
        for (word, elements) in mask.iter_mut().zip(run.chunks(64)) {
            let bits = elements
                .iter()
                .zip(0..)
                .filter(|(element, _)| fits(element, byte, case));
            *word = bits.fold(0, |word, (_, bit)| word | 1 << bit);
        }
    }
    let last = 1_u64 << ((run.len() - 1) % 64);
    let mut states = vec![0_u64; words];
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let mut carry = 1;
        let mask = masks.chunks_exact(words).nth(usize::from(*byte))?;
        for (state, mask) in states.iter_mut().zip(mask) {
            let moved = *state << 1 | carry;
            carry = *state >> 63;
            *state = moved & mask;
        }
        if states.last().is_some_and(|state| state & last != 0) {
            return Some(rest);
        }
    }
    None
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

    #[test]
    fn searching_finds_what_trying_finds() {
        use rand::rngs::SmallRng;
        use rand::{RngExt, SeedableRng};
        let mut random = SmallRng::seed_from_u64(11);
        let mut found = 0;
        for _ in 0..200_000 {
            let mut word = |letters: &[u8], max: usize| -> Vec<u8> {
                let len = random.random_range(0..max);
                (0..len)
                    .map(|_| letters[random.random_range(0..letters.len())])
                    .collect()
            };
            let (pattern, text) = (word(b"aabB**?[]^-\\", 9), word(b"aabB-", 12));
            for case in [Case::Sensitive, Case::Insensitive] {
                let is_match = match_within(&pattern, &text, case, usize::MAX);
                found += usize::from(is_match);
                let shown = || format!("{} {}", pattern.escape_ascii(), text.escape_ascii());
                assert_eq!(match_within(&pattern, &text, case, 0), is_match, "{}", shown());
            }
        }
        assert!(found > 10_000);
    }

    #[test]
    fn long_runs_are_found_across_words() {
        for len in [1, 63, 64, 65, 128, 1000] {
            let middle = "ab?[c-e]".repeat(len).into_bytes();
            let text = [b"ab".repeat(3000), b"abxd".repeat(len), b"zz".to_vec()].concat();
            let pattern = |end: &[u8]| [b"*", &*middle, b"*", end].concat();
            assert!(match_within(&pattern(b"z"), &text, Case::Sensitive, 0), "{len}");
            assert!(!match_within(&pattern(b"y"), &text, Case::Sensitive, 0), "{len}");
        }
    }

    /// Step by step this would take hours.
    #[test]
    fn a_long_pattern_costs_a_long_text_little() {
        let text = vec![b'a'; 16 << 20];
        let pattern = [b"*", &*b"a?".repeat(500), b"b*"].concat();
        assert!(!glob_match(&pattern, &text, Case::Sensitive));
    }
}
