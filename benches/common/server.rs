//! Starting Redis and LokiKV with matching settings.

use super::client::{Client, Reply};
use super::{Result, process};
use clap::ValueEnum;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Which program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A Redis or a Valkey: the program at this path.
    Redis(PathBuf),
    /// The binary at this path.
    LokiKv(PathBuf),
}

/// How hard writes are kept: LokiKV's WAL, Redis's append-only file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// Memory only.
    Off,
    /// Logged, and synced once a second.
    Everysec,
    /// Logged, and synced before the reply.
    Always,
}

/// How to start one server.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which program.
    pub program: Program,
    /// Its log.
    pub durability: Durability,
    /// Threads LokiKV executes on.
    pub workers: usize,
    /// Where the temporary data directory goes.
    pub scratch: PathBuf,
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
    setup: Setup,
    extra: Vec<String>,
}

impl Program {
    /// `redis-server` from the path.
    pub fn redis() -> Self {
        Self::Redis(PathBuf::from("redis-server"))
    }
}

impl Durability {
    /// All of them, weakest first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Everysec, Self::Always];

    /// As both programs spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Everysec => "everysec",
            Self::Always => "always",
        }
    }
}

impl Setup {
    fn command(&self, port: u16, dir: &Path) -> Command {
        match &self.program {
            Program::Redis(binary) => self.redis(binary, port, dir),
            Program::LokiKv(binary) => self.lokikv(binary, port, dir),
        }
    }

    /// No snapshots and no log rewrites: neither has its counterpart switched on in the other program.
    fn redis(&self, binary: &Path, port: u16, dir: &Path) -> Command {
        let (appendonly, appendfsync) = match self.durability {
            Durability::Off => ("no", "everysec"),
            Durability::Everysec => ("yes", "everysec"),
            Durability::Always => ("yes", "always"),
        };
        let mut command = Command::new(binary);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", appendonly]);
        command.args(["--appendfsync", appendfsync, "--auto-aof-rewrite-percentage", "0"]);
        command.args(["--maxclients", "12000", "--port"]).arg(port.to_string());
        command.arg("--dir").arg(dir);
        command
    }

    fn lokikv(&self, binary: &Path, port: u16, dir: &Path) -> Command {
        let wal: &[&str] = match self.durability {
            Durability::Off => &["wal.enabled=false"],
            Durability::Everysec => &["wal.enabled=true", "wal.fsync=everysec"],
            Durability::Always => &["wal.enabled=true", "wal.fsync=always"],
        };
        let workers = format!("server.workers={}", self.workers);
        let rest = ["checkpoint.interval_s=0", "server.maxclients=12000", &workers];
        let mut command = Command::new(binary);
        command.arg("--port").arg(port.to_string()).arg("--data-dir").arg(dir);
        for setting in wal.iter().chain(&rest) {
            command.args(["--set", setting]);
        }
        command
    }
}

impl Server {
    /// Starts a server in a fresh directory and waits until it answers.
    pub fn start(setup: &Setup) -> Result<Self> {
        Self::start_with(setup, Vec::new())
    }

    /// The same, with arguments of its own behind the others.
    pub fn start_with(setup: &Setup, extra: Vec<String>) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("lokikv-bench-")
            .tempdir_in(&setup.scratch)?;
        Self::start_in(setup, extra, dir)
    }

    /// Starts the same program again, on the files the stopped one left.
    pub fn restart(self) -> Result<Self> {
        let mut old = self;
        let fresh = tempfile::tempdir_in(&old.setup.scratch)?;
        let dir = std::mem::replace(&mut old.dir, fresh);
        let extra = std::mem::take(&mut old.extra);
        Self::start_in(&old.setup.clone(), extra, dir)
    }

    fn start_in(setup: &Setup, extra: Vec<String>, dir: TempDir) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = setup.command(address.port(), dir.path());
        end_with_us(&mut command);
        let child = command
            .args(&extra)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(dir.path().join("server.log"))?)
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("cannot start {:?}: {error}", setup.program))?;
        let mut server = Self {
            child,
            address,
            dir,
            setup: setup.clone(),
            extra,
        };
        server.wait_ready(Duration::from_secs(30))?;
        Ok(server)
    }

    fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(self.dir.path().join("server.log"));
                let log = log.unwrap_or_default();
                return Err(format!("{:?} ended with {status}: {log}", self.setup.program).into());
            }
            let answer = Client::connect(self.address).and_then(|mut client| client.call(&[b"PING"]));
            if matches!(answer, Ok(Reply::Simple(text)) if text == "PONG") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{:?} did not answer within {limit:?}", self.setup.program).into())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time used so far.
    pub fn cpu_time(&self) -> Result<Duration> {
        process::cpu_time(self.child.id())
    }

    /// CPU time that each of its threads has used so far.
    pub fn thread_times(&self) -> Result<process::ThreadTimes> {
        process::ThreadTimes::of(self.child.id())
    }

    /// Its threads, as the system numbers them.
    pub fn threads(&self) -> Result<Vec<libc::pid_t>> {
        let mut threads = Vec::new();
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            threads.push(thread?.file_name().to_string_lossy().parse()?);
        }
        Ok(threads)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops the process where it is: it uses no CPU until [`Self::resume`].
    pub fn pause(&self) -> Result<()> {
        self.signal(libc::SIGSTOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(libc::SIGCONT)
    }

    fn signal(&self, signal: i32) -> Result<()> {
        let pid = libc::pid_t::try_from(self.child.id())?;
        // SAFETY: the child has not been waited for, so its process id still names it.
        match unsafe { libc::kill(pid, signal) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error().into()),
        }
    }

    /// The clock of the threads that run commands.
    pub fn command_clock(&self) -> Result<process::ThreadClock> {
        let threads = match self.setup.program {
            Program::Redis(_) => "redis-server",
            Program::LokiKv(_) => "worker-",
        };
        process::ThreadClock::of(self.child.id(), threads)
    }

    /// Resident memory now, in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        process::resident_bytes(self.child.id())
    }

    /// Resident memory at its highest, in bytes.
    pub fn resident_peak_bytes(&self) -> Result<u64> {
        process::resident_peak_bytes(self.child.id())
    }

    /// Asks it to stop (SIGTERM) and waits for that: how long it took and how it ended.
    pub fn terminate(&mut self, limit: Duration) -> Result<(Duration, ExitStatus)> {
        let start = Instant::now();
        self.signal(libc::SIGTERM)?;
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait()? {
                return Ok((start.elapsed(), status));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(format!("{:?} did not stop within {limit:?} of SIGTERM", self.setup.program).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to do about a failure here: the process is gone already, or cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A benchmark that is killed leaves no server behind, not even a stopped one.
fn end_with_us(command: &mut Command) {
    // SAFETY: what runs between fork and exec is one system call that takes no pointers.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
