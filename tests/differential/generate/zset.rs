//! Commands on sorted sets and positions, and SORT.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    fn zset_key(&mut self) -> Vec<u8> {
        if self.rng.one_in(20) {
            return self.container_key();
        }
        format!("z{}", self.rng.below(4)).into_bytes()
    }

    /// A key whose members all have the same score, as commands by name want it; no other command changes it.
    fn names_key(&mut self) -> Vec<u8> {
        format!("x{}", self.rng.below(2)).into_bytes()
    }

    pub fn positions_key(&mut self) -> Vec<u8> {
        format!("g{}", self.rng.below(2)).into_bytes()
    }

    fn member(&mut self) -> Vec<u8> {
        match self.rng.below(16) {
            0 => self.value(),
            1 => format!("{:0>70}", self.rng.below(4)).into_bytes(),
            2..5 => (self.rng.below(20) as i64 - 6).to_string().into_bytes(),
            _ => format!("m{}", self.rng.below(16)).into_bytes(),
        }
    }

    /// A member that Redis sorts by all of its bytes (D19).
    fn text(&mut self) -> Vec<u8> {
        let member = self.member();
        if member.contains(&0) { b"m".to_vec() } else { member }
    }

    fn score(&mut self) -> String {
        match self.rng.below(16) {
            0 => self.float(),
            1 => self.integer(),
            2 => (*self
                .rng
                .pick(&["inf", "-inf", "+inf", "-0", "1e300", "0.1", "3.3333333333333335"]))
            .to_string(),
            3..6 => format!("{}.5", self.rng.below(10)),
            _ => (self.rng.below(12) as i64 - 4).to_string(),
        }
    }

    fn score_bound(&mut self) -> String {
        let open = if self.rng.one_in(3) { "(" } else { "" };
        format!("{open}{}", self.score())
    }

    fn name_bound(&mut self) -> Vec<u8> {
        let bracket = *self.rng.pick(b"[[((+-");
        if matches!(bracket, b'+' | b'-') {
            return vec![bracket];
        }
        [vec![bracket], self.member()].concat()
    }

    fn rank(&mut self) -> String {
        (self.rng.below(16) as i64 - 8).to_string()
    }

    fn limit(&mut self, args: &mut Args) {
        if self.rng.one_in(3) {
            let (offset, count) = (self.rank(), self.rank());
            args.extend(args!["LIMIT", offset, count]);
        }
    }

    pub fn maybe(&mut self, args: &mut Args, words: &[&str]) {
        for word in words {
            if self.rng.one_in(4) {
                args.extend(args![*word]);
            }
        }
    }

    /// Any command of the sorted set family whose outcome is not left to chance, but for what would wait.
    pub fn zset_command(&mut self) -> Args {
        let key = self.zset_key();
        match self.rng.below(40) {
            0..8 => self.zadd(key),
            8 | 9 => args!["ZINCRBY", key, self.score(), self.member()],
            10..12 => {
                let mut args = args!["ZREM", key];
                args.extend((0..=self.rng.below(4)).map(|_| self.member()));
                args
            }
            12 => args!["ZCARD", key],
            13 => args!["ZSCORE", key, self.member()],
            14 => args!["ZMSCORE", key, self.member(), self.member()],
            15 | 16 => args![self.option(&["ZRANK", "ZREVRANK"]), key, self.member()],
            17 => args!["ZCOUNT", key, self.score_bound(), self.score_bound()],
            18..22 => self.zrange(key),
            22 => {
                let mut args = args![self.option(&["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), key];
                args.extend(args![self.score_bound(), self.score_bound()]);
                self.maybe(&mut args, &["WITHSCORES"]);
                self.limit(&mut args);
                args
            }
            23 => {
                let mut args = args!["ZREVRANGE", key, self.rank(), self.rank()];
                self.maybe(&mut args, &["WITHSCORES"]);
                args
            }
            24 => args!["ZREMRANGEBYRANK", key, self.rank(), self.rank()],
            25 => args!["ZREMRANGEBYSCORE", key, self.score_bound(), self.score_bound()],
            26 | 27 => {
                let mut args = args![self.option(&["ZPOPMIN", "ZPOPMAX"]), key];
                if self.rng.one_in(2) {
                    args.push(self.rank().into_bytes());
                }
                args
            }
            28 => {
                let end = self.option(&["MIN", "MAX", "MID"]);
                args!["ZMPOP", "2", key, self.zset_key(), end, "COUNT", self.rank()]
            }
            29..35 => self.zset_operation(key),
            35 | 36 => {
                let mut args = args!["ZRANGESTORE", key, self.zset_key(), self.rank(), self.rank()];
                self.maybe(&mut args, &["REV"]);
                args
            }
            37 => args!["ZSCAN", key, "0", "COUNT", "100000"],
            38 => args!["ZRANDMEMBER", key, self.small_count()],
            _ => self.names_command(),
        }
    }

    fn zadd(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["ZADD", key];
        self.maybe(&mut args, &["NX"]);
        if self.rng.one_in(3) {
            self.maybe(&mut args, &["XX", "GT", "LT", "CH", "INCR"]);
        }
        let many = self.rng.one_in(40);
        let count = if many { 150 } else { 1 + self.rng.below(4) };
        for at in 0..count {
            let member = if many {
                format!("many{at}").into_bytes()
            } else {
                self.member()
            };
            args.push(self.score().into_bytes());
            args.push(member);
        }
        args
    }

    fn zrange(&mut self, key: Vec<u8>) -> Args {
        let mut args = if self.rng.one_in(2) {
            args!["ZRANGE", key, self.rank(), self.rank()]
        } else {
            args!["ZRANGE", key, self.score_bound(), self.score_bound(), "BYSCORE"]
        };
        self.maybe(&mut args, &["REV", "WITHSCORES"]);
        self.limit(&mut args);
        args
    }

    fn zset_operation(&mut self, key: Vec<u8>) -> Args {
        let stores = self.rng.one_in(2);
        let names = if stores {
            ["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZUNIONSTORE"]
        } else {
            ["ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD"]
        };
        let mut args = args![self.option(&names)];
        if stores {
            args.push(key);
        }
        let count = 1 + self.rng.below(3);
        args.push(count.to_string().into_bytes());
        for _ in 0..count {
            let source = if self.rng.one_in(5) {
                format!("s{}", self.rng.below(4)).into_bytes()
            } else {
                self.zset_key()
            };
            args.push(source);
        }
        if self.rng.one_in(3) {
            args.extend(args!["WEIGHTS"]);
            args.extend((0..count).map(|_| self.score().into_bytes()));
        }
        if self.rng.one_in(3) {
            args.extend(args!["AGGREGATE", self.option(&["SUM", "MIN", "MAX"])]);
        }
        if !stores {
            self.maybe(&mut args, &["WITHSCORES"]);
        }
        args
    }

    fn names_command(&mut self) -> Args {
        let key = self.names_key();
        let (min, max) = (self.name_bound(), self.name_bound());
        let mut args = match self.rng.below(8) {
            0..3 => return args!["ZADD", key, "0", self.member(), "0", self.member()],
            3 => return args!["ZLEXCOUNT", key, min, max],
            4 => return args!["ZREMRANGEBYLEX", key, min, max],
            5 => args!["ZRANGEBYLEX", key, min, max],
            6 => args!["ZREVRANGEBYLEX", key, min, max],
            _ => args!["ZRANGE", key, min, max, "BYLEX", "REV"],
        };
        self.limit(&mut args);
        args
    }

    pub fn longitude(&mut self) -> String {
        match self.rng.below(12) {
            0 => (*self.rng.pick(&["180", "-180", "0", "181", "x"])).to_string(),
            1..7 => format!("13.{:05}", self.rng.below(100_000)),
            _ => format!("{}.{:04}", self.rng.below(360) as i64 - 180, self.rng.below(10_000)),
        }
    }

    pub fn latitude(&mut self) -> String {
        match self.rng.below(12) {
            0 => (*self.rng.pick(&["85.05112878", "-85.05112878", "0", "86", "x"])).to_string(),
            1..7 => format!("52.{:05}", self.rng.below(100_000)),
            _ => format!("{}.{:04}", self.rng.below(170) as i64 - 85, self.rng.below(10_000)),
        }
    }

    fn distance(&mut self) -> String {
        let digits = self.rng.below(8) as u32;
        let size = 10_usize.pow(digits);
        (size + self.rng.below(size)).to_string()
    }

    fn unit(&mut self) -> String {
        self.option(&["m", "km", "ft", "mi", "m", "km"])
    }

    /// Any command of the geo family.
    pub fn geo_command(&mut self) -> Args {
        let key = self.positions_key();
        match self.rng.below(16) {
            0..5 => {
                let mut args = args!["GEOADD", key];
                for at in 0..1 + self.rng.below(8) {
                    let member = format!("p{}", self.rng.below(40) + at);
                    args.extend(args![self.longitude(), self.latitude(), member]);
                }
                args
            }
            5 => args!["GEOPOS", key, format!("p{}", self.rng.below(40))],
            6 => args!["GEOHASH", key, format!("p{}", self.rng.below(40)), "p1"],
            7 => args!["GEODIST", key, "p1", format!("p{}", self.rng.below(40)), self.unit()],
            8..12 => {
                let mut args = args!["GEOSEARCH", key];
                self.search_area(&mut args);
                self.maybe(&mut args, &["ASC", "DESC", "WITHDIST", "WITHHASH", "WITHCOORD"]);
                args
            }
            12 => {
                let mut args = args!["GEOSEARCHSTORE", "g9", key];
                self.search_area(&mut args);
                self.maybe(&mut args, &["STOREDIST"]);
                args
            }
            13 => args!["ZRANGE", "g9", "0", "-1", "WITHSCORES"],
            14 => {
                let mut args = args![
                    "GEORADIUS",
                    key,
                    self.longitude(),
                    self.latitude(),
                    self.distance(),
                    self.unit()
                ];
                self.maybe(&mut args, &["ASC", "WITHDIST", "DESC"]);
                args
            }
            _ => {
                let member = format!("p{}", self.rng.below(40));
                args![
                    "GEORADIUSBYMEMBER_RO",
                    key,
                    member,
                    self.distance(),
                    self.unit(),
                    "WITHDIST"
                ]
            }
        }
    }

    fn search_area(&mut self, args: &mut Args) {
        if self.rng.one_in(3) {
            args.extend(args!["FROMMEMBER", format!("p{}", self.rng.below(40))]);
        } else {
            args.extend(args!["FROMLONLAT", self.longitude(), self.latitude()]);
        }
        if self.rng.one_in(2) {
            args.extend(args!["BYRADIUS", self.distance(), self.unit()]);
        } else {
            args.extend(args!["BYBOX", self.distance(), self.distance(), self.unit()]);
        }
        if self.rng.one_in(5) {
            args.extend(args!["COUNT", (1 + self.rng.below(5)).to_string()]);
            self.maybe(args, &["ANY"]);
        }
    }

    /// SORT of keys of its own, where neither the order of equals nor that of sets shows. No numbers: they may fail in
    /// Redis because of one that failed long before, as it does not clear errno.
    pub fn sort_command(&mut self) -> Args {
        // Lists are 0 and 1, sets 2 and 3.
        let number = self.rng.below(4);
        let key = format!("q{number}");
        if self.rng.one_in(3) {
            let name = if number < 2 { "RPUSH" } else { "SADD" };
            return args![name, key, self.text(), self.text()];
        }
        let mut args = args![self.option(&["SORT", "SORT_RO"]), key, "ALPHA"];
        self.maybe(&mut args, &["DESC"]);
        for _ in 0..self.rng.below(3) {
            args.extend(args!["GET", self.option(&["k*", "#", "f*->e2", "nosuch"])]);
        }
        self.limit(&mut args);
        // What other keys hold may be texts that differ only behind a NUL, which Redis takes for equal (D19).
        let keeps_members = args
            .iter()
            .all(|arg| ![b"k*".as_slice(), b"f*->e2"].contains(&arg.to_ascii_lowercase().as_slice()));
        if keeps_members && self.rng.one_in(3) {
            args.extend(args!["STORE", format!("q{}", self.rng.below(2))]);
        }
        args
    }
}
