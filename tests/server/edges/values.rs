//! What may stand as an argument: keys of every type, and values at the ends of what can be written.

use crate::support::{Args, Conn, Rng};

/// Whole numbers at the ends of types, and beside them.
const INTEGERS: &[&str] = &[
    "-1",
    "0",
    "1",
    "2",
    "3",
    "7",
    "8",
    "63",
    "64",
    "65",
    "100",
    "127",
    "128",
    "255",
    "256",
    "1000",
    "1024",
    "65535",
    "65536",
    "1048576",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "4294967297",
    "9007199254740993",
    "1152921504606846976",
    "4611686018427387904",
    "9223372036854774",
    "9223372036854775",
    "9223372036854776",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551613",
    "18446744073709551614",
    "18446744073709551615",
    "18446744073709551616",
    "-2",
    "-3",
    "-100",
    "-2147483648",
    "-2147483649",
    "-4294967296",
    "-9223372036854775807",
    "-9223372036854775808",
    "-9223372036854775809",
];

const FLOATS: &[&str] = &[
    "nan",
    "-nan",
    "inf",
    "-inf",
    "+inf",
    "infinity",
    "1e308",
    "-1e308",
    "1e309",
    "5e-324",
    "1e-400",
    "1e9223372036854775807",
    "1e-9223372036854775808",
    "0x1p9223372036854775807",
    "0.0",
    "-0.0",
    "0.1",
    "0.0001",
    "1.5",
    "85.05112878",
    "85.06",
    "-180",
    "180",
    "180.0001",
    "9223372036854775807.5",
    "0x7fffffffffffffff",
    "1e18",
    "1e19",
];

const IDS: &[&str] = &[
    "*",
    "0",
    "$",
    ">",
    "+",
    "-",
    "0-0",
    "0-1",
    "1-0",
    "1-1",
    "5-*",
    "(1-1",
    "(0-0",
    "(18446744073709551615-18446744073709551615",
    "1-18446744073709551615",
    "18446744073709551615",
    "18446744073709551615-*",
    "18446744073709551615-18446744073709551614",
    "18446744073709551615-18446744073709551615",
    "18446744073709551616-0",
    "9223372036854775807-9223372036854775807",
    "1526919030474-55",
];

const WORDS: &[&str] = &[
    "",
    "a",
    "b",
    "m0",
    "m1",
    "f1",
    "f2",
    "v",
    "group",
    "consumer",
    "one",
    "two",
    "*",
    "?",
    "[a",
    "[a-",
    "\\",
    "[^]",
    "(a",
    "[",
    "(",
    "i64",
    "u63",
    "u64",
    "i1",
    "#0",
    "#9223372036854775807",
    "#144115188075855871",
    "#67108863",
    "km",
    "m",
    "ft",
    "w_*->f1",
    "w_*",
    "nosort",
    "#",
    "default",
    "latest",
    "LATEST",
    "hmap",
    "bdef",
    "bcust",
    "1gb",
    "9999999999gb",
    "18446744073709551615b",
    "16777215tb",
    "yes",
    "no",
    "~",
    "=",
];

/// Keys, one or more of every type; `missing` is one that is not there.
pub const KEYS: &[&str] = &[
    "str",
    "int",
    "float",
    "text",
    "bits",
    "hll",
    "list",
    "biglist",
    "set",
    "intset",
    "bigset",
    "zset",
    "bigzset",
    "geo",
    "hash",
    "bighash",
    "dying",
    "stream",
    "bigstream",
    "laststream",
    "vectors",
    "missing",
    "",
    "0",
    "a",
];

/// Expressions that searches in vector sets may have.
const FILTERS: &[&str] = &[
    ".n == 1",
    ".n in [1, 'x'] or not .n ** 1e308",
    "((((",
    ".n * -9223372036854775808 > 'a'",
    "",
    ".",
    "0 % 0 == 0 / 0",
    "[1,",
];

/// What makes keys of every type, with values at the ends of their ranges.
const FIXTURES: &[&str] = &[
    "SET str hello",
    "SET int 9223372036854775806",
    "SET float 1.7e308",
    "SETRANGE text 70000 x",
    "SETBIT bits 4095 1",
    "PFADD hll a b c",
    "RPUSH list a b c 1 9223372036854775807 -9223372036854775808",
    "SADD set a b m0 m1",
    "SADD intset 1 2 9223372036854775807 -9223372036854775808",
    "ZADD zset 1 a 2 b inf m0 -inf m1 1.7e308 one -1.7e308 two 0 0",
    "GEOADD geo 13.361389 38.115556 a -180 -85.05112878 b 180 85.05112878 m0",
    "HSET hash f1 9223372036854775807 f2 1.7e308 a -9223372036854775808",
    "HSET dying f1 1 f2 2",
    "HPEXPIRE dying 60000 FIELDS 1 f1",
    "PEXPIREAT dying 4102444800000",
    "XADD stream 1-1 f1 v",
    "XADD stream 1-2 f1 v f2 w",
    "XGROUP CREATE stream group 0",
    "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
    "XADD laststream 18446744073709551615-18446744073709551614 f1 v",
    "XADD laststream 18446744073709551615-18446744073709551615 f1 v",
    "VADD vectors VALUES 2 1 2 a SETATTR {\"n\":1}",
    "VADD vectors VALUES 2 -1 0 b",
    "VADD vectors VALUES 2 0 0 m0",
    "XGROUP CREATE laststream group 0 ENTRIESREAD 9223372036854775807",
    "XREADGROUP GROUP group consumer STREAMS laststream >",
];

const BIG_LEN: usize = 600;

/// The requests that make the keys.
pub fn fixtures() -> Vec<Args> {
    let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let mut made: Vec<Args> = FIXTURES.iter().map(|line| words(line)).collect();
    for (begin, item) in [
        ("RPUSH biglist", "m#"),
        ("SADD bigset", "m#"),
        ("ZADD bigzset", "# m#"),
        ("HSET bighash", "m# #"),
    ] {
        let items = (0..BIG_LEN).map(|n| item.replace('#', &n.to_string()));
        made.push(words(&format!("{begin} {}", items.collect::<Vec<_>>().join(" "))));
    }
    made.extend((0..BIG_LEN / 4).map(|n| words(&format!("XADD bigstream {}-0 f1 {n}", n + 1))));
    made
}

/// Values that a request may have.
pub struct Values {
    payloads: Vec<Vec<u8>>,
}

impl Values {
    /// Makes the keys, and learns how they are dumped.
    pub fn learn(conn: &mut Conn) -> Self {
        fixtures().iter().for_each(|request| drop(conn.call(request)));
        let dumped = KEYS.iter().filter_map(|key| match conn.call(&["DUMP", key]) {
            crate::support::Value::Bulk(payload) => Some(payload),
            _ => None,
        });
        Self {
            payloads: dumped.collect(),
        }
    }

    /// A key.
    pub fn key(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(40) {
            0 => b"\x00\xff\r\n".to_vec(),
            1 => self.any(rng),
            _ => rng.pick(KEYS).as_bytes().to_vec(),
        }
    }

    /// A value for the argument that is called so.
    pub fn named(&self, name: &str, rng: &mut Rng) -> Vec<u8> {
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if rng.one_in(12) {
            return self.any(rng);
        }
        if has(&["serialized"]) {
            return self.payload(rng);
        }
        if has(&["expression"]) {
            return rng.pick(FILTERS).as_bytes().to_vec();
        }
        if has(&["vector"]) {
            let len = 4 * *rng.pick(&[0, 1, 2, 2, 2, 3, 70_000]);
            return rng.bytes(len);
        }
        if has(&["numkeys", "numfields"]) && !rng.one_in(4) {
            return rng.pick(&["1", "1", "2", "3"]).as_bytes().to_vec();
        }
        if has(&["id", "start", "end", "min", "max"]) && rng.one_in(2) {
            return rng.pick(IDS).as_bytes().to_vec();
        }
        if has(&["key", "dest", "source"]) {
            return self.key(rng);
        }
        let numbers = [
            "count",
            "sec",
            "time",
            "start",
            "stop",
            "end",
            "offset",
            "index",
            "incr",
            "decr",
            "min",
            "max",
            "rank",
            "len",
            "limit",
            "threshold",
            "ttl",
            "cursor",
            "weight",
            "itude",
            "radius",
            "width",
            "height",
            "bit",
            "value",
            "score",
            "lsn",
            "from",
            "freq",
            "db",
            "n",
            "size",
            "position",
            "entries",
            "field",
            "idle",
        ];
        if has(&numbers) && !rng.one_in(4) {
            return self.number(rng);
        }
        rng.pick(WORDS).as_bytes().to_vec()
    }

    /// Anything.
    pub fn any(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(12) {
            0 => rng.pick(KEYS).as_bytes().to_vec(),
            1 => rng.pick(WORDS).as_bytes().to_vec(),
            2 => rng.pick(IDS).as_bytes().to_vec(),
            3 => self.payload(rng),
            4 => {
                let len = *rng.pick(&[1, 4, 16]);
                rng.bytes(len)
            }
            5 => vec![b'x'; *rng.pick(&[64, 65, 300, 5000, 20_000, 70_000])],
            6 => vec![*rng.pick(b"0123456789-+.e*?[]\\"); *rng.pick(&[1, 2, 20, 40, 400])],
            7 => format!(
                "{}{}",
                rng.pick(INTEGERS),
                rng.pick(&[" ", "s", "-", "-1", "\0", ".", "e1", "kb", "gb"])
            )
            .into_bytes(),
            _ => self.number(rng),
        }
    }

    fn number(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(8) {
            0 => rng.pick(FLOATS).as_bytes().to_vec(),
            1 => format!("({}", rng.pick(INTEGERS)).into_bytes(),
            2 => rng.range(-20, 20).to_string().into_bytes(),
            _ => rng.pick(INTEGERS).as_bytes().to_vec(),
        }
    }

    /// A dumped value, mostly a changed one whose checksum is right.
    fn payload(&self, rng: &mut Rng) -> Vec<u8> {
        let mut payload = rng.pick(&self.payloads).clone();
        if rng.one_in(6) {
            return payload;
        }
        payload.truncate(payload.len() - 8);
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(payload.len().min(200));
            let edges = [0, 1, 0x7f, 0x80, 0x81, 0xf0, 0xfe, 0xff, rng.next() as u8];
            match rng.below(6) {
                0 => drop(payload.splice(at..at, [*rng.pick(&edges); 4])),
                1 if payload.len() > 3 => drop(payload.remove(at)),
                _ => payload[at] = *rng.pick(&edges),
            }
        }
        payload.extend(crc64(&payload).to_le_bytes());
        payload
    }
}

/// The checksum of a dumped value, bit by bit.
fn crc64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc, _| match crc & 1 {
            1 => crc >> 1 ^ 0x95ac_9329_ac4b_c9b5,
            _ => crc >> 1,
        })
    })
}
