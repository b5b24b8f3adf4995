//! What advisories tell of, where it ends an unmended Redis or takes all of its memory: asked of LokiKV alone, which
//! has to refuse it or be unharmed, and to serve on.

use crate::args;
use crate::support::Server;

/// A script, and what its reply contains.
const TRIED: &[(&str, &str)] = &[
    // CVE-2015-4335: bytecode.
    ("return loadstring(string.dump(function() end))", "(nil)"),
    ("return tostring(loadstring('\\27Lua'))", "nil"),
    // CVE-2015-8080, CVE-2020-14147: sizes beyond 32 bits within formats.
    ("return struct.pack('>I2147483648', '10')", "integral size overflow"),
    (
        "return struct.unpack('>I4c0', '\\255\\255\\255\\255x')",
        "data string too short",
    ),
    // CVE-2018-11218: more values than Lua's stack has.
    (
        "local t = {} for i = 1, 3000 do t[i] = i end return #cmsgpack.pack(unpack(t))",
        "(integer)",
    ),
    ("return #{cmsgpack.unpack(('\\1'):rep(7000))}", "(integer) 7000"),
    ("return {pcall(cmsgpack.unpack, ('\\1'):rep(2000000))}", "[(nil)"),
    // CVE-2018-11219: places that wrap.
    ("return {struct.unpack('b', 'x', 2147483648)}", "(error)"),
    ("return {struct.unpack('c0', 'x', 4294967296)}", "(error)"),
    // CVE-2021-32626: what nests deeper than stacks do.
    (
        "local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
        "excessive nesting",
    ),
    (
        "return cjson.decode(('['):rep(100000))",
        "too many nested data structures",
    ),
    (
        "local t = {} for i = 1, 100000 do t = {t} end return #cmsgpack.pack(t)",
        "(integer)",
    ),
    ("return #tostring(cmsgpack.unpack(('\\145'):rep(100000)))", "(error)"),
    (
        "local t = {} for i = 1, 100000 do t = {t} end return t",
        "reached lua stack limit",
    ),
    (
        "local t = {} for i = 1, 5 do t[1] = t end return t",
        "reached lua stack limit",
    ),
    ("local function f() return f() + 1 end return f()", "stack overflow"),
    (
        "local s = ('('):rep(200000) return loadstring('return ' .. s)()",
        "(error)",
    ),
    ("return loadstring(('a='):rep(100000) .. '1')()", "(error)"),
    // CVE-2022-24735: what stays for the next script.
    (
        "getmetatable(_G).__index = function() return 'leaked' end return 1",
        "(error)",
    ),
    ("return nosuch", "nonexistent global variable 'nosuch'"),
    // CVE-2022-24736: what stops while it is compiled.
    ("return loadstring('local ' .. ('a,'):rep(300) .. 'a')()", "(error)"),
    ("return loadstring(('local a '):rep(300))()", "(error)"),
    ("return loadstring('return ' .. ('-'):rep(10))", "(nil)"),
    // CVE-2024-31449: a width that has no opposite.
    ("return bit.tohex(65535, -2147483648)", "0000FFFF"),
    ("return bit.tohex(65535, 2147483647)", "0000ffff"),
    // CVE-2024-46981: code that the collector runs.
    ("return newproxy(true)", "nonexistent global variable 'newproxy'"),
    (
        "for i = 1, 1000 do setmetatable({}, {__gc = function() redis.call('set', 'gc', 1) end}) end \
         collectgarbage() return redis.call('exists', 'gc')",
        "(integer) 0",
    ),
    (
        "local t = setmetatable({}, {__mode = 'kv'}) for i = 1, 100000 do t[{}] = {} end collectgarbage() return #t",
        "(integer) 0",
    ),
    // CVE-2025-46817: counts that wrap.
    ("return {unpack({}, 0, 2147483647)}", "too many results to unpack"),
    (
        "return {unpack({}, -2147483648, 2147483647)}",
        "too many results to unpack",
    ),
    ("return {unpack({1, 2}, 2147483647, 2147483647 + 1)}", "[]"),
    ("return select(-2147483648, 1)", "(error)"),
    ("return select('#', unpack({}, 2147483640, 2147483647))", "(integer) 8"),
    // CVE-2025-46818: metatables of basic types.
    (
        "getmetatable('').__index = function() return 'leaked' end return 1",
        "readonly table",
    ),
    (
        "getmetatable('').__concat = function() return 'leaked' end return 1",
        "readonly table",
    ),
    // CVE-2025-46819: long brackets that never end.
    ("return tostring(loadstring('--[' .. ('='):rep(1000000)))", "function"),
    ("return tostring(loadstring('return [' .. ('='):rep(1000000)))", "nil"),
    (
        "return tostring(loadstring('return [' .. ('='):rep(100000) .. '[x'))",
        "nil",
    ),
    // CVE-2025-49844: a chunk's name that the collector takes while the chunk is compiled.
    (
        "for i = 1, 200 do collectgarbage('step', 0) loadstring('local a = ' .. ('{'):rep(50), 'name' .. i) \
         collectgarbage() end return 'unharmed'",
        "unharmed",
    ),
    (
        "for i = 1, 50 do local n = 0 load(function() n = n + 1 collectgarbage() if n < 50 then return 'a' .. n .. '=1 ' \
         end end, ('name' .. i):rep(100)) end return 'unharmed'",
        "unharmed",
    ),
    // All of the memory.
    ("local s = 'x' while true do s = s .. s end", "not enough memory"),
    ("return #('x'):rep(2147483647)", "not enough memory"),
    (
        "return {pcall(function() local s = 'x' while true do s = s .. s end end)}",
        "not enough memory",
    ),
];

#[test]
fn escapes_are_refused_or_harmless() {
    let server = Server::lokikv(&["wal.enabled=false"]);
    let mut conn = server.connect();
    let mut report = String::new();
    for (script, contained) in TRIED {
        let reply = conn.call(&args!["EVAL", script, "0"]).to_string();
        if !reply.contains(contained) {
            report.push_str(&format!("{script}\n   {}\n", &reply[..reply.len().min(300)]));
        }
        // Whatever it was, the next script is not touched by it.
        let next = conn.call(&args!["EVAL", "return {('x'):upper(), 'a' .. 1, type(redis)}", "0"]);
        assert_eq!(next.to_string(), "[X, a1, table]", "after {script}");
    }
    assert!(report.is_empty(), "{report}");
}
