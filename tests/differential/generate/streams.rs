//! Stream commands. Ids are given, so that both servers have the same; what tells of idle times is left out.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// Any command of the stream family.
    pub fn stream_command(&mut self) -> Args {
        let key = self.stream_key();
        match self.rng.below(36) {
            0..10 => self.xadd(key),
            10 => args!["XLEN", key],
            11 | 12 => self.xrange(key),
            13 | 14 => args!["XDEL", key, self.id(), self.id()],
            15 | 16 => {
                let mut args = args!["XTRIM", key];
                args.extend(self.trim());
                args
            }
            // Above what XDEL takes: below that, Redis 7.0 lets last ids go back.
            17 => args!["XSETID", key, format!("399-{}", 2 + self.rng.below(3))],
            18 | 19 => args![
                "XGROUP",
                "CREATE",
                key,
                self.group(),
                self.option(&["$", "0", "5-1"]),
                "MKSTREAM"
            ],
            20 => args![
                "XGROUP",
                "SETID",
                key,
                self.group(),
                self.option(&["$", "0", "7", "20-2"])
            ],
            21 if self.rng.one_in(3) => args!["XGROUP", "DESTROY", key, self.group()],
            21 => args!["XGROUP", "CREATECONSUMER", key, self.group(), self.consumer()],
            22 => args!["XGROUP", "DELCONSUMER", key, self.group(), self.consumer()],
            23..27 => self.xreadgroup(key),
            27 => args![
                "XREAD",
                "COUNT",
                self.few(),
                "STREAMS",
                key,
                self.id().replace('+', "$")
            ],
            28 | 29 => args!["XACK", key, self.group(), self.id(), self.id()],
            30 => args!["XPENDING", key, self.group()],
            31 => self.xclaim(key),
            32 => self.xautoclaim(key),
            33 => args!["XINFO", "GROUPS", key],
            34 => args!["XINFO", "STREAM", key],
            _ => args!["XREVRANGE", key, "+", "-", "COUNT", self.few()],
        }
    }

    /// Mostly keys of streams, so that commands meet.
    pub fn stream_key(&mut self) -> Vec<u8> {
        if self.rng.one_in(12) {
            return self.key();
        }
        format!("stream{}", self.rng.below(3)).into_bytes()
    }

    pub fn id(&mut self) -> String {
        match self.rng.below(20) {
            0 => self.option(&["x", "-", "+", "0", "18446744073709551615-18446744073709551615"]),
            1..8 => self.rng.below(400).to_string(),
            _ => format!("{}-{}", self.rng.below(400), self.rng.below(3)),
        }
    }

    pub fn group(&mut self) -> String {
        format!("g{}", self.rng.below(2))
    }

    pub fn consumer(&mut self) -> String {
        format!("c{}", self.rng.below(3))
    }

    pub fn few(&mut self) -> String {
        self.rng.below(9).to_string()
    }

    fn xadd(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["XADD", key];
        if self.rng.one_in(8) {
            args.push(b"NOMKSTREAM".to_vec());
        }
        if self.rng.one_in(8) {
            args.extend(self.trim());
        }
        // Ids move on slowly, so that many are too small.
        let id = match self.rng.below(3) {
            0 => format!("{}-*", self.rng.below(400)),
            1 => format!("{}-{}", self.rng.below(400), self.rng.below(3)),
            _ => "399-*".to_owned(),
        };
        args.push(id.into_bytes());
        for _ in 0..=self.rng.below(2) {
            let field = self.option(&["a", "b", "7"]);
            args.extend(args![field, self.few()]);
        }
        if self.rng.one_in(10) {
            let value = vec![b'v'; self.rng.below(900)];
            args.extend(args!["long", value]);
        }
        args
    }

    fn trim(&mut self) -> Args {
        let mut args = match self.rng.below(2) {
            0 => args!["MAXLEN", self.option(&["=", "~"]), self.rng.below(200).to_string()],
            _ => args!["MINID", self.option(&["=", "~"]), self.id()],
        };
        if self.rng.one_in(4) {
            args.extend(args!["LIMIT", self.rng.below(150).to_string()]);
        }
        args
    }

    fn xrange(&mut self, key: Vec<u8>) -> Args {
        let open = self.option(&["", "("]);
        let mut args = args!["XRANGE", key, format!("{open}{}", self.id()), self.id()];
        if self.rng.one_in(2) {
            args.extend(args!["COUNT", self.few()]);
        }
        args
    }

    fn xreadgroup(&mut self, key: Vec<u8>) -> Args {
        let mut args = args![
            "XREADGROUP",
            "GROUP",
            self.group(),
            self.consumer(),
            "COUNT",
            self.few()
        ];
        if self.rng.one_in(5) {
            args.push(b"NOACK".to_vec());
        }
        let id = if self.rng.one_in(4) {
            self.id().replace('+', "$")
        } else {
            ">".to_owned()
        };
        args.extend(args!["STREAMS", key, id]);
        args
    }

    fn xclaim(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["XCLAIM", key, self.group(), self.consumer(), "0", self.id(), self.id()];
        if self.rng.one_in(3) {
            args.extend(args!["RETRYCOUNT", self.few()]);
        }
        args.push(self.option(&["FORCE", "JUSTID", "force"]).into_bytes());
        args
    }

    fn xautoclaim(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["XAUTOCLAIM", key, self.group(), self.consumer(), "0", self.id()];
        if self.rng.one_in(2) {
            args.extend(args!["COUNT", self.few()]);
        }
        if self.rng.one_in(2) {
            args.push(b"JUSTID".to_vec());
        }
        args
    }
}
