//! Generic key commands.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// Any command of the generic family.
    pub fn key_command(&mut self) -> Args {
        let key = match self.rng.below(12) {
            0 | 1 => self.log_key(),
            2..7 => self.container_key(),
            _ => self.key(),
        };
        match self.rng.below(36) {
            0..4 => self.keys(&["DEL", "UNLINK"]),
            4..7 => self.keys(&["EXISTS", "TOUCH"]),
            7..13 => self.expire(key),
            13 | 14 => args![self.option(&["TTL", "PTTL"]), key],
            15 | 16 => args![self.option(&["EXPIRETIME", "PEXPIRETIME"]), key],
            17 | 18 => args!["PERSIST", key],
            19 | 20 => args!["TYPE", key],
            21..24 => {
                let (from, to) = self.key_pair();
                args![self.option(&["RENAME", "RENAMENX"]), from, to]
            }
            24..28 => self.copy(),
            28..30 => args!["MOVE", key, self.database()],
            30..34 => args!["OBJECT", "ENCODING", key],
            34 => args!["OBJECT", self.option(&["REFCOUNT", "FREQ"]), key],
            _ => args!["OBJECT", "IDLETIME", key],
        }
    }

    fn keys(&mut self, names: &[&str]) -> Args {
        let mut args = args![self.option(names)];
        args.extend((0..=self.rng.below(3)).map(|_| self.key()));
        args
    }

    pub fn expire(&mut self, key: Vec<u8>) -> Args {
        let name = self.option(&["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]);
        let upper = name.to_uppercase();
        let unit = if upper.starts_with('P') { 1000 } else { 1 };
        let base = if upper.ends_with("AT") {
            self.now_ms / 1000 * unit
        } else {
            0
        };
        let time = match self.rng.below(20) {
            0 => "-1".to_string(),
            1 => "0".to_string(),
            2 => self
                .rng
                .pick(&[
                    "9223372036854775807",
                    "-9223372036854775808",
                    "9223372036854775",
                    "x",
                    "",
                ])
                .to_string(),
            _ => (base + self.seconds() * unit).to_string(),
        };
        let mut args = args![name, key, time];
        for _ in 0..self.rng.below(5).saturating_sub(2) {
            args.push(self.option(&["NX", "XX", "GT", "LT", "GT", "LT", "FOO"]).into_bytes());
        }
        args
    }

    fn copy(&mut self) -> Args {
        let (from, to) = self.key_pair();
        let mut args = args!["COPY", from, to];
        if self.rng.one_in(2) {
            args.extend(args![self.option(&["DB"]), self.database()]);
        }
        if self.rng.one_in(2) {
            args.push(self.option(&["REPLACE"]).into_bytes());
        }
        args
    }
}
