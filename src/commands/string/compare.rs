//! What a string is compared with before something is done to it, and what does that: DELEX, DELIFEQ; SET, too. DIGEST
//! gives what a long string can be compared by.
//!
//! **Invariant:** a digest is XXH3 of 64 bits over the whole string, as 16 hexadecimal digits.

use xxhash_rust::xxh3::Xxh3;

use crate::commands::spec::{Access, Group, KeySpec, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn, str_of};
use crate::page::StrRef;
use crate::resp::{Args, Reply};

const DIGEST_BYTES: usize = 16;

/// How a string is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// IFEQ
    Equals,
    /// IFNE
    Differs,
    /// IFDEQ
    HasDigest,
    /// IFDNE
    HasOtherDigest,
}

impl Test {
    /// The test that a word names.
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        let tests: [(&[u8], Self); 4] = [
            (b"IFEQ", Self::Equals),
            (b"IFNE", Self::Differs),
            (b"IFDEQ", Self::HasDigest),
            (b"IFDNE", Self::HasOtherDigest),
        ];
        let mut tests = tests.into_iter();
        tests
            .find(|(name, _)| word.eq_ignore_ascii_case(name))
            .map(|(_, test)| test)
    }

    /// What comes out where there is no string.
    pub(super) fn of_nothing(self) -> bool {
        matches!(self, Self::Differs | Self::HasOtherDigest)
    }

    /// What comes out for a string. O(length).
    ///
    /// # Errors
    /// When the operand is to be a digest and has not its length; nothing else is asked of it.
    pub(super) fn of(self, text: StrRef<'_>, operand: &[u8]) -> Result<bool, CmdError> {
        if matches!(self, Self::Equals | Self::Differs) {
            return Ok(is_same(text, operand) == (self == Self::Equals));
        }
        if operand.len() != DIGEST_BYTES {
            return Err(CmdError::text("ERR must be exactly 16 hexadecimal characters"));
        }
        let has_digest = digest(text).as_bytes().eq_ignore_ascii_case(operand);
        Ok(has_digest == (self == Self::HasDigest))
    }
}

fn is_same(text: StrRef<'_>, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut is_prefix = |piece: &[u8]| {
        let tail = rest.strip_prefix(piece);
        rest = tail.unwrap_or_default();
        tail.is_some()
    };
    text.len() == bytes.len() && text.pieces(0..text.len()).all(&mut is_prefix)
}

fn digest(text: StrRef<'_>) -> String {
    let mut hasher = Xxh3::new();
    text.pieces(0..text.len()).for_each(|piece| hasher.update(piece));
    format!("{:016x}", hasher.digest())
}

pub(super) const DIGEST: Spec = Spec {
    since: "8.4.0",
    flags: flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the XXH3 digest of the string at a key",
    complexity: "O(N) where N is the length of the string value.",
    syntax: "key",
    ..Spec::new("digest", Group::String, 2, Handler::Read(answer_digest))
};

fn answer_digest(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    match txn.get_str(args.at(1))? {
        Some(text) => reply.bulk(digest(text).as_bytes()),
        None => reply.null(),
    }
    Ok(())
}

pub(super) const DELEX: Spec = Spec {
    since: "8.4.0",
    flags: flag::FAST,
    acl: &["string"],
    keys: &[KeySpec {
        access_of: Some(key_access),
        ..first_key(&["RW", "delete", "variable_flags"])
    }],
    summary: "Deletes a key, if its string, or its digest, is or is not a given one",
    complexity: "O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string value.",
    syntax: "key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]",
    ..Spec::new("delex", Group::String, -2, Handler::Write(delex))
};

/// Whether it goes tells what it was compared with.
fn key_access(args: Args<'_>) -> Access {
    if args.len() > 2 {
        const { Access::of(&["RW", "access", "delete"]) }
    } else {
        const { Access::of(&["RM", "delete"]) }
    }
}

fn delex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let goes = match args.len() {
        2 => true,
        4 => is_as_asked(txn, args)?,
        _ => return Err(CmdError::Arity(DELEX.name.to_owned())),
    };
    reply.int(i64::from(goes && txn.remove(key)));
    Ok(())
}

/// Whether there is a key of which the condition holds. Where there is none nothing is said of the condition.
fn is_as_asked(txn: &mut Txn<'_, '_>, args: Args<'_>) -> Result<bool, CmdError> {
    let Some(entry) = txn.old(args.at(1)) else {
        return Ok(false);
    };
    let text =
        str_of(entry).map_err(|_| CmdError::text("ERR Key should be of string type if conditions are specified"))?;
    let test =
        Test::parse(args.at(2)).ok_or(CmdError::text("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?;
    test.of(text, args.at(3))
}

pub(super) const DELIFEQ: Spec = Spec {
    since: "9.0.0",
    flags: flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RM", "delete"])],
    summary: "Deletes a key if its string is a given one",
    syntax: "key value",
    ..Spec::new("delifeq", Group::String, 3, Handler::Write(delifeq))
};

fn delifeq(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let goes = match txn.old_str(key)? {
        Some(text) => Test::Equals.of(text, args.at(2))?,
        None => false,
    };
    reply.int(i64::from(goes && txn.remove(key)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Harness;

    fn check(server: &mut Harness, dialogue: &[(&str, &str)]) {
        for (line, reply) in dialogue {
            assert_eq!(server.say(line), *reply, "{line}");
        }
    }

    const BAD_DIGEST: &str = "-ERR must be exactly 16 hexadecimal characters";
    const HELLO: &str = "9555e8555c62dcfd";

    #[test]
    fn digests() {
        let mut server = Harness::new();
        for (value, digest) in [
            ("hello", HELLO),
            ("123", "404a763b3f4c8c9a"),
            ("v8", "0cc76dbb41381419"),
            (
                "v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd",
                "00006c38adf31777",
            ),
        ] {
            server.say(&format!("SET k {value}"));
            assert_eq!(server.say("DIGEST k"), format!("$16 {digest}"), "{value}");
        }
        server.run(&[b"SET", b"k", b""]);
        assert_eq!(server.say("DIGEST k"), "$16 2d06800538d394c2");
        server.say("RPUSH l a");
        assert_eq!(server.say("DIGEST nosuch"), "$-1");
        assert!(server.say("DIGEST l").starts_with("-WRONGTYPE"));
    }

    #[test]
    fn a_string_in_chunks_is_compared_like_one_in_one_piece() {
        let mut server = Harness::new();
        let long = "long".repeat(100_000);
        server.say(&format!("SET whole {long}"));
        server.say(&format!("SET parts {long}"));
        server.say("SETRANGE parts 200000 long");
        let digest = server.say("DIGEST whole");
        assert_eq!(server.say("DIGEST parts"), digest);
        let other = format!("{}x", &long[1..]);
        assert_eq!(server.say(&format!("DELEX parts IFEQ {other}")), ":0");
        assert_eq!(server.say(&format!("DELEX parts IFEQ {long}l")), ":0");
        assert_eq!(server.say(&format!("DELEX parts IFNE {long}")), ":0");
        assert_eq!(server.say(&format!("DELEX parts IFEQ {long}")), ":1");
        assert_eq!(server.say(&format!("DELIFEQ whole {long}")), ":1");
    }

    #[test]
    fn what_is_deleted_on_conditions() {
        let mut server = Harness::new();
        server.say("RPUSH l a");
        server.say("SET k hello");
        check(
            &mut server,
            &[
                ("DELEX nosuch", ":0"),
                ("DELEX nosuch IFEQ x", ":0"),
                ("DELEX nosuch IFDEQ short", ":0"),
                ("DELEX nosuch FOO x", ":0"),
                ("DELEX k IFEQ other", ":0"),
                ("DELEX k IFNE hello", ":0"),
                ("DELEX k IFDEQ 0000000000000000", ":0"),
                ("DELEX k IFDNE 9555E8555C62DCFD", ":0"),
                ("DELEX k IFDEQ short", BAD_DIGEST),
                ("DELEX k IFDNE 09555e8555c62dcfd", BAD_DIGEST),
                ("DELEX k IFDEQ zzzzzzzzzzzzzzzz", ":0"),
                (
                    "DELEX k FOO hello",
                    "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE",
                ),
                ("DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command"),
                ("DELEX k IFEQ a b", "-ERR wrong number of arguments for 'delex' command"),
                (
                    "DELEX l IFEQ a",
                    "-ERR Key should be of string type if conditions are specified",
                ),
                ("EXISTS k l", ":2"),
                ("DELEX k ifdeq 9555e8555c62dcfd", ":1"),
                ("DELEX l", ":1"),
                ("EXISTS k l", ":0"),
            ],
        );
    }

    #[test]
    fn what_is_set_on_conditions() {
        let mut server = Harness::new();
        server.say("RPUSH l a");
        check(
            &mut server,
            &[
                ("SET k v IFEQ x", "$-1"),
                ("SET k v IFDEQ short", "$-1"),
                ("EXISTS k", ":0"),
                ("SET k hello IFNE x", "+OK"),
                ("SET k v IFNE hello", "$-1"),
                ("SET k v IFEQ other GET", "$5 hello"),
                ("SET k v IFDEQ short", BAD_DIGEST),
                ("SET k v IFDNE 9555e8555c62dcfd GET", "$5 hello"),
                ("SET k v IFDEQ 9555E8555C62DCFD EX 10", "+OK"),
                ("TTL k", ":10"),
                ("SET k w IFEQ v KEEPTTL GET", "$1 v"),
                ("TTL k", ":10"),
                ("SET k v IFEQ x IFEQ w", "+OK"),
                ("TTL k", ":-1"),
                ("SET fresh v IFDNE short GET", "$-1"),
                ("GET fresh", "$1 v"),
                ("SET k v IFEQ v IFNE v", "-ERR syntax error"),
                ("SET k v NX IFEQ v", "-ERR syntax error"),
                ("SET k v IFEQ v XX", "-ERR syntax error"),
                ("SET k v IFEQ", "-ERR syntax error"),
                ("GETEX k IFEQ v", "-ERR syntax error"),
            ],
        );
        assert!(server.say("SET l v IFNE a").starts_with("-WRONGTYPE"));
        assert!(server.say("DELIFEQ l a").starts_with("-WRONGTYPE"));
        assert_eq!(server.say("DELIFEQ k x"), ":0");
        assert_eq!(server.say("DELIFEQ k v"), ":1");
        assert_eq!(server.say("DELIFEQ k v"), ":0");
    }

    #[test]
    fn a_condition_asks_for_more_rights() {
        use crate::commands::table::table;
        use crate::resp::OwnedRequest;
        let access = |line: &str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let request = OwnedRequest::from_slices(&words);
            let spec = table().lookup(words[0]).unwrap().spec;
            let uses = spec.key_uses(request.args()).unwrap();
            uses[0].access.names().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(access("SET k v EX 10"), "OW update");
        assert_eq!(access("SET k v IFEQ w"), "RW access update");
        assert_eq!(access("DELEX k"), "RM delete");
        assert_eq!(access("DELEX k IFEQ w"), "RW access delete");
    }
}
