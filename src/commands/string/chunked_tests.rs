//! Strings in chunks answer what the same bytes in one piece do.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::commands::testing::Harness;
use crate::page::text::{CHUNK_BYTES, CHUNKED_BYTES_MIN};

const BYTES_MAX: usize = 5 * CHUNK_BYTES;

/// `chunked` at `k`, the same bytes as one at `flat`.
struct Pair {
    server: Harness,
    model: Vec<u8>,
}

impl Pair {
    fn new(random: &mut StdRng) -> Self {
        let mut pair = Self {
            server: Harness::new(),
            model: vec![random.random(); random.random_range(CHUNKED_BYTES_MIN..BYTES_MAX)],
        };
        pair.server.run(&[b"SET", b"k", &pair.model]);
        pair
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        if offset == self.model.len() {
            self.server.run(&[b"APPEND", b"k", bytes]);
        } else {
            self.server
                .run(&[b"SETRANGE", b"k", offset.to_string().as_bytes(), bytes]);
        }
        if !bytes.is_empty() {
            self.model.resize(self.model.len().max(offset + bytes.len()), 0);
            self.model[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn set_bit(&mut self, offset: usize, on: bool) {
        let (byte, mask) = (offset / 8, 0x80 >> (offset % 8));
        self.model.resize(self.model.len().max(byte + 1), 0);
        let was_on = self.model[byte] & mask != 0;
        let command = format!("SETBIT k {offset} {}", u8::from(on));
        assert_eq!(self.server.say(&command), format!(":{}", u8::from(was_on)));
        self.model[byte] = if on {
            self.model[byte] | mask
        } else {
            self.model[byte] & !mask
        };
    }

    /// Makes the other key what this one has.
    fn flatten(&mut self) {
        self.server.run(&[b"SET", b"flat", &self.model]);
    }

    /// Whether both answer alike.
    fn compare(&mut self, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        let [of_chunked, of_flat] = ["k", "flat"].map(|key| {
            let words: Vec<&[u8]> = words
                .iter()
                .map(|word| {
                    if *word == "KEY" {
                        key.as_bytes()
                    } else {
                        word.as_bytes()
                    }
                })
                .collect();
            self.server.run(&words)
        });
        assert!(of_chunked == of_flat, "{command}");
    }
}

/// A byte near a border of chunks, or anywhere.
fn place(random: &mut StdRng) -> usize {
    let near = random.random_range(0..5) * CHUNK_BYTES;
    match random.random_range(0..3) {
        0 => near + random.random_range(0..9),
        1 => near.saturating_sub(random.random_range(0..9)),
        _ => random.random_range(0..BYTES_MAX),
    }
}

fn index(random: &mut StdRng, scale: usize) -> i64 {
    let at = (place(random) * scale + random.random_range(0..scale)) as i64;
    if random.random_range(0..3) == 0 { -at } else { at }
}

fn change(pair: &mut Pair, random: &mut StdRng) {
    match random.random_range(0..5) {
        0 => pair.set_bit(place(random) * 8 + random.random_range(0..8), random.random()),
        1 => {
            let tail = vec![random.random(); random.random_range(0..300)];
            pair.write(pair.model.len(), &tail);
        }
        2 => {
            let bytes = vec![random.random(); random.random_range(1..2 * CHUNK_BYTES)];
            pair.write(place(random), &bytes);
        }
        3 => {
            let (offset, value) = (place(random) * 8 + 3, random.random_range(-1000..1000));
            let command = format!("BITFIELD KEY INCRBY i33 {offset} {value} SET u5 {offset} 7 GET i64 {offset}");
            pair.flatten();
            pair.compare(&command);
            let now = pair.server.run(&[b"GET", b"flat"]);
            let head = now.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            pair.model = now[head..now.len() - 2].to_vec();
        }
        _ => {
            let bytes = vec![[0, 0xff][random.random_range(0..2)]; random.random_range(1..CHUNK_BYTES)];
            pair.write(place(random), &bytes);
        }
    }
}

fn look(pair: &mut Pair, random: &mut StdRng) {
    let unit = [("BYTE", 1), ("BIT", 8)][random.random_range(0..2)];
    let (start, end) = (index(random, unit.1), index(random, unit.1));
    for command in [
        "GET KEY".to_owned(),
        "STRLEN KEY".to_owned(),
        "DUMP KEY".to_owned(),
        format!("GETRANGE KEY {} {}", index(random, 1), index(random, 1)),
        format!("GETBIT KEY {}", place(random) * 8 + 5),
        format!("BITCOUNT KEY {start} {end} {}", unit.0),
        format!("BITPOS KEY 0 {start} {end} {}", unit.0),
        format!("BITPOS KEY 1 {start} {end} {}", unit.0),
        format!("BITPOS KEY 0 {start}"),
        format!(
            "BITFIELD_RO KEY GET i64 {} GET u7 #{}",
            place(random) * 8 + 1,
            place(random)
        ),
        "OBJECT ENCODING KEY".to_owned(),
        "INCR KEY".to_owned(),
        "INCRBYFLOAT KEY 1".to_owned(),
        "PFCOUNT KEY".to_owned(),
        "SORT_RO list BY nosort GET KEY".to_owned(),
    ] {
        pair.compare(&command);
    }
    for op in ["AND", "OR", "XOR"] {
        pair.compare(&format!("BITOP {op} made KEY other KEY"));
        pair.compare("GET made");
    }
    pair.compare("BITOP NOT made KEY");
    pair.compare("GET made");
}

#[test]
fn every_command_answers_as_for_one_piece() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..6 {
        let mut pair = Pair::new(&mut random);
        let other = vec![random.random(); place(&mut random)];
        pair.server.run(&[b"SET", b"other", &other]);
        pair.server.say("RPUSH list 1");
        for _ in 0..12 {
            change(&mut pair, &mut random);
            let before = pair.model.clone();
            if random.random_range(0..3) == 0 {
                assert_eq!(pair.server.say("COPY k copy REPLACE"), ":1");
                change(&mut pair, &mut random);
                let copy = pair.server.run(&[b"GETDEL", b"copy"]);
                assert!(copy.ends_with(b"\r\n") && copy[..copy.len() - 2].ends_with(&before));
            }
            pair.flatten();
            look(&mut pair, &mut random);
        }
        let last = pair.model.clone();
        pair.server.say("RENAME k moved");
        assert!(pair.server.run(&[b"GETSET", b"moved", b"x"])[9..].starts_with(&last));
    }
}

#[test]
fn grown_strings_are_raw_and_keep_their_expiry() {
    let mut server = Harness::new();
    server.say("SET k x PX 1000");
    assert_eq!(server.say("SETRANGE k 499999999 y"), ":500000000");
    assert_eq!(server.say("OBJECT ENCODING k"), "$3 raw");
    assert_eq!(server.say("PTTL k"), ":1000");
    assert_eq!(server.say("GETRANGE k -2 -1"), "$2 \0y");
    assert_eq!(server.say("BITPOS k 1 1"), ":3999999993");
    server.advance_ms(1000);
    assert_eq!(server.say("STRLEN k"), ":0");
}
