//! Statements of a script: calls, and what Lua makes of their replies.

use super::Generator;

/// What scripts begin with. `keep` notes a value: it is the last one, and part of what the script returns.
pub const PRELUDE: &str = "local out, last = {}
local function keep(v) last = v out[#out + 1] = v end
local function str(v)
  if type(v) == 'table' then return v.err or v.ok or tostring(v.double or #v) end
  return tostring(v)
end
local function num(v) return tonumber(v) or #out end
local function list(v) if type(v) == 'table' then return v end return {v} end
local function plain(v)
  if type(v) ~= 'table' then return v end
  if v.err or v.ok or v.double then return str(v) end
  local flat = {}
  if v.map then for k, w in pairs(v.map) do flat[#flat + 1] = str(k) .. '=' .. str(w) end table.sort(flat) return flat end
  if v.set then for k in pairs(v.set) do flat[#flat + 1] = str(k) end table.sort(flat) return flat end
  for i = 1, #v do flat[i] = plain(v[i]) end
  return flat
end
local function sorted(v)
  if type(v) ~= 'table' or v.err then return v end
  if v.set or v.map then return plain(v) end
  table.sort(v)
  return v
end
local function paired(v)
  if type(v) ~= 'table' or v.err then return v end
  if v.map then return plain(v) end
  local flat = {}
  for i = 1, #v, 2 do flat[#flat + 1] = v[i] .. '=' .. v[i + 1] end
  table.sort(flat)
  return flat
end
local function sign(v) if type(v) == 'number' and v > 0 then return 1 end return v end";

impl Generator {
    /// A statement, which stands for itself.
    pub(super) fn unit(&mut self) -> String {
        match self.rng.below(34) {
            0..15 => self.kept_call(),
            15 | 16 => {
                let (condition, one, other) = (self.condition(), self.kept_call(), self.kept_call());
                format!("if {condition} then {one} else {other} end")
            }
            17 | 18 => format!("for i = 1, {} do {} end", self.rng.below(6), self.kept_call()),
            19 => format!(
                "for i, v in ipairs(list(last)) do if i > 4 then break end last = v {} end",
                self.kept_call()
            ),
            20 => format!(
                "local n = 0 while n < {} do n = n + 1 if {} then break end {} end",
                self.rng.below(5),
                self.condition(),
                self.kept_call()
            ),
            21..24 => self.encoding(),
            24..27 => self.computing(),
            27 => format!(
                "do local ok, e = pcall(function() {} end) keep(tostring(ok)) keep(str(e)) end",
                self.kept_call()
            ),
            28 => format!(
                "do local co = coroutine.wrap(function() {} coroutine.yield() {} end) co() co() end",
                self.kept_call(),
                self.kept_call()
            ),
            29 => format!(
                "local function f{0}(a) {1} return a end keep(f{0}(#out))",
                self.rng.below(3),
                self.kept_call()
            ),
            30 => format!("redis.setresp({})", 2 + self.rng.below(2)),
            31 if self.rng.one_in(2) => format!("redis.call('select', {})", self.rng.below(super::DATABASES.into())),
            32 if self.rng.one_in(3) => self.failing(),
            _ => "keep({last, #out, {str(last)}})".to_owned(),
        }
    }

    fn kept_call(&mut self) -> String {
        let call = self.call();
        let how = if self.rng.one_in(3) {
            "redis.call"
        } else {
            "redis.pcall"
        };
        format!("keep({})", call.expression(how))
    }

    fn condition(&mut self) -> String {
        let number = self.rng.below(9);
        match self.rng.below(9) {
            0 => format!("num(last) > {number}"),
            1 => "type(last) == 'table'".to_owned(),
            2 => "last".to_owned(),
            3 => "last == false or last == nil".to_owned(),
            4 => format!("#str(last) % 2 == {}", number % 2),
            5 => "str(last) < 'm'".to_owned(),
            6 => format!("#out >= {number}"),
            7 => "type(last) == 'table' and last.err".to_owned(),
            _ => format!("redis.call('exists', {}) == 1", self.key()),
        }
    }

    fn encoding(&mut self) -> String {
        match self.rng.below(12) {
            0 => "keep(cjson.encode(plain(last)))",
            1 => "keep(cjson.encode({plain(last), #out, 1.5, cjson.null}))",
            2 => "keep(cjson.decode(cjson.encode({plain(last)})))",
            3 => "keep(cjson.encode({key = plain(last)}))",
            4 => "keep(cmsgpack.pack(plain(last)))",
            5 => "keep({cmsgpack.unpack(cmsgpack.pack(plain(last), #out, str(last)))})",
            6 => "keep(struct.pack('>I4s', #out, str(last):gsub('%z', '')))",
            7 => "keep({struct.unpack('<hHc0', struct.pack('<hHc0', -#out, #str(last), str(last)))})",
            8 => "keep(select(2, pcall(cjson.decode, str(last))))",
            9 => "keep(str(select(2, pcall(cmsgpack.unpack, str(last)))))",
            10 => "keep({bit.band(num(last), 255), bit.tohex(num(last)), bit.bxor(#out, 5)})",
            _ => "keep(redis.sha1hex(str(last)))",
        }
        .to_owned()
    }

    fn computing(&mut self) -> String {
        let number = self.rng.range(-20, 1_000);
        match self.rng.below(14) {
            0 => format!("keep(num(last) + {number})"),
            1 => format!("keep(tostring(num(last) / {}))", 1 + self.rng.below(9)),
            2 => "keep(str(last):upper():sub(1, 9))".to_owned(),
            3 => "keep(str(last):reverse() .. #out)".to_owned(),
            4 => "keep((str(last):gsub('%d', '#')))".to_owned(),
            5 => "keep({str(last):find('(%w+)')})".to_owned(),
            6 => format!("keep(string.format('%5.2f|%d|%q', num(last), {number}, str(last):sub(1, 20)))"),
            7 => "keep(table.concat({str(last), #out, 'x'}, ','))".to_owned(),
            8 => "keep({math.floor(num(last)), math.max(num(last), 5), tostring(num(last) % 7)})".to_owned(),
            9 => format!("math.randomseed({number}) keep({{math.random(1000), math.random(1000)}})"),
            10 => "keep({select('#', unpack(list(last))), type(last)})".to_owned(),
            11 => format!("keep({{{number}, {number}.5, true, false, 'x', {{}}}})"),
            12 => "keep({ok = 'FINE'}) keep({err = 'MY error'})".to_owned(),
            _ => "keep({double = 1.5}) keep({map = {a = 1}}) keep({set = {a = true}}) keep({big_number = '12'})"
                .to_owned(),
        }
    }

    fn failing(&mut self) -> String {
        self.rng
            .pick(&[
                "error('stop')",
                "error({err = 'MY error'})",
                "error()",
                "if #out > 1 then return redis.error_reply('MY end') end",
                "if last then return last end",
                "keep(last.nosuch.field)",
                "keep(nosuch)",
                "keep(#last + 1)",
                "assert(last == 'x', 'asserted')",
                "redis.call('nosuch', 'x')",
                "redis.call('get')",
                "redis.call('subscribe', 'c')",
            ])
            .to_string()
    }
}
