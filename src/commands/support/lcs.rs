//! `LCS`: the longest common subsequence of two strings, and which ranges of them it is made of.
//!
//! **Invariants**: of the many longest subsequences the one found is Redis's: the same table, walked back from the
//! ends, a tie between the two directions going to the second string. The table is O(a × b) 32-bit cells and is refused
//! before it is built when it would pass the limit; a plain length needs two rows only, but obeys the same limit.

/// A stretch of the subsequence: `len` equal bytes of both strings. Ends are included, as `LCS IDX` answers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// First and last index in the first string.
    pub a: (usize, usize),
    /// First and last index in the second string.
    pub b: (usize, usize),
}

impl Match {
    /// How many bytes match.
    pub fn len(&self) -> usize {
        self.a.1 - self.a.0 + 1
    }

    /// Never: a match has at least one byte.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LcsError {
    /// A string has 2^32 - 1 bytes or more.
    TooLong,
    /// The table would take more than the limit.
    OverLimit,
    /// There is no memory for the table.
    NoMemory,
}

impl LcsError {
    /// The error reply.
    pub fn message(self) -> &'static str {
        match self {
            Self::TooLong => "ERR String too long for LCS",
            Self::OverLimit => "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            Self::NoMemory => "ERR Insufficient memory, failed allocating transient memory for LCS",
        }
    }
}

impl std::fmt::Display for LcsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for LcsError {}

/// The length of the longest common subsequence (`LEN`). O(a × b) time.
pub fn lcs_len(a: &[u8], b: &[u8], bytes_max: u64) -> Result<u64, LcsError> {
    check_lengths(a.len(), b.len(), bytes_max)?;
    let mut row = vec![0u32; b.len()];
    for &byte in a {
        next_row(&mut row, byte, b);
    }
    Ok(u64::from(row.last().copied().unwrap_or(0)))
}

/// The subsequence itself. O(a × b) time and memory.
pub fn lcs_text(a: &[u8], b: &[u8], bytes_max: u64) -> Result<Vec<u8>, LcsError> {
    let matches = lcs_matches(a, b, 0, bytes_max)?;
    Ok(matches
        .iter()
        .rev()
        .flat_map(|found| a.get(found.a.0..=found.a.1).unwrap_or_default())
        .copied()
        .collect())
}

/// The matching stretches of at least `len_min` bytes, the last first (`IDX`, `MINMATCHLEN`). O(a × b) time and memory.
pub fn lcs_matches(a: &[u8], b: &[u8], len_min: usize, bytes_max: u64) -> Result<Vec<Match>, LcsError> {
    let table = Table::new(a, b, bytes_max)?;
    let mut matches: Vec<Match> = Vec::new();
    let (mut i, mut j) = (a, b);
    while let ([i_rest @ .., last_a], [j_rest @ .., last_b]) = (i, j) {
        if last_a == last_b {
            extend(&mut matches, i_rest.len(), j_rest.len());
            (i, j) = (i_rest, j_rest);
        } else if table.len(i_rest.len(), j.len()) > table.len(i.len(), j_rest.len()) {
            i = i_rest;
        } else {
            j = j_rest;
        }
    }
    matches.retain(|found| found.len() >= len_min);
    Ok(matches)
}

/// Adds the pair of equal bytes at `a` and `b`, joining it to the stretch right behind it.
fn extend(matches: &mut Vec<Match>, a: usize, b: usize) {
    match matches.last_mut() {
        Some(last) if last.a.0 == a + 1 && last.b.0 == b + 1 => (last.a.0, last.b.0) = (a, b),
        _ => matches.push(Match { a: (a, a), b: (b, b) }),
    }
}

/// Turns the row of lengths for a prefix of `a` into the row for that prefix and `byte`.
fn next_row(row: &mut [u32], byte: u8, b: &[u8]) {
    let (mut diagonal, mut left) = (0, 0);
    for (cell, &other) in row.iter_mut().zip(b) {
        let above = *cell;
        left = if byte == other { diagonal + 1 } else { above.max(left) };
        *cell = left;
        diagonal = above;
    }
}

/// The lengths for every pair of prefixes, the empty ones left out.
struct Table {
    cells: Vec<u32>,
    width: usize,
}

impl Table {
    fn new(a: &[u8], b: &[u8], bytes_max: u64) -> Result<Self, LcsError> {
        check_lengths(a.len(), b.len(), bytes_max)?;
        let width = b.len();
        let size = a.len() * width;
        let mut cells: Vec<u32> = Vec::new();
        cells.try_reserve_exact(size).map_err(|_| LcsError::NoMemory)?;
        cells.resize(size, 0);
        if width > 0 {
            let mut above: &[u32] = &vec![0; width];
            for (row, &byte) in cells.chunks_exact_mut(width).zip(a) {
                row.copy_from_slice(above);
                next_row(row, byte, b);
                above = row;
            }
        }
        Ok(Self { cells, width })
    }

    /// The length for the first `i` bytes of `a` and the first `j` of `b`.
    fn len(&self, i: usize, j: usize) -> u32 {
        if i == 0 || j == 0 {
            return 0;
        }
        self.cells.get((i - 1) * self.width + j - 1).copied().unwrap_or(0)
    }
}

/// Refuses strings of these lengths if the table would take more than `bytes_max`, as all functions here do. Redis
/// counts a table with a row and a column for the empty prefixes.
pub fn check_lengths(a: usize, b: usize, bytes_max: u64) -> Result<(), LcsError> {
    let (a, b) = (a as u64, b as u64);
    if a.max(b) >= u64::from(u32::MAX) - 1 {
        return Err(LcsError::TooLong);
    }
    let bytes = u128::from(a + 1) * u128::from(b + 1) * 4;
    if bytes > u128::from(bytes_max) {
        Err(LcsError::OverLimit)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 512 << 20;

    #[test]
    fn documented_example() {
        let (a, b) = (&b"ohmytext"[..], &b"mynewtext"[..]);
        assert_eq!(lcs_text(a, b, LIMIT).unwrap(), b"mytext");
        assert_eq!(lcs_len(a, b, LIMIT), Ok(6));
        let matches = lcs_matches(a, b, 0, LIMIT).unwrap();
        assert_eq!(
            matches,
            [Match { a: (4, 7), b: (5, 8) }, Match { a: (2, 3), b: (0, 1) }]
        );
        assert_eq!(matches[0].len(), 4);
        assert_eq!(lcs_matches(a, b, 4, LIMIT).unwrap().len(), 1);
    }

    #[test]
    fn empty_and_equal() {
        assert_eq!(lcs_text(b"", b"abc", LIMIT).unwrap(), b"");
        assert_eq!(lcs_text(b"abc", b"", LIMIT).unwrap(), b"");
        assert_eq!(lcs_len(b"abc", b"", LIMIT), Ok(0));
        assert_eq!(
            lcs_matches(b"abc", b"abc", 0, LIMIT).unwrap(),
            [Match { a: (0, 2), b: (0, 2) }]
        );
    }

    #[test]
    fn recorded_choices() {
        for line in include_str!("testdata/lcs.txt").lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [a, b, text, ranges] = fields[..] else {
                panic!("bad vector {line}")
            };
            let (a, b) = (a.as_bytes(), b.as_bytes());
            assert_eq!(lcs_text(a, b, LIMIT).unwrap(), text.as_bytes(), "{line}");
            assert_eq!(lcs_len(a, b, LIMIT), Ok(text.len() as u64), "{line}");
            let found: Vec<String> = lcs_matches(a, b, 0, LIMIT)
                .unwrap()
                .iter()
                .map(|found| format!("{}-{}:{}-{}", found.a.0, found.a.1, found.b.0, found.b.1))
                .collect();
            assert_eq!(found.join(","), ranges, "{line}");
        }
    }

    #[test]
    fn limit() {
        // 10 × 10 cells of 4 bytes.
        assert!(lcs_text(&[b'a'; 9], &[b'b'; 9], 400).is_ok());
        assert_eq!(lcs_len(&[b'a'; 9], &[b'b'; 9], 399), Err(LcsError::OverLimit));
    }
}
