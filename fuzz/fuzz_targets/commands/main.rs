//! Arbitrary requests of three clients to sessions over an engine without a log, on keys of every type in databases of
//! every kind: nothing panics, each request has one well-formed reply, and what the engine counts is what is there.
//!
//! The bytes 0xfa, 0xfb and 0xfc say which client sends what follows. A client that is blocked is asked again after
//! each piece. `CONFIG` and `DEBUG` are left out: what they set would outlive the input.

#![no_main]

mod bench;
mod client;
mod recount;
mod replies;

use bench::Bench;
use libfuzzer_sys::{Corpus, fuzz_target};

/// What an input without clients' bytes begins with.
const FIRST_CLIENT: u8 = 0xfa;
const CLIENTS: usize = 3;

/// What each input begins with: nothing but a key of every type, packed and big.
const KEYS: &[u8] = b"FLUSHALL SYNC\r\n\
    SET str hello\r\n\
    SET int 9223372036854775806\r\n\
    SETRANGE text 5000 x\r\n\
    PFADD hll a b c\r\n\
    RPUSH list a b c 1 9223372036854775807\r\n\
    SADD set a b m0\r\n\
    SADD intset 1 2 9223372036854775807\r\n\
    ZADD zset 1 a 2 b inf m0 -inf m1\r\n\
    GEOADD geo 13.361389 38.115556 a -180 -85.05112878 b\r\n\
    HSET hash f1 9223372036854775807 f2 1.7e308\r\n\
    HPEXPIRE hash 60000 FIELDS 1 f2\r\n\
    XADD stream 1-1 f1 v\r\n\
    XGROUP CREATE stream group 0\r\n\
    XREADGROUP GROUP group consumer STREAMS stream >\r\n\
    XADD last 18446744073709551615-18446744073709551615 f1 v\r\n\
    SETRANGE big:member 1500 x\r\n\
    SORT list BY nosort GET big:member GET # STORE big:list\r\n\
    SELECT 2\r\n\
    MSET a 1 b 2 c 3\r\n";

thread_local! {
    static BENCH: Bench = Bench::new().expect("an engine");
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let has = |word: &[u8]| data.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    if has(b"config") || has(b"debug") {
        return Corpus::Reject;
    }
    BENCH.with(|bench| {
        bench.begin(KEYS);
        let mut clients: Vec<_> = (0..CLIENTS).map(|number| bench.client(number as u64 + 1)).collect();
        for (number, bytes) in pieces(data) {
            clients[number].send(bytes);
            for client in &mut clients {
                client.go_on(bench);
            }
        }
        for client in clients {
            client.leave(bench);
        }
        bench.check();
    });
    Corpus::Keep
});

/// What is sent, cut where another client begins.
fn pieces(data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let is_switch = |byte: &u8| (FIRST_CLIENT..FIRST_CLIENT + CLIENTS as u8).contains(byte);
    let mut rest = data;
    let mut next = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let number = next;
        let end = rest.iter().position(is_switch).unwrap_or(rest.len());
        let piece = &rest[..end];
        if let Some(byte) = rest.get(end) {
            next = usize::from(byte - FIRST_CLIENT);
        }
        rest = rest.get(end + 1..).unwrap_or_default();
        Some((number, piece))
    })
}
