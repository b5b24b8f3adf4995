//! Bit commands.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// Any command of the bitmap family.
    pub fn bit_command(&mut self) -> Args {
        let key = self.key();
        match self.rng.below(12) {
            0..3 => args!["SETBIT", key, self.bit_offset(), self.bit()],
            3 => args!["GETBIT", key, self.bit_offset()],
            4 | 5 => self.bitcount(key),
            6 | 7 => self.bitpos(key),
            8 | 9 => self.bitop(),
            10 => self.bitfield("BITFIELD", key),
            _ => self.bitfield("BITFIELD_RO", key),
        }
    }

    fn bit(&mut self) -> &'static str {
        if self.rng.one_in(25) {
            "2"
        } else {
            self.rng.pick::<&str>(&["0", "1"])
        }
    }

    fn bit_offset(&mut self) -> String {
        const WRONG: &[&str] = &["-1", "4294967296", "99999999999999999999", "x", "1.0"];
        if self.rng.one_in(25) {
            self.rng.pick(WRONG).to_string()
        } else {
            self.rng.below(900).to_string()
        }
    }

    fn bitcount(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["BITCOUNT", key];
        if self.rng.one_in(4) {
            return args;
        }
        args.extend(args![self.index(), self.index()]);
        if self.rng.one_in(2) {
            args.push(self.option(&["BYTE", "BIT", "BIT", "BITS"]).into_bytes());
        }
        args
    }

    fn bitpos(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["BITPOS", key, self.bit()];
        let more = self.rng.below(4);
        if more > 0 {
            args.push(self.index().into_bytes());
        }
        if more > 1 {
            args.push(self.index().into_bytes());
        }
        if more > 2 {
            args.push(self.option(&["BYTE", "BIT"]).into_bytes());
        }
        args
    }

    fn bitop(&mut self) -> Args {
        let operation = self.option(&["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"]);
        let sources = if operation.eq_ignore_ascii_case("NOT") && !self.rng.one_in(10) {
            1
        } else {
            1 + self.rng.below(4)
        };
        let mut args = args!["BITOP", operation, self.key()];
        args.extend((0..sources).map(|_| self.key()));
        args
    }

    fn bitfield(&mut self, name: &str, key: Vec<u8>) -> Args {
        let mut args = args![name, key];
        for _ in 0..self.rng.below(5) {
            let (kind, at) = (self.bit_type(), self.field_offset());
            match self.rng.below(if name == "BITFIELD" { 8 } else { 3 }) {
                0..2 => args.extend(args![self.option(&["GET"]), kind, at]),
                2 | 3 if name == "BITFIELD" => {
                    args.extend(args!["OVERFLOW", self.option(&["WRAP", "SAT", "FAIL", "FAIL", "NO"])])
                }
                4 | 5 => args.extend(args![self.option(&["SET"]), kind, at, self.integer()]),
                6 | 7 => args.extend(args![self.option(&["INCRBY"]), kind, at, self.integer()]),
                _ => args.extend(args!["GET", kind, at]),
            }
        }
        if args.iter().any(|arg| arg.eq_ignore_ascii_case(b"FAIL")) {
            // Something has to succeed: else Redis may lengthen the string without telling watchers (D16).
            args.extend(args!["OVERFLOW", "WRAP", "SET", "u1", "0", "1"]);
        }
        args
    }

    fn bit_type(&mut self) -> String {
        match self.rng.below(30) {
            0 => self
                .rng
                .pick(&["u64", "i65", "u0", "i0", "x8", "u", "u-1", "u8x"])
                .to_string(),
            1 => self.rng.pick(&["i64", "u63", "i1", "u1"]).to_string(),
            n => format!("{}{}", if n % 2 == 0 { 'u' } else { 'i' }, self.rng.range(1, 63)),
        }
    }

    fn field_offset(&mut self) -> String {
        match self.rng.below(12) {
            0 => self
                .rng
                .pick(&["-1", "#-1", "x", "#", "4294967296", "#99999999999"])
                .to_string(),
            1..5 => format!("#{}", self.rng.below(10)),
            _ => self.rng.below(600).to_string(),
        }
    }
}
