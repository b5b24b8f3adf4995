//! Commands on streams that Redis 7.0 does not have, amid those that lead to something for them to do.
//!
//! Left out is what Redis 8.2.3 does otherwise (D54): groups are not destroyed, and no trim that minds references is
//! approximate.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// Any of them.
    pub fn stream_command_of_today(&mut self) -> Args {
        let key = self.stream_key();
        let mut args = match self.rng.below(50) {
            0..15 => self.xadd_minding(key),
            15..25 => args![
                "XREADGROUP",
                "GROUP",
                self.group(),
                self.consumer(),
                "COUNT",
                self.few(),
                "STREAMS",
                key,
                ">"
            ],
            25..28 => args!["XACK", key, self.group(), self.id(), self.id()],
            28..33 => {
                let mut args = args!["XDELEX", key];
                args.extend(self.policy());
                args.extend(self.ids());
                args
            }
            33..38 => {
                let mut args = args!["XACKDEL", key, self.group()];
                args.extend(self.policy());
                args.extend(self.ids());
                args
            }
            38 | 39 => {
                let mut args = args!["XTRIM", key];
                args.extend(self.exact_trim());
                args
            }
            40 => args!["XDEL", key, self.id()],
            41 if self.rng.one_in(2) => {
                let (other, last) = (self.stream_key(), self.option(&["+", "$", "0"]));
                args!["XREAD", "COUNT", self.few(), "STREAMS", key, other, "+", last]
            }
            41 => args!["XRANGE", key, "-", "+"],
            42 => args!["XGROUP", "SETID", key, self.group(), self.option(&["$", "0", "200"])],
            43 => args!["XGROUP", "DELCONSUMER", key, self.group(), self.consumer()],
            44 => args!["XCLAIM", key, self.group(), self.consumer(), "0", self.id(), "FORCE"],
            45 => args!["XPENDING", key, self.group()],
            46 if self.rng.one_in(8) => args!["DEL", key],
            _ => args![
                "XGROUP",
                "CREATE",
                key,
                self.group(),
                self.option(&["$", "0", "100"]),
                "MKSTREAM"
            ],
        };
        if self.rng.one_in(60) {
            let at = 1 + self.rng.below(args.len());
            args.truncate(at);
        }
        args
    }

    fn policy(&mut self) -> Option<Vec<u8>> {
        let policy = self.option(&["KEEPREF", "DELREF", "ACKED", "acked", ""]);
        (!policy.is_empty()).then(|| policy.into_bytes())
    }

    fn ids(&mut self) -> Args {
        let count = 1 + self.rng.below(4);
        let told = if self.rng.one_in(30) { self.rng.below(6) } else { count };
        let mut args = args!["IDS", told.to_string()];
        args.extend((0..count).map(|_| self.id().into_bytes()));
        args
    }

    fn exact_trim(&mut self) -> Args {
        let mut args = match self.rng.below(2) {
            0 => args!["MAXLEN", self.rng.below(120).to_string()],
            _ => args!["MINID", "=", self.id()],
        };
        let at = if self.rng.one_in(2) { 0 } else { args.len() };
        if let Some(policy) = self.policy() {
            args.insert(at, policy);
        }
        args
    }

    fn xadd_minding(&mut self, key: Vec<u8>) -> Args {
        let mut args = args!["XADD", key];
        if self.rng.one_in(12) {
            args.extend(self.exact_trim());
        }
        let id = match self.rng.below(4) {
            0 => format!("{}-{}", self.rng.below(400), self.rng.below(3)),
            _ => format!("{}-*", self.rng.below(400)),
        };
        args.extend(args![id, "f", self.few()]);
        args
    }
}
