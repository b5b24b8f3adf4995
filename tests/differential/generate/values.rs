//! Keys, values, numbers and times that are likely to find the edges.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// A key for ordinary strings; few of them, so that commands meet.
    pub fn key(&mut self) -> Vec<u8> {
        match self.rng.below(40) {
            0 => Vec::new(),
            1 => b"\x00bin\xff\r\n".to_vec(),
            2 => b"k[1]*?".to_vec(),
            3 => vec![b'L'; 200],
            _ => format!("k{}", self.rng.below(8)).into_bytes(),
        }
    }

    /// A key for HyperLogLogs.
    pub fn log_key(&mut self) -> Vec<u8> {
        format!("h{}", self.rng.below(4)).into_bytes()
    }

    /// Two keys of one class, so that 12 KiB HyperLogLogs do not end up where LCS (quadratic) looks.
    pub fn key_pair(&mut self) -> (Vec<u8>, Vec<u8>) {
        if self.rng.one_in(8) {
            (self.log_key(), self.log_key())
        } else if self.rng.one_in(3) {
            (self.container_key(), self.container_key())
        } else {
            (self.key(), self.key())
        }
    }

    /// A value.
    pub fn value(&mut self) -> Vec<u8> {
        match self.rng.below(16) {
            0..4 => self.integer().into_bytes(),
            4 => self.float().into_bytes(),
            5 => Vec::new(),
            6 => {
                let len = self.rng.below(20);
                self.rng.bytes(len)
            }
            7 => {
                let len = 30 + self.rng.below(30);
                (0..len).map(|_| *self.rng.pick(b"abcd")).collect()
            }
            8 => vec![b'x'; 44 + self.rng.below(2)],
            9 => [
                b"a".as_slice(),
                b"007",
                b"-0",
                b" 1",
                b"1 ",
                b"+1",
                b"1e3",
                b"inf",
                b"0x1",
            ][self.rng.below(9)]
            .to_vec(),
            10 => {
                let len = self.rng.below(200);
                self.rng.bytes(len)
            }
            _ => format!("value:{}", self.rng.below(1000)).into_bytes(),
        }
    }

    /// An integer as text: mostly small, sometimes at the limits.
    pub fn integer(&mut self) -> String {
        const EDGES: &[&str] = &[
            "0",
            "-1",
            "1",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775806",
            "9223372036854775808",
            "-9223372036854775809",
            "4294967296",
            "2147483647",
            "-2147483648",
            "10000",
            "9999",
            "65536",
        ];
        if self.rng.one_in(5) {
            self.rng.pick(EDGES).to_string()
        } else {
            self.rng.range(-100, 1000).to_string()
        }
    }

    /// A float as text.
    pub fn float(&mut self) -> String {
        const EDGES: &[&str] = &[
            "0.1", "-0.1", "3.0e3", "1e17", "5e-5", "1.5", "-1.25", "100", "0", "inf", "1e400", "1e-10", "10.50",
        ];
        if self.rng.one_in(2) {
            self.rng.pick(EDGES).to_string()
        } else {
            let (whole, part) = (self.rng.range(-1000, 1000), self.rng.below(1000));
            format!("{whole}.{part:03}")
        }
    }

    /// An index into a string.
    pub fn index(&mut self) -> String {
        if self.rng.one_in(20) {
            self.integer()
        } else {
            self.rng.range(-30, 60).to_string()
        }
    }

    /// A glob pattern.
    pub fn pattern(&mut self) -> Vec<u8> {
        const PATTERNS: &[&[u8]] = &[
            b"*", b"k*", b"k?", b"k[0-3]", b"k[^0-3]", b"h*", b"?", b"", b"k\\[*", b"*[1]*", b"\x00*", b"L*L",
            b"[k-h]1",
        ];
        self.rng.pick(PATTERNS).to_vec()
    }

    /// A random spelling of an option: commands must not care about case.
    pub fn option(&mut self, names: &[&str]) -> String {
        let name = *self.rng.pick(names);
        if self.rng.one_in(4) {
            name.to_lowercase()
        } else {
            name.to_string()
        }
    }

    /// Seconds to live: far away and never twice the same, so that GT and LT have one answer.
    pub fn seconds(&mut self) -> i64 {
        self.rng.range(1_000, 3_000_000)
    }

    /// `EX n`, `PX n`, `EXAT n` or `PXAT n`. `key` is noted as expiring if the time is tiny or past.
    pub fn expiry_option(&mut self, key: &[u8], past_allowed: bool) -> Args {
        if self.tiny_allowed && self.rng.one_in(60) {
            self.expiring_key = Some(key.to_vec());
            return args!["PX", "1"];
        }
        if past_allowed && self.tiny_allowed && self.rng.one_in(30) {
            self.expiring_key = Some(key.to_vec());
            return if self.rng.one_in(2) {
                args!["EXAT", "1"]
            } else {
                args!["PXAT", "1000"]
            };
        }
        let seconds = self.seconds();
        match self.rng.below(8) {
            0..3 => args![self.option(&["EX"]), seconds.to_string()],
            3 | 4 => args![self.option(&["PX"]), (seconds * 1000 + 7).to_string()],
            5 => args![self.option(&["EXAT"]), (self.now_ms / 1000 + seconds).to_string()],
            6 => args![self.option(&["PXAT"]), (self.now_ms + seconds * 1000).to_string()],
            _ => args![
                self.option(&["EX", "PX", "EXAT", "PXAT"]),
                self.rng.pick(&["0", "-1", "abc", "9223372036854775807"])
            ],
        }
    }
}
