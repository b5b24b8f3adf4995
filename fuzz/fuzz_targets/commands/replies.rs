//! Counts whole replies, RESP2 and RESP3.

/// How many replies `bytes` are; `None` if they are not whole replies only.
pub fn count(bytes: &[u8]) -> Option<usize> {
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        rest = skip(rest)?;
        count += 1;
    }
    Some(count)
}

/// What is behind the first reply.
fn skip(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let (line, rest) = (&bytes[1..end], &bytes[end + 2..]);
    match bytes[0] {
        b'+' | b'-' => (!line.contains(&b'\n')).then_some(rest),
        b':' => number::<i64>(line).map(|_| rest),
        b',' => number::<f64>(line).map(|_| rest),
        b'_' => line.is_empty().then_some(rest),
        b'#' => matches!(line, b"t" | b"f").then_some(rest),
        b'(' => line
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'-')
            .then_some(rest),
        b'$' if line == b"-1" => Some(rest),
        b'*' if line == b"-1" => Some(rest),
        b'$' | b'=' => {
            let (_, rest) = rest.split_at_checked(number(line)?)?;
            rest.strip_prefix(b"\r\n")
        }
        b'*' | b'~' | b'>' => skip_many(rest, number(line)?),
        b'%' => skip_many(rest, number::<usize>(line)? * 2),
        _ => None,
    }
}

fn skip_many(bytes: &[u8], count: usize) -> Option<&[u8]> {
    (0..count).try_fold(bytes, |rest, _| if rest.is_empty() { None } else { skip(rest) })
}

fn number<T: std::str::FromStr>(line: &[u8]) -> Option<T> {
    std::str::from_utf8(line).ok()?.parse().ok()
}
