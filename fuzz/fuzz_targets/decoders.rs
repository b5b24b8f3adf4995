//! The decoders that scripts find, on arbitrary bytes: `cjson.decode`, `cmsgpack.unpack` and its kin, `struct.unpack`
//! with any format, `bit` and numbers of any text. Nothing panics, memory stays within its bound, and what was decoded
//! can be encoded, and decodes to something that is encoded the same.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use lokikv::resp::{Args, Proto, Reply};
use lokikv::script::{Callee, Host, LogLevel, Settings, Sha1, Stop, Vm};

const MEMORY_BYTES_MAX: usize = 8 << 20;
const SLACK_BYTES: usize = 4 << 20;

/// Each gets the bytes as `ARGV[1]`, and two numbers of them.
const SCRIPTS: &[&str] = &[
    "local good, value = pcall(cjson.decode, ARGV[1]) if not good then return 'refused' end
     local good, text = pcall(cjson.encode, value) if not good then return 'not encoded' end
     local good, again = pcall(cjson.decode, text) if not good then return 'not decoded' end
     if type(value) == 'number' then return 'number' end
     local other = cjson.encode(again) return #other == #text and 'same' or 'differs: ' .. text .. ' ' .. other",
    "cjson.decode_max_depth(5) cjson.decode_invalid_numbers(false) pcall(cjson.decode, ARGV[1])
     cjson.decode_max_depth(1000) cjson.decode_invalid_numbers(true) pcall(cjson.decode, ARGV[1]) return 'done'",
    "local values = {pcall(cmsgpack.unpack, ARGV[1])} if not values[1] then return 'refused' end
     local good, text = pcall(cmsgpack.pack, unpack(values, 2, #values)) if not good or #values < 2 then return 'none' end
     local again = {pcall(cmsgpack.unpack, text)} -- A key that is nested too deep is packed as nil.
     if not again[1] then return 'not unpacked' end
     return #again == #values and 'same' or 'count'",
    "pcall(cmsgpack.unpack_one, ARGV[1], tonumber(ARGV[2])) pcall(cmsgpack.unpack_one, ARGV[1])
     pcall(cmsgpack.unpack_limit, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])) return 'done'",
    "local cut = tonumber(ARGV[2]) local format, data = ARGV[1]:sub(1, cut), ARGV[1]:sub(cut + 1)
     pcall(struct.size, format) local values = {pcall(struct.unpack, format, data, tonumber(ARGV[3]))}
     if not values[1] then return 'refused' end
     pcall(struct.pack, format, unpack(values, 2, #values - 1)) return 'done'",
    "for _, f in pairs(bit) do if type(f) == 'function' then pcall(f, ARGV[1], ARGV[2]) pcall(f, tonumber(ARGV[1]), 33) end end
     local n = tonumber(ARGV[1]) if n then tostring(n) pcall(redis.call, 'get', n) pcall(string.format, '%.14g %d', n, n) end
     for base = 2, 36 do tonumber(ARGV[1], base) end return {n or 'none', {double = n or 0}}",
    "pcall(struct.pack, ARGV[1], 1, -1, 2^40, 'text', 1.5, '2') pcall(redis.error_reply, ARGV[1])
     pcall(redis.status_reply, ARGV[1]) redis.sha1hex(ARGV[1]) pcall(loadstring, ARGV[1])
     return {{err = ARGV[1]}, {ok = ARGV[1]}, {big_number = ARGV[1]}, {verbatim_string = {string = ARGV[1], format = ARGV[1]}}}",
];

struct Nobody;

impl Host for Nobody {
    fn call(&mut self, _: Args<'_>, reply: &mut Reply) -> Result<(), Stop> {
        reply.ok();
        Ok(())
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn acl_check(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn interrupt(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

thread_local! {
    static VM: RefCell<Vm> = RefCell::new(loaded());
}

fn loaded() -> Vm {
    let mut vm = Vm::new(Settings {
        memory_bytes_max: MEMORY_BYTES_MAX,
        version: "8.2.3",
    });
    for script in SCRIPTS {
        vm.load(Sha1::of(script.as_bytes()), script.as_bytes())
            .expect("it is Lua");
    }
    vm
}

fuzz_target!(|data: &[u8]| {
    let Some((choices, data)) = data.split_first_chunk::<3>() else {
        return;
    };
    let [choice, one, other] = *choices;
    let script = SCRIPTS[usize::from(choice) % SCRIPTS.len()];
    let (one, other) = (one.to_string(), (other as i8).to_string());
    VM.with_borrow_mut(|vm| {
        let mut reply = Reply::new(if choice >= 128 { Proto::Resp3 } else { Proto::Resp2 });
        let args = [data, one.as_bytes(), other.as_bytes()];
        let ran = vm.run(
            Callee::Script(Sha1::of(script.as_bytes())),
            (&[], &args),
            &mut Nobody,
            &mut reply,
        );
        assert!(matches!(ran, Ok(Some(_))));
        let reply = reply.to_vec();
        let differs = reply.windows(8).any(|bytes| bytes == b"differs:");
        assert!(!differs, "{}", String::from_utf8_lossy(&reply));
        let bytes = vm.memory_bytes();
        assert!(bytes < MEMORY_BYTES_MAX + SLACK_BYTES, "{bytes} bytes");
    });
});
