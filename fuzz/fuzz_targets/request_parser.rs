//! The request scanner on arbitrary bytes: it never panics, and the same bytes give the same requests and the same
//! error however they are cut into reads.
//!
//! The first bytes of the input choose the limits and the cuts; the rest is what the client sends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lokikv::resp::{Batch, ParserLimits, ProtocolError, RequestParser};

#[derive(PartialEq, Debug)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    wire_bytes: u64,
    error: Option<ProtocolError>,
}

fuzz_target!(|data: &[u8]| {
    let Some((choices, input)) = data.split_first_chunk::<4>() else {
        return;
    };
    let [limit, max, cut, step] = *choices;
    let limits = ParserLimits {
        authenticated: limit & 1 == 0,
        inline_bytes_max: if limit & 2 == 0 { 64 * 1024 } else { 32 },
        ..ParserLimits::default()
    };
    let whole = feed(limits, input, usize::MAX, || usize::MAX);
    // A small generator: cuts of 1 to 256 bytes, or up to 64 KiB with the high bit of `step`.
    let mut state = u32::from(cut) << 8 | u32::from(step) | 1;
    let cuts = feed(limits, input, usize::from(max).max(1), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> if step & 0x80 == 0 { 24 } else { 16 }) as usize + 1
    });
    assert_eq!(cuts, whole);
});

/// Feeds `input` as a connection does, in pieces of the lengths that `cut` gives.
fn feed(limits: ParserLimits, input: &[u8], max: usize, mut cut: impl FnMut() -> usize) -> Outcome {
    let mut parser = RequestParser::new(limits);
    let mut batch = Batch::new();
    let mut outcome = Outcome {
        requests: Vec::new(),
        wire_bytes: 0,
        error: None,
    };
    let (mut buf, mut rest) = (Vec::new(), input);
    loop {
        loop {
            let filled = parser.fill(&buf, &mut batch, max);
            for i in 0..batch.len() {
                outcome
                    .requests
                    .push(batch.args(i, &buf).iter().map(<[u8]>::to_vec).collect());
                outcome.wire_bytes += batch.request_bytes(i);
            }
            match filled {
                Ok(done) => drop(buf.drain(..done)),
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
            if batch.is_empty() {
                break;
            }
        }
        if rest.is_empty() {
            return outcome;
        }
        let n = cut().min(rest.len());
        let n = match parser.big_bulk() {
            Some(big) => {
                assert!(buf.is_empty());
                let read = |spare: &mut tokio::io::ReadBuf<'_>| {
                    let n = n.min(spare.remaining());
                    spare.put_slice(&rest[..n]);
                    n
                };
                big.fill_with(read).expect("memory for what has arrived")
            }
            None => {
                buf.extend_from_slice(&rest[..n]);
                n
            }
        };
        rest = &rest[n..];
    }
}
