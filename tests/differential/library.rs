//! Lua's library, where functions of ours stand for Lua's: patterns, sorting and what else goes over tables, with
//! generated arguments. One script gets many cases at once and tells what each has given or raised.

use crate::pair::start_lokikv;
use crate::support::{Conn, Rng, Server, env_number, seed};

/// Cases of each kind, unless `LOKIKV_STEPS` says otherwise.
const CASES_DEFAULT: u64 = 5_000;
/// Cases of one script.
const BATCH: usize = 50;

/// Shows whatever a call has given: how many values, and each.
const SHOWN: &str = "local function shown(...) local r = {tostring(select('#', ...))}
    for i = 1, select('#', ...) do r[#r + 1] = type(select(i, ...)) .. ' ' .. tostring((select(i, ...))) end
    return table.concat(r, '|') end
local function try(f) return shown(pcall(f)) end
local out = {} ";

/// Four arguments a case: subject, pattern, replacement, number.
const PATTERNS: &str = "for i = 1, #ARGV, 4 do
    local s, p, r, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    local function add(f) out[#out + 1] = try(f) end
    add(function() return string.find(s, p) end)
    add(function() return s:find(p, n) end)
    add(function() return s:find(r, n, true) end)
    add(function() return s:match(p, n) end)
    add(function() return string.gsub(s, p, r) end)
    add(function() return s:gsub(p, r, n) end)
    add(function() local all = {} for a, b, c in s:gmatch(p) do all[#all + 1] = shown(a, b, c) end
        return table.concat(all, ';') end)
    add(function() local all = {} local given = {n, 'x', nil, false, r}
        local text, count = s:gsub(p, function(...) all[#all + 1] = shown(...) return given[#all % 6] end)
        return text, count, table.concat(all, ';') end)
    add(function() return s:gsub(p, setmetatable({a = 'A', b = false, ab = 1.5, [1] = 'one', c = {}},
        {__index = function(_, key) return key == '' and n or nil end}), n) end)
end return out";

/// Two arguments a case: numbers, and which order.
const SORTING: &str = "for i = 1, #ARGV, 2 do
    local t, order = {}, tonumber(ARGV[i + 1])
    for n in ARGV[i]:gmatch('%d+') do t[#t + 1] = tonumber(n) end
    local len, asked = #t, {}
    local function trace(a, b)
        if #asked > 3000 then error('enough') end
        asked[#asked + 1] = tostring(a) .. '<' .. tostring(b)
    end
    local orders = {
        function(a, b) trace(a, b) return a < b end, function(a, b) trace(a, b) return a > b end,
        function(a, b) trace(a, b) return a <= b end, function(a, b) trace(a, b) return true end,
        function(a, b) trace(a, b) return false end, function(a, b) trace(a, b) return ((a or 1) * 7 + (b or 2)) % 3 == 0 end,
        function(a, b) trace(a, b) return (a or 1) % 5 < (b or 2) % 5 end,
    }
    if order == 9 then t[math.floor(len / 2) + 1] = 'x' elseif order == 10 then
        for k, v in ipairs(t) do t[k] = tostring(v) end elseif order == 11 then
        for k, v in ipairs(t) do t[k] = setmetatable({v}, {__lt = function(a, b) trace(a[1], b[1]) return a[1] < b[1] end}) end
    end
    local result = try(function() if orders[order] then table.sort(t, orders[order]) else table.sort(t) end end)
    local r = {result, tostring(#asked), table.concat(asked, ' ')}
    for k = 0, len + 2 do r[#r + 1] = type(t[k]) == 'table' and tostring(t[k][1]) or tostring(t[k]) end
    out[#out + 1] = table.concat(r, '|')
end return out";

/// Three arguments a case: numbers, and two more.
const TABLES: &str = "for i = 1, #ARGV, 3 do
    local a, b = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    local function new() local t = {} for n in ARGV[i]:gmatch('%d+') do t[#t + 1] = tonumber(n) end
        if b % 3 == 0 then t[#t + 3] = 'far' end return t end
    local function add(f)
        local t = new()
        local result, r = try(function() return f(t) end), {}
        for k = -12, 14 do r[#r + 1] = type(t[k]) == 'table' and 'table' or tostring(t[k]) end
        out[#out + 1] = result .. ' ' .. table.concat(r, ',')
    end
    add(function(t) return table.insert(t, a, 'new') end)
    add(function(t) return table.insert(t, 'new') end)
    add(function(t) return table.insert(t, a, b, a) end)
    add(function(t) return table.insert(t) end)
    add(function(t) return table.remove(t, a) end)
    add(function(t) return table.remove(t) end)
    add(function(t) return table.remove(t, 'no') end)
    add(function(t) return table.concat(t, a, b) end)
    add(function(t) return table.concat(t, ', ', b, a) end)
    add(function(t) return table.concat(t) end)
    add(function(t) t[2] = {} return table.concat(t, '-') end)
    add(function(t) local n = 0 return table.foreachi(t, function(k, v) n = n + k if n > a then return v end end), n end)
    add(function(t) local n = 0 return table.foreach(t, function(k, v) n = n + k if n > a then return v end end), n end)
    add(function(t) return table.foreachi(t, a) end)
    add(function(t) return table.foreach(a, t) end)
    add(function(t) return table.maxn(t), table.getn(t), unpack(t, a, b) end)
    add(function() local s = ARGV[i] return s:upper(), s:lower(), s:reverse(), s:rep(a), s:byte(a, b), s:sub(a, b) end)
end return out";

const ITEMS: [&str; 34] = [
    "a", "b", "c", ".", "%a", "%d", "%w", "%s", "%S", "%p", "%z", "%x", "%W", "[abc]", "[^a]", "[a-c]", "[%w_]",
    "[^%s]", "[]]", "[^]-]", "[a-%z]", "[%a-z]", "%.", "%%", "%-", "-", "]", "x", "1", " ", "\u{e9}", "^", "$", "\0",
];
const OTHERS: [&str; 22] = [
    "(", "(", ")", ")", "()", "%b()", "%bab", "%b", "%f[%w]", "%f[^a]", "%f", "%1", "%2", "%0", "%9", "[", "[a", "%",
    "[^", "(a)", "(.-)", "(%w+)",
];
const REPLACEMENTS: [&str; 16] = [
    "x", "%0", "%1", "%2", "%9", "%", "%%", "<%0>", "%1%1", "%a", "", "abc", "1.50", "%0%1", "\0", "a%",
];

fn pattern(rng: &mut Rng) -> Vec<u8> {
    let mut pattern = Vec::new();
    if rng.one_in(6) {
        pattern.push(b'^');
    }
    let mut repeated = 0;
    let mut open = 0;
    for _ in 0..rng.below(7) {
        if rng.one_in(3) {
            let other = *rng.pick(&OTHERS);
            open += usize::from(other == "(");
            if other != ")" || open > 0 || rng.one_in(10) {
                pattern.extend(other.bytes());
            }
        } else {
            // A NUL ends a pattern, so it is rare.
            let item = *rng.pick(&ITEMS);
            pattern.extend(if item == "\0" && !rng.one_in(4) {
                b"a"
            } else {
                item.as_bytes()
            });
            if repeated < 4 && rng.one_in(2) {
                repeated += 1;
                pattern.push(*rng.pick(b"*+-?"));
            }
        }
    }
    if open > 0 && !rng.one_in(4) {
        pattern.push(b')');
    }
    if rng.one_in(6) {
        pattern.push(b'$');
    }
    pattern
}

fn subject(rng: &mut Rng) -> Vec<u8> {
    let letters: &[u8] = if rng.one_in(2) {
        b"aabbc"
    } else {
        b"abcABx1 9()[].-%_\0\n\xe9"
    };
    (0..rng.below(18)).map(|_| *rng.pick(letters)).collect()
}

fn case_of_patterns(rng: &mut Rng) -> Vec<Vec<u8>> {
    let n = rng.range(-4, 12).to_string();
    vec![
        subject(rng),
        pattern(rng),
        rng.pick(&REPLACEMENTS).as_bytes().to_vec(),
        n.into(),
    ]
}

fn numbers(rng: &mut Rng, len_max: usize) -> Vec<u8> {
    let below = *rng.pick(&[2, 10, 1_000]);
    let numbers: Vec<String> = (0..rng.below(len_max)).map(|_| rng.below(below).to_string()).collect();
    numbers.join(" ").into_bytes()
}

fn case_of_sorting(rng: &mut Rng) -> Vec<Vec<u8>> {
    let len_max = *rng.pick(&[4, 8, 40, 150]);
    vec![numbers(rng, len_max), rng.range(1, 11).to_string().into()]
}

fn case_of_tables(rng: &mut Rng) -> Vec<Vec<u8>> {
    let more = [rng.range(-9, 12), rng.range(-9, 12)].map(|n| n.to_string().into_bytes());
    let [a, b] = more;
    vec![numbers(rng, 9), a, b]
}

fn compare(script: &str, case: fn(&mut Rng) -> Vec<Vec<u8>>) {
    let seed = seed();
    let count = env_number("LOKIKV_STEPS", CASES_DEFAULT) as usize;
    let mut rng = Rng::new(seed);
    let (redis, loki) = (Server::redis8(&[]), start_lokikv());
    let mut conns: [Conn; 2] = [redis.connect(), loki.connect()];
    let script = format!("{SHOWN}{script}");
    for _ in 0..count.div_ceil(BATCH) {
        let cases: Vec<Vec<Vec<u8>>> = (0..BATCH).map(|_| case(&mut rng)).collect();
        let [theirs, ours] = [0, 1].map(|side| {
            let head = [b"EVAL".to_vec(), script.clone().into_bytes(), b"0".to_vec()];
            let args: Vec<Vec<u8>> = head.into_iter().chain(cases.iter().flatten().cloned()).collect();
            conns[side].call(&args)
        });
        assert!(!theirs.is_error(), "{theirs:?}");
        let (theirs, ours) = (theirs.items(), ours.items());
        assert_eq!(theirs.len(), ours.len());
        let parts = theirs.len() / BATCH;
        for (at, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
            let shown: Vec<String> = cases[at / parts]
                .iter()
                .map(|arg| arg.escape_ascii().to_string())
                .collect();
            assert_eq!(theirs, ours, "LOKIKV_SEED={seed}, call {} of {shown:?}", at % parts);
        }
    }
}

#[test]
fn patterns_match_as_in_redis() {
    compare(PATTERNS, case_of_patterns);
}

#[test]
fn tables_are_sorted_as_in_redis() {
    compare(SORTING, case_of_sorting);
}

#[test]
fn tables_are_changed_as_in_redis() {
    compare(TABLES, case_of_tables);
}
