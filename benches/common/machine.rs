//! Which machine and which programs the figures are of.

use std::fs;
use std::path::Path;
use std::process::Command;

/// One Markdown list: processor, memory, system, versions, with Debian's Redis and its load generator.
pub fn describe(lokikv: Option<&Path>) -> String {
    let mut lines = vec![
        system(),
        format!("- Redis: {}", first_line(Path::new("redis-server"), "--version")),
        format!(
            "- Load generator: {}",
            first_line(Path::new("redis-benchmark"), "--version")
        ),
    ];
    lines.extend(lokikv.map(|binary| format!("- LokiKV: {}", version(binary))));
    lines.join("\n")
}

/// What a binary says of itself, and of which commit it is if it is the one that was built from the sources at hand.
pub fn version(lokikv: &Path) -> String {
    let version = first_line(lokikv, "--version");
    if lokikv == Path::new(env!("CARGO_BIN_EXE_lokikv")) {
        return format!("{version}, commit {}", commit());
    }
    version
}

/// One Markdown list: processor, memory, system.
pub fn system() -> String {
    let lines = [
        format!("- CPU: {} × {}", cores(), cpu_model()),
        format!("- Memory: {}", first_match("/proc/meminfo", "MemTotal:")),
        format!("- Load average at the start: {}", read_trimmed("/proc/loadavg")),
        format!(
            "- OS: {}, Linux {}",
            os_name(),
            read_trimmed("/proc/sys/kernel/osrelease")
        ),
    ];
    lines.join("\n")
}

/// How many workers LokiKV starts by itself.
pub fn default_workers() -> usize {
    lokikv::config::Config::default().server.worker_count()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cpu_model() -> String {
    first_match("/proc/cpuinfo", "model name")
        .trim_start_matches([':', ' ', '\t'])
        .to_owned()
}

fn os_name() -> String {
    first_match("/etc/os-release", "PRETTY_NAME=")
        .trim_matches('"')
        .to_owned()
}

fn commit() -> String {
    output(Command::new("git").args(["describe", "--always", "--dirty"]))
}

fn first_line(program: &Path, flag: &str) -> String {
    output(Command::new(program).arg(flag))
}

fn output(command: &mut Command) -> String {
    let text = command
        .output()
        .map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let line = text.ok().and_then(|text| text.lines().next().map(str::to_owned));
    line.unwrap_or_else(|| "unknown".to_owned())
}

fn first_match(path: &str, prefix: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(prefix));
    line.map_or_else(|| "unknown".to_owned(), |rest| rest.trim().to_owned())
}

fn read_trimmed(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
