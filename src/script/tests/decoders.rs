//! Bytes of all kinds for the decoders: each call ends, by a value or an error, and what was decoded can be encoded.

use super::helper::{TestHost, run_in, vm};
use crate::resp::Proto;

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    /// Pieces of `parts`, some bytes of which are others.
    fn text(&mut self, parts: &[&[u8]]) -> Vec<u8> {
        let mut text: Vec<u8> = (0..self.below(12))
            .flat_map(|_| parts[self.below(parts.len())].to_vec())
            .collect();
        for _ in 0..self.below(3) {
            let at = self.below(text.len().max(1));
            if let Some(byte) = text.get_mut(at) {
                *byte = u8::try_from(self.below(256)).unwrap();
            }
        }
        text
    }
}

fn quoted(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:03}")).collect();
    format!("'{escaped}'")
}

fn try_all(script: impl Fn(&mut Chance) -> String) {
    let (mut vm, mut host, mut chance) = (vm(), TestHost::default(), Chance(1));
    for _ in 0..2_000 {
        let script = script(&mut chance);
        assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, &script), ":1\r\n", "{script}");
        vm.forget_all();
    }
}

#[test]
fn json_of_all_kinds_is_decoded_or_refused() {
    let parts: [&[u8]; 16] = [
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b"\"a\"",
        b"\"\\u00e9\\ud83d\\ude00\"",
        b"1",
        b"-0x1p",
        b"1e",
        b"nan",
        b"-inf",
        b"true",
        b"null",
        b"\"\\",
    ];
    try_all(|chance| {
        let json = quoted(&chance.text(&parts));
        format!("local ok, v = pcall(cjson.decode, {json}) if ok then pcall(cjson.encode, v) end return 1")
    });
}

#[test]
fn message_pack_of_all_kinds_is_unpacked_or_refused() {
    let parts: [&[u8]; 14] = [
        b"\x91",
        b"\x82",
        b"\xdc\0\x02",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\0\0\0\x01",
        b"\xa1x",
        b"\xd9\xff",
        b"\xc0",
        b"\xc3",
        b"\xcb",
        b"\xca\0\0\0\0",
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x05",
        b"\xe0",
    ];
    try_all(|chance| {
        let packed = quoted(&chance.text(&parts));
        let offset = chance.below(6);
        format!(
            "local p = {packed} local ok, v = pcall(cmsgpack.unpack, p) if ok then cmsgpack.pack(v) end
            pcall(cmsgpack.unpack_one, p, {offset}) pcall(cmsgpack.unpack_limit, p, {offset}, {offset}) return 1"
        )
    });
}

#[test]
fn formats_of_all_kinds_are_obeyed_or_refused() {
    let parts: [&[u8]; 18] = [
        b"b", b"B", b"h", b"l", b"T", b"i3", b"I32", b"i33", b"f", b"d", b"s", b"c0", b"c5", b"x", b"!16", b"!3", b">",
        b"<",
    ];
    try_all(|chance| {
        let (format, data) = (quoted(&chance.text(&parts)), quoted(&chance.text(&parts)));
        let from = chance.below(9);
        format!(
            "local f, d = {format}, {data} pcall(struct.unpack, f, d, {from}) pcall(struct.unpack, f, d, -{from})
            pcall(struct.pack, f, 1, d, -1, 1e300, 0/0, d) pcall(struct.size, f) return 1"
        )
    });
}

#[test]
fn more_values_than_there_is_room_for_are_refused() {
    let refused = |call: &str| {
        let said = run_in(
            &mut vm(),
            &mut TestHost::default(),
            Proto::Resp2,
            &format!("return select(2, pcall({call}))"),
        );
        assert!(said.contains("stack overflow"), "{call}: {said}");
    };
    refused("struct.unpack, ('b'):rep(10000), ('x'):rep(10000)");
    refused("struct.unpack, ('bx'):rep(10000), ('x'):rep(20000)");
    refused("struct.unpack, ('Bc0'):rep(10000), ('\\1x'):rep(20000)");
    refused("cmsgpack.unpack, ('\\1'):rep(10000)");
    refused("cmsgpack.unpack, ('\\145\\1'):rep(10000)");
    let packs = |count: usize| {
        let script = format!("return select(2, pcall(cmsgpack.pack, unpack({{}}, 1, {count})))");
        run_in(&mut vm(), &mut TestHost::default(), Proto::Resp2, &script)
    };
    assert!(packs(3_000).starts_with("$3000\r\n"));
    assert_eq!(
        packs(5_000),
        "$65\r\nbad argument #0 to '?' (Too many arguments for MessagePack pack.)\r\n"
    );
}
