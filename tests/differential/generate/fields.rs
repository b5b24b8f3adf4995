//! Commands on hashes whose fields may have times to live, as Redis 8.2 has them.
//!
//! Times are far away or past, so that no field dies by itself: when it would be counted no more is chance in Redis.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// Any of them.
    pub fn field_command(&mut self) -> Args {
        let key = self.key_of('f');
        match self.rng.below(14) {
            0..4 => {
                let mut args = args![self.option(&["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"]), key];
                let time = self.field_time(&args[0].to_ascii_uppercase());
                args.push(time.into_bytes());
                if self.rng.one_in(3) {
                    args.push(self.option(&["NX", "XX", "GT", "LT", "FOO"]).into_bytes());
                }
                self.named(args, false)
            }
            4 | 5 => {
                let name = self.option(&["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME"]);
                self.named(args![name, key], false)
            }
            6 => self.named(args!["HPERSIST", key], false),
            7 | 8 => self.named(args!["HGETDEL", key], false),
            9 | 10 => {
                let mut args = args!["HGETEX", key];
                match self.rng.below(4) {
                    0 => {}
                    1 => args.push(self.option(&["PERSIST", "KEEPTTL"]).into_bytes()),
                    _ => args.extend(self.field_expiry()),
                }
                self.named(args, false)
            }
            11..13 => {
                let mut args = args!["HSETEX", key];
                if self.rng.one_in(3) {
                    args.push(self.option(&["FNX", "FXX", "FNX", "FXX", "PERSIST"]).into_bytes());
                }
                match self.rng.below(4) {
                    0 => {}
                    1 => args.push(self.option(&["KEEPTTL"]).into_bytes()),
                    _ => args.extend(self.field_expiry()),
                }
                if self.rng.one_in(6) {
                    args.push(self.option(&["FNX", "FXX"]).into_bytes());
                }
                self.named(args, true)
            }
            _ => args!["HSCAN", key, "0", "COUNT", "100000", self.option(&["NOVALUES"])],
        }
    }

    /// `FIELDS n` and the fields, perhaps with values.
    fn named(&mut self, mut args: Args, has_values: bool) -> Args {
        let count = 1 + self.rng.below(3);
        let told = match self.rng.below(30) {
            0 => (*self.rng.pick(&["0", "-1", "2", "9", "x"])).to_string(),
            _ => count.to_string(),
        };
        args.extend(args![self.option(&["FIELDS"]), told]);
        for _ in 0..count {
            let field = match self.rng.below(3) {
                0 => format!("f{}", self.rng.below(150)).into_bytes(),
                _ => self.element(),
            };
            args.push(field);
            if has_values {
                args.push(self.value());
            }
        }
        args
    }

    /// The time that a command of this name takes.
    fn field_time(&mut self, name: &[u8]) -> String {
        let unit = if name.starts_with(b"HP") { 1000 } else { 1 };
        let base = if name.ends_with(b"AT") {
            self.now_ms / 1000 * unit
        } else {
            0
        };
        match self.rng.below(16) {
            0 => (*self
                .rng
                .pick(&["0", "-1", "x", "9223372036854775807", "70368744177664"]))
            .to_string(),
            1 if base > 0 => "1".to_string(),
            _ => (base + self.seconds() * unit).to_string(),
        }
    }

    fn field_expiry(&mut self) -> Args {
        let option = self.option(&["EX", "PX", "EXAT", "PXAT"]);
        let seconds = self.seconds();
        let time = match (self.rng.below(20), option.to_uppercase().as_str()) {
            (0, _) => (*self.rng.pick(&["0", "-1", "x", "9223372036854775807"])).to_string(),
            (1, "EXAT" | "PXAT") => "1".to_string(),
            (_, "EX") => seconds.to_string(),
            (_, "PX") => (seconds * 1000 + 7).to_string(),
            (_, "EXAT") => (self.now_ms / 1000 + seconds).to_string(),
            _ => (self.now_ms + seconds * 1000).to_string(),
        };
        args![option, time]
    }
}
