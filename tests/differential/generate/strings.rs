//! String commands.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// Any command of the string family.
    pub fn string_command(&mut self) -> Args {
        let key = self.key();
        match self.rng.below(40) {
            0..8 => self.set(key),
            8..12 => args!["GET", key],
            12 => args!["APPEND", key, self.value()],
            13 => args!["STRLEN", key],
            14..17 => args![self.option(&["INCR", "DECR"]), key],
            17..20 => args![self.option(&["INCRBY", "DECRBY"]), key, self.integer()],
            20 | 21 => args!["INCRBYFLOAT", key, self.float()],
            22 | 23 => args![self.option(&["GETRANGE", "SUBSTR"]), key, self.index(), self.index()],
            24 | 25 => args!["SETRANGE", key, self.offset(), self.value()],
            26 => args!["GETSET", key, self.value()],
            27 => args!["GETDEL", key],
            28 | 29 => self.getex(key),
            30 => args!["SETNX", key, self.value()],
            31 => args!["SETEX", key, self.seconds().to_string(), self.value()],
            32 => args!["PSETEX", key, (self.seconds() * 1000).to_string(), self.value()],
            33 | 34 => self.many("MGET", false),
            35 | 36 => self.many("MSET", true),
            37 => self.many("MSETNX", true),
            _ => self.lcs(),
        }
    }

    fn offset(&mut self) -> String {
        const WRONG: &[&str] = &["-1", "536870912", "9223372036854775807", "x"];
        if self.rng.one_in(15) {
            self.rng.pick(WRONG).to_string()
        } else {
            self.rng.below(100).to_string()
        }
    }

    fn set(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["SET", key, self.value()];
        if self.rng.one_in(2) {
            return args;
        }
        let mut options: Vec<Args> = Vec::new();
        if self.rng.one_in(3) {
            options.push(args![self.option(&["NX", "XX"])]);
        }
        if self.rng.one_in(3) {
            options.push(args!["GET"]);
        }
        match self.rng.below(5) {
            0 => options.push(args!["KEEPTTL"]),
            1 | 2 => options.push(self.expiry_option(&key, true)),
            _ => {}
        }
        if self.rng.one_in(15) && self.expiring_key.is_none() {
            options.push(args![self.option(&["NX", "XX", "KEEPTTL", "GET", "PERSIST", "FOO"])]);
        }
        for n in (1..options.len()).rev() {
            options.swap(n, self.rng.below(n + 1));
        }
        args.extend(options.into_iter().flatten());
        args
    }

    fn getex(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["GETEX", key];
        match self.rng.below(5) {
            0 => {}
            1 => args.push(self.option(&["PERSIST"]).into_bytes()),
            2 if self.rng.one_in(3) => args.push(self.option(&["KEEPTTL", "NX", "FOO"]).into_bytes()),
            _ => args.extend(self.expiry_option(&key, true)),
        }
        args
    }

    fn many(&mut self, name: &str, values: bool) -> Args {
        let mut args = args![name];
        for _ in 0..=self.rng.below(4) {
            args.push(self.key());
            if values {
                args.push(self.value());
            }
        }
        args
    }

    fn lcs(&mut self) -> Args {
        let mut args = args!["LCS", self.key(), self.key()];
        for _ in 0..self.rng.below(4) {
            match self.rng.below(4) {
                0 => args.push(self.option(&["LEN"]).into_bytes()),
                1 => args.push(self.option(&["IDX"]).into_bytes()),
                2 => args.push(self.option(&["WITHMATCHLEN"]).into_bytes()),
                _ => args.extend(args!["MINMATCHLEN", self.index()]),
            }
        }
        args
    }
}
