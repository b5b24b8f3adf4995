//! What the kernel has been told: huge pages, overcommit, the queue of connections, open files.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::finding::Findings;

/// Files that a server opens beside its clients, generously.
const OWN_FILES: u64 = 256;

/// What the kernel says; `None`: it does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    pub release: Option<String>,
    /// Transparent huge pages: the file's text, `always [madvise] never`.
    pub huge_pages: Option<String>,
    pub overcommit: Option<u64>,
    pub somaxconn: Option<u64>,
    /// How many files a process may have open, if that is limited.
    pub open_files: Option<u64>,
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn read_number(path: &str) -> Option<u64> {
    read(path)?.parse().ok()
}

impl Kernel {
    /// What it says here. `process`: whose limits count, rather than those of this one.
    pub fn read(process: Option<u64>) -> Self {
        let own = getrlimit(Resource::Nofile);
        let open_files = match process {
            // What is there is what there will be.
            Some(pid) => read(&format!("/proc/{pid}/limits")).and_then(|limits| open_files(&limits)),
            // A start raises it as far as it may.
            None => own.maximum.or(Some(u64::MAX)),
        };
        Self {
            release: read("/proc/sys/kernel/osrelease"),
            huge_pages: read("/sys/kernel/mm/transparent_hugepage/enabled"),
            overcommit: read_number("/proc/sys/vm/overcommit_memory"),
            somaxconn: read_number("/proc/sys/net/core/somaxconn"),
            open_files,
        }
    }

    /// For a server that is to have so many clients, and connections that wait.
    pub fn judge(&self, clients_max: u64, backlog: u64, findings: &mut Findings) {
        if let Some(release) = &self.release {
            findings.good(format!("the kernel is Linux {release}"));
        }
        match self.huge_pages.as_deref() {
            Some(text) if text.contains("[always]") => findings.fault(
                "transparent huge pages are always used: memory that was freed stays in use, and pauses come from making them",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, at every start of the machine (or \
                 transparent_hugepage=madvise on the kernel's command line)",
            ),
            Some(_) => findings.good("transparent huge pages are not forced on anybody"),
            None => {}
        }
        match self.overcommit {
            Some(2) => findings.fault(
                "the kernel promises no more memory than there is (vm.overcommit_memory = 2): a large allocation fails \
                 although memory is free",
                "sysctl vm.overcommit_memory=0, and keep it in /etc/sysctl.d",
            ),
            Some(mode) => findings.good(format!(
                "vm.overcommit_memory = {mode} will do: there is no fork that needs 1"
            )),
            None => {}
        }
        match self.somaxconn {
            Some(max) if max < backlog => findings.fault(
                format!("net.core.somaxconn = {max}: fewer connections may wait than server.tcp_backlog = {backlog}"),
                format!(
                    "sysctl net.core.somaxconn={backlog}, and keep it in /etc/sysctl.d; or lower server.tcp_backlog"
                ),
            ),
            Some(max) => findings.good(format!(
                "{backlog} connections may wait to be accepted (the system allows {max})"
            )),
            None => {}
        }
        self.judge_open_files(clients_max, findings);
    }

    fn judge_open_files(&self, clients_max: u64, findings: &mut Findings) {
        let Some(open_files) = self.open_files else { return };
        let wanted = clients_max.saturating_add(OWN_FILES);
        if open_files < wanted {
            findings.fault(
                format!("{open_files} files may be open, too few for {clients_max} clients and the server's own files"),
                format!("ulimit -n {wanted}, or LimitNOFILE={wanted} in the systemd unit; or lower server.maxclients"),
            );
        } else {
            findings.good(format!("enough files may be open for {clients_max} clients"));
        }
    }
}

/// The soft limit in the text of `/proc/PID/limits`.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    fn judged(kernel: &Kernel) -> Findings {
        let mut findings = Findings::default();
        kernel.judge(10_000, 511, &mut findings);
        findings
    }

    #[test]
    fn what_the_kernel_was_told_is_judged() {
        let good = Kernel {
            release: Some("6.12".to_owned()),
            huge_pages: Some("always [madvise] never".to_owned()),
            overcommit: Some(0),
            somaxconn: Some(4096),
            open_files: Some(20_000),
        };
        assert_eq!(judged(&good).amiss(), 0);
        assert_eq!(judged(&good).all().len(), 5);
        let bad = Kernel {
            huge_pages: Some("[always] madvise never".to_owned()),
            overcommit: Some(2),
            somaxconn: Some(128),
            open_files: Some(1024),
            ..good
        };
        let findings = judged(&bad);
        for part in ["huge pages", "overcommit_memory = 2", "somaxconn = 128", "1024 files"] {
            assert_eq!(findings.mark_of(part), Some(Mark::Amiss), "{part}");
        }
        assert!(judged(&Kernel::default()).all().is_empty(), "nothing is known");
    }

    #[test]
    fn limits_of_a_process() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(
            open_files("Max open files            unlimited unlimited files"),
            Some(u64::MAX)
        );
        assert_eq!(open_files("Max processes 1 2"), None);
        let own = Kernel::read(Some(u64::from(std::process::id())));
        assert!(own.open_files.is_some() && Kernel::read(None).open_files >= own.open_files);
    }
}
