//! A `Vm` and a host for tests.

use crate::resp::{Args, Proto, Reply};
use crate::script::{Callee, Host, LogLevel, Settings, Sha1, Stop, Vm};

/// A host that knows a few commands.
#[derive(Debug, Default)]
pub(super) struct TestHost {
    pub(super) calls: Vec<Vec<Vec<u8>>>,
    pub(super) log: Vec<(LogLevel, Vec<u8>)>,
    /// Whether interrupted scripts have to stop.
    pub(super) is_stopping: bool,
    pub(super) questions: usize,
}

impl Host for TestHost {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), Stop> {
        self.calls.push(args.iter().map(|arg| arg.to_vec()).collect());
        match args.iter().collect::<Vec<_>>()[..] {
            [b"ping"] => reply.simple("PONG"),
            [b"echo", text] => reply.bulk(text),
            [b"raw", text] => reply.raw(text),
            [b"stop"] => return Err(Stop),
            [b"proto"] => reply.int(if reply.proto() == Proto::Resp3 { 3 } else { 2 }),
            [b"wrong"] => reply.error("WRONGTYPE Operation"),
            _ => reply.error("ERR Unknown Redis command called from script"),
        }
        Ok(())
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        self.log.push((level, message.to_vec()));
    }

    fn acl_check(&mut self, args: Args<'_>) -> Option<bool> {
        (args.get(0) == Some(b"ping")).then_some(true)
    }

    fn interrupt(&mut self) -> Result<(), Stop> {
        self.questions += 1;
        if self.is_stopping { Err(Stop) } else { Ok(()) }
    }
}

pub(super) const SETTINGS: Settings = Settings {
    memory_bytes_max: 64 << 20,
    version: "8.2.3",
};

pub(super) fn vm() -> Vm {
    Vm::new(SETTINGS)
}

/// Runs a script in `vm`; its reply, digest taken out.
pub(super) fn run_in(vm: &mut Vm, host: &mut TestHost, proto: Proto, script: &str) -> String {
    let sha = Sha1::of(script.as_bytes()).to_string();
    String::from_utf8_lossy(&run_raw(vm, host, proto, script)).replace(&sha, "SHA")
}

/// Runs a script in `vm`; its reply, or what is wrong with it after `!`.
pub(super) fn run_raw(vm: &mut Vm, host: &mut TestHost, proto: Proto, script: &str) -> Vec<u8> {
    let sha = Sha1::of(script.as_bytes());
    let mut reply = Reply::new(proto);
    match vm.load(sha, script.as_bytes()) {
        Err(error) => return [b"!", error.message()].concat(),
        Ok(()) => match vm.run(
            Callee::Script(sha),
            (&[b"k1", b"k2"], &[b"a1", b"a2"]),
            host,
            &mut reply,
        ) {
            Err(Stop) => return b"stopped".to_vec(),
            Ok(outcome) => assert!(outcome.is_some()),
        },
    }
    reply.to_vec()
}

/// What a script replies to a client of RESP2.
pub(super) fn run(script: &str) -> String {
    run_in(&mut vm(), &mut TestHost::default(), Proto::Resp2, script)
}

/// What a script replies to a client of RESP3.
pub(super) fn run3(script: &str) -> String {
    run_in(&mut vm(), &mut TestHost::default(), Proto::Resp3, script)
}
