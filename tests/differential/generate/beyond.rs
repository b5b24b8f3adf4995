//! What Valkey 9.1 has beyond Redis 8.2: conditions on values, many keys set at once, hashes that must be there,
//! searches within polygons, walks without scores; amid what makes something for them to work on.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// Any of them.
    pub fn command_beyond(&mut self) -> Args {
        let key = self.key();
        match self.rng.below(30) {
            0..6 => {
                let mut args = args!["SET", key, self.few_values()];
                if self.rng.one_in(2) {
                    args.extend(args![self.option(&["IFEQ"]), self.few_values()]);
                }
                if self.rng.one_in(4) {
                    args.push(self.option(&["GET", "KEEPTTL", "NX", "XX"]).into_bytes());
                }
                if self.rng.one_in(4) {
                    args.extend(self.expiry_option(&key, true));
                }
                args
            }
            6..9 => args!["DELIFEQ", key, self.few_values()],
            9..12 => self.msetex(),
            12 | 13 => args!["GET", key],
            14 => args!["PTTL", key],
            15 => args!["MGET", key, self.key(), self.key()],
            16 => args!["RPUSH", self.key_of('l'), "a"],
            17..20 => {
                let mut args = args!["HSETEX", self.key_of('f')];
                if self.rng.one_in(2) {
                    args.push(self.option(&["NX", "XX"]).into_bytes());
                }
                if self.rng.one_in(3) {
                    args.push(self.option(&["FNX", "FXX"]).into_bytes());
                }
                if self.rng.one_in(3) {
                    args.extend(args!["EX", self.seconds().to_string()]);
                }
                args.extend(args!["FIELDS", "1", self.element(), self.value()]);
                args
            }
            20 => args!["HTTL", self.key_of('f'), "FIELDS", "1", self.element()],
            21 => args!["HDEL", self.key_of('f'), self.element(), self.element(), self.element()],
            22 => args!["DEL", self.key_of('f'), key],
            23 => args!["ZSCAN", self.positions_key(), "0", "NOSCORES", "COUNT", "1000"],
            24 => {
                let member = format!("p{}", self.rng.below(40));
                args![
                    "GEOADD",
                    self.positions_key(),
                    self.longitude(),
                    self.latitude(),
                    member
                ]
            }
            25 => self.expire(key),
            _ => self.polygon(),
        }
    }

    /// Few of them, so that conditions hold.
    fn few_values(&mut self) -> String {
        (*self.rng.pick(&["1", "2", "01", "", "value"])).to_string()
    }

    fn msetex(&mut self) -> Args {
        let count = 1 + self.rng.below(3);
        let mut args = args!["MSETEX", count.to_string()];
        for _ in 0..count {
            args.extend(args![self.key(), self.few_values()]);
        }
        if self.rng.one_in(3) {
            args.push(self.option(&["NX", "XX"]).into_bytes());
        }
        match self.rng.below(4) {
            0 => args.extend(args![self.option(&["EX", "PX"]), (self.seconds() * 1000).to_string()]),
            1 => args.push(self.option(&["KEEPTTL", "PERSIST"]).into_bytes()),
            _ => {}
        }
        args
    }

    fn polygon(&mut self) -> Args {
        let mut args = args!["GEOSEARCH", self.positions_key(), "BYPOLYGON"];
        let corners = 3 + self.rng.below(4);
        let told = if self.rng.one_in(30) { 2 } else { corners };
        args.push(told.to_string().into_bytes());
        for _ in 0..corners {
            // Near each other: Valkey may miss what is far from the middle (D53).
            let corner = [13, 52].map(|whole| format!("{whole}.{:05}", self.rng.below(100_000)));
            args.extend(corner.map(String::into_bytes));
        }
        args.push(self.option(&["ASC", "DESC"]).into_bytes());
        // Coordinates have other digits than in Redis 8.2 (D55).
        self.maybe(&mut args, &["WITHDIST", "WITHHASH"]);
        args
    }
}
