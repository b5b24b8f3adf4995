//! Tests of the request scanner: texts, limits, cuts into reads, cost.

use super::{BIG_BULK_BYTES, Batch, OwnedRequest, ParserLimits, ProtocolError, RequestParser};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};

type Outcome = (Vec<Vec<Vec<u8>>>, u64, Option<ProtocolError>);

/// A connection: feeds pieces of `input` as they are cut, executing at most `max` requests at a time.
fn feed(limits: ParserLimits, input: &[u8], max: usize, mut cut: impl FnMut() -> usize) -> Outcome {
    let mut parser = RequestParser::new(limits);
    let mut batch = Batch::new();
    let (mut buf, mut rest) = (Vec::new(), input);
    let (mut requests, mut wire) = (Vec::new(), 0);
    loop {
        loop {
            let filled = parser.fill(&buf, &mut batch, max);
            for i in 0..batch.len() {
                requests.push(batch.args(i, &buf).iter().map(<[u8]>::to_vec).collect());
                wire += batch.request_bytes(i);
            }
            match filled {
                Ok(done) => drop(buf.drain(..done)),
                Err(error) => return (requests, wire, Some(error)),
            }
            if batch.is_empty() {
                break;
            }
        }
        if rest.is_empty() {
            return (requests, wire, None);
        }
        let n = cut().clamp(1, rest.len());
        match parser.big_bulk() {
            Some(big) => {
                assert!(
                    buf.is_empty(),
                    "all of the buffer is done with while a big argument arrives"
                );
                let n = big.fill_with(|spare| {
                    let n = n.min(spare.remaining());
                    spare.put_slice(&rest[..n]);
                    n
                });
                rest = &rest[n.unwrap()..];
            }
            None => {
                buf.extend_from_slice(&rest[..n]);
                rest = &rest[n..];
            }
        }
    }
}

fn whole(limits: ParserLimits, input: &[u8]) -> Outcome {
    feed(limits, input, usize::MAX, || usize::MAX)
}

fn words(input: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (requests, _, error) = whole(ParserLimits::default(), input);
    assert_eq!(error, None);
    requests
}

fn encode(args: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

#[test]
fn requests_of_all_forms() {
    let input = b"*1\r\n$4\r\nPING\r\nECHO 'a b'\r\n*0\r\n\r\n*-5\r\n  \n*2\r\n$3\r\nGET\r\n$0\r\n\r\nQUIT\n";
    let expected: Vec<Vec<Vec<u8>>> = vec![
        vec![b"PING".to_vec()],
        vec![b"ECHO".to_vec(), b"a b".to_vec()],
        vec![b"GET".to_vec(), vec![]],
        vec![b"QUIT".to_vec()],
    ];
    assert_eq!(words(input), expected);
    let bytes = feed(ParserLimits::default(), input, 1, || 1);
    assert_eq!((bytes.0, bytes.2), (expected, None));
}

#[test]
fn line_ends_are_as_lax_as_in_redis() {
    assert_eq!(words(b"*1\rX$4\rXPINGxx*1\r\n$4\r\nPING\r\n").len(), 2);
    assert_eq!(words(b"PING\r\r\n"), words(b"PING\n"));
}

/// Every text, as redis-server 7.0 sent it for the same bytes (`args_max` and the last two apart, which are ours).
#[test]
fn every_protocol_error() {
    let open = ParserLimits::default();
    let closed = ParserLimits {
        authenticated: false,
        ..open
    };
    let long = |prefix: &str, byte: &str, len: usize| [prefix, &byte.repeat(len)].concat().into_bytes();
    let cases: Vec<(ParserLimits, Vec<u8>, &str)> = vec![
        (open, b"*a\r\n".into(), "invalid multibulk length"),
        (open, b"*\r\n".into(), "invalid multibulk length"),
        (open, b"*01\r\n".into(), "invalid multibulk length"),
        (open, b"*+1\r\n".into(), "invalid multibulk length"),
        (open, b"*1 \r\n".into(), "invalid multibulk length"),
        (open, b"*-0\r\n".into(), "invalid multibulk length"),
        (open, b"*1\n$4\r\nPING\r\n".into(), "invalid multibulk length"),
        (open, b"*2147483648\r\n".into(), "invalid multibulk length"),
        (open, b"*-9223372036854775809\r\n".into(), "invalid multibulk length"),
        (open, b"*1048577\r\n".into(), "invalid multibulk length"),
        (closed, b"*11\r\n".into(), "unauthenticated multibulk length"),
        (closed, b"*99999999999\r\n".into(), "invalid multibulk length"),
        (open, b"*1\r\n$x\r\n".into(), "invalid bulk length"),
        (open, b"*1\r\n$\r\n".into(), "invalid bulk length"),
        (open, b"*1\r\n$-1\r\n".into(), "invalid bulk length"),
        (open, b"*1\r\n$-0\r\n".into(), "invalid bulk length"),
        (open, b"*1\r\n$00004\r\n".into(), "invalid bulk length"),
        (open, b"*1\r\n$536870913\r\n".into(), "invalid bulk length"),
        (closed, b"*1\r\n$536870913\r\n".into(), "invalid bulk length"),
        (
            closed,
            b"*2\r\n$4\r\nECHO\r\n$16385\r\n".into(),
            "unauthenticated bulk length",
        ),
        (open, b"*1\r\n:1\r\n".into(), "expected '$', got ':'"),
        (open, b"*1\r\nxPING\r\n".into(), "expected '$', got 'x'"),
        (open, b"*1\r\n\r\n".into(), "expected '$', got '\r'"),
        (open, long("*", "1", 65_536), "too big mbulk count string"),
        (open, long("*1\r\n$", "1", 65_536), "too big bulk count string"),
        (open, long("", "a", 65_537), "too big inline request"),
        (open, b"ECHO \"a\r\n".into(), "unbalanced quotes in request"),
    ];
    for (limits, input, text) in cases {
        let name = input[..input.len().min(30)].escape_ascii().to_string();
        for (max, piece) in [(usize::MAX, usize::MAX), (1, 1), (usize::MAX, 7)] {
            let (requests, _, error) = feed(limits, &input, max, || piece);
            let error = error.unwrap_or_else(|| panic!("{name}: no error"));
            assert_eq!(
                String::from_utf8(error.text()).unwrap(),
                format!("ERR Protocol error: {text}"),
                "{name}"
            );
            assert!(requests.is_empty());
        }
    }
    assert!(ProtocolError::TooBigRequest.to_string().ends_with("too big request"));
    assert!(
        ProtocolError::OutOfMemory
            .text()
            .starts_with(b"ERR Protocol error: out of memory")
    );
    assert_eq!(ProtocolError::ExpectedDollar(0xff).text().last_chunk(), Some(b"'\xff'"));
}

#[test]
fn the_longest_lines_allowed() {
    for input in [
        ["*", &"1".repeat(65_535)].concat(),
        ["*1\r\n$", &"1".repeat(65_535)].concat(),
        "a".repeat(65_536),
    ] {
        let (requests, _, error) = whole(ParserLimits::default(), input.as_bytes());
        assert!(requests.is_empty() && error.is_none());
    }
    assert_eq!(
        words(["a".repeat(65_536), "\n".into()].concat().as_bytes())[0][0].len(),
        65_536
    );
}

#[test]
fn requests_before_an_error_are_kept_and_the_error_stays() {
    let mut parser = RequestParser::new(ParserLimits::default());
    let mut batch = Batch::new();
    let buf = b"PING\r\n*1\r\n$4\r\nPING\r\n*1\r\nx\r\nPING\r\n";
    let error = Err(ProtocolError::ExpectedDollar(b'x'));
    assert_eq!(parser.fill(buf, &mut batch, 100), error);
    assert_eq!(batch.len(), 2);
    assert_eq!(parser.fill(b"PING\r\n", &mut batch, 100), error);
    assert!(batch.is_empty());
}

#[test]
fn before_authentication_one_request_at_a_time() {
    let mut parser = RequestParser::new(ParserLimits {
        authenticated: false,
        ..ParserLimits::default()
    });
    let mut batch = Batch::new();
    let buf = b"AUTH secret\r\n*11\r\n";
    assert_eq!(parser.fill(buf, &mut batch, 100), Ok(13));
    parser.limits_mut().authenticated = true;
    assert_eq!(parser.fill(&buf[13..], &mut batch, 100), Ok(0));
    assert!(batch.is_empty() && parser.is_mid_request());
}

#[test]
fn max_requests_and_sizes_on_the_wire() {
    let mut parser = RequestParser::new(ParserLimits::default());
    let mut batch = Batch::new();
    let buf = b"*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n";
    assert_eq!(parser.fill(buf, &mut batch, 0), Ok(0));
    assert_eq!(parser.fill(buf, &mut batch, 2), Ok(20));
    assert_eq!(
        (
            batch.len(),
            batch.request_bytes(0),
            batch.request_bytes(1),
            batch.request_bytes(2)
        ),
        (2, 14, 6, 0)
    );
    assert!(batch.args(2, buf).is_empty());
    assert_eq!(parser.fill(&buf[20..], &mut batch, 2), Ok(14));
    assert_eq!(&batch.args(0, &buf[20..])[0], b"QUIT");
}

/// Random input: whole requests, and often bytes that are none.
fn random_input(rng: &mut StdRng) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..rng.random_range(1..8) {
        match rng.random_range(0..20) {
            0..12 => {
                let args: Vec<Vec<u8>> = (0..rng.random_range(0..5)).map(|_| random_arg(rng)).collect();
                encode(&args.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut input);
            }
            12..16 => input.extend_from_slice(b"ECHO \"a\\x41 b\" 'c'\r\n"),
            16 => input.extend_from_slice(b"\r\n*0\r\n*-1\r\n\n"),
            17 => input.extend_from_slice(b"*2\r\n$3\r\nGET\r\n$01\r\n"),
            18 => {
                let alphabet = b"*$\r\n0123456789-'\"\\x ab\0";
                input.extend((0..rng.random_range(0..40)).map(|_| alphabet[rng.random_range(0..alphabet.len())]));
            }
            _ => {
                if let Some(at) = input.len().checked_sub(1).map(|last| rng.random_range(0..=last)) {
                    input[at] = rng.random();
                }
            }
        }
    }
    input
}

fn random_arg(rng: &mut StdRng) -> Vec<u8> {
    let len = match rng.random_range(0..50) {
        0 => BIG_BULK_BYTES - rng.random_range(0..3) + 1,
        1 => rng.random_range(0..3 * BIG_BULK_BYTES),
        2..10 => rng.random_range(0..2000),
        _ => rng.random_range(0..20),
    };
    vec![rng.random(); len]
}

#[test]
fn cuts_do_not_matter() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for round in 0..1500 {
        let input = random_input(&mut rng);
        let limits = ParserLimits {
            authenticated: rng.random_bool(0.9),
            inline_bytes_max: 100,
            ..ParserLimits::default()
        };
        let expected = whole(limits, &input);
        let longest = [1, 3, 50, 5000, 100_000][rng.random_range(0..5)];
        if longest > 1 || input.len() < 20_000 {
            let max = rng.random_range(1..5);
            let cut = feed(limits, &input, max, || rng.random_range(1..=longest));
            assert!(
                cut == expected,
                "seed {seed} round {round}: {:?} {:?}",
                cut.2,
                expected.2
            );
        }
    }
}

#[test]
fn byte_by_byte_equals_whole() {
    let mut input = Vec::new();
    for len in [
        0,
        1,
        9,
        10,
        99,
        100,
        1000,
        BIG_BULK_BYTES - 1,
        BIG_BULK_BYTES,
        BIG_BULK_BYTES + 1,
    ] {
        encode(
            &[b"SET", &vec![b'k'; len.min(300)], &vec![b'v'; len], b"NX"],
            &mut input,
        );
    }
    let bytes = feed(ParserLimits::default(), &input, 3, || 1);
    assert!(bytes == whole(ParserLimits::default(), &input));
    assert_eq!((bytes.0.len(), bytes.1), (10, input.len() as u64));
}

#[test]
fn a_million_arguments_in_small_pieces_take_linear_time() {
    let args: Vec<&[u8]> = vec![b"x"; 1_000_000];
    let mut input = Vec::new();
    encode(&args, &mut input);
    let mut parser = RequestParser::new(ParserLimits::default());
    let (mut batch, mut end) = (Batch::new(), 0);
    let begun = Instant::now();
    while batch.is_empty() {
        end = (end + 512).min(input.len());
        let done = parser.fill(&input[..end], &mut batch, 10).unwrap();
        assert_eq!(done, if end == input.len() { end } else { 0 });
    }
    let took = begun.elapsed();
    println!("{took:?}");
    assert_eq!(batch.args(0, &input).len(), 1_000_000);
    // Parsed anew with each piece, they would take some 7,000 times as long as once.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(parser.held_bytes() < 100_000 && batch.held_bytes() >= 8_000_000);
    batch.clear();
    assert!(batch.held_bytes() < 100_000);
}

#[test]
fn an_endless_line_in_single_bytes_is_searched_once() {
    let mut parser = RequestParser::new(ParserLimits {
        inline_bytes_max: 1 << 22,
        ..ParserLimits::default()
    });
    let input = vec![b'a'; 1 << 22];
    let mut batch = Batch::new();
    let begun = Instant::now();
    for end in 1..=input.len() {
        assert_eq!(parser.fill(&input[..end], &mut batch, 10), Ok(0));
    }
    // Searched from the start each time, it would be 8 TiB.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn big_arguments_get_their_own_allocation() {
    let value: Vec<u8> = (0..5_000_000u32).map(|i| i as u8).collect();
    let mut input = Vec::new();
    encode(
        &[b"MSET", b"a", &value, b"b", &value[..BIG_BULK_BYTES], b"c", b"small"],
        &mut input,
    );
    input.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    let mut parser = RequestParser::new(ParserLimits::default());
    let mut batch = Batch::new();
    assert_eq!(parser.fill(&input, &mut batch, 10), Ok(input.len()));
    let args = batch.args(0, &input);
    assert_eq!(args.len(), 7);
    assert_eq!(args.shared(2).map(|big| big.capacity()), Some(value.len()));
    assert!(args[2] == value && args[4] == value[..BIG_BULK_BYTES] && args.shared(4).is_some());
    assert!(args.shared(6).is_none() && &args[6] == b"small" && &args[3] == b"b");
    assert_eq!(&batch.args(1, &input)[0], b"PING");
    assert!(args.to_owned().args().iter().eq(args.iter()));
}

#[test]
fn announcing_costs_no_memory() {
    let mut parser = RequestParser::new(ParserLimits::default());
    let mut batch = Batch::new();
    assert_eq!(
        parser.fill(b"*1000000\r\n$3\r\nSET\r\n$536870912\r\nabc", &mut batch, 10),
        Ok(34)
    );
    assert_eq!(parser.big_bulk().map(|big| big.missing()), Some(536_870_909));
    assert!(parser.held_bytes() < 100_000, "{}", parser.held_bytes());
}

#[test]
fn owned_request_equals_its_source() {
    let input = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    let mut batch = Batch::new();
    RequestParser::new(ParserLimits::default())
        .fill(input, &mut batch, 1)
        .unwrap();
    let same = OwnedRequest::from_slices(&[b"GET", b"key"]);
    assert!(batch.args(0, input).to_owned().args().iter().eq(same.args().iter()));
}
