//! A running server, by what it tells of itself.

use std::net::IpAddr;

use super::finding::{Findings, bytes};
use super::link::{Link, Table};
use super::memory;
use super::system::Kernel;
use crate::config::doctor_args::DoctorArgs;
use crate::config::server_url::ServerUrl;

/// A sync of the log that took so long is worth a look.
const LONG_SYNC_US: u64 = 1_000_000;
/// A call that takes so long keeps others of its worker waiting.
const LONG_CALL_US: f64 = 100_000.0;
/// So many seconds before its end a certificate is to be replaced.
const CERTIFICATE_S: i64 = 14 * 86_400;
/// A checkpoint is late after so many intervals.
const INTERVALS_MAX: u64 = 3;

/// Asks the server at `url`.
pub(super) fn look(args: &DoctorArgs, url: &ServerUrl, findings: &mut Findings) -> Result<(), String> {
    let mut link = Link::open(args, url)?;
    let info = link.info().map_err(|error| format!("{url}: {error}"))?;
    let config = link.config();
    if let Err(why) = &config {
        findings.note(
            format!("CONFIG GET is refused ({why}): its settings were not looked at"),
            "look as a user who may use CONFIG GET",
        );
    }
    let told = Told {
        info,
        config: config.unwrap_or_default(),
        has_password: url.password.is_some(),
    };
    told.judge(findings);
    if is_here(&url.host) {
        let pid = told.number("process_id");
        let kernel = Kernel::read(pid);
        let backlog = told.setting_number("tcp-backlog").unwrap_or_default();
        kernel.judge(told.number("maxclients").unwrap_or_default(), backlog, findings);
        memory::judge(
            told.number("maxmemory").unwrap_or_default(),
            memory::available(),
            findings,
        );
    } else {
        findings.note(
            "it is on another machine, whose kernel and disk were not looked at",
            "run lokikv doctor there, for the URL and for the data directory",
        );
    }
    Ok(())
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the server tells.
struct Told {
    info: Table,
    config: Table,
    has_password: bool,
}

impl Told {
    fn text(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }

    fn is_set(&self, name: &str) -> bool {
        self.number(name).is_some_and(|number| number > 0)
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(String::as_str)
    }

    fn setting_number(&self, name: &str) -> Option<u64> {
        self.setting(name)?.parse().ok()
    }

    fn judge(&self, findings: &mut Findings) {
        self.judge_version(findings);
        self.judge_log(findings);
        self.judge_checkpoints(findings);
        self.judge_room(findings);
        self.judge_memory(findings);
        self.judge_clients(findings);
        self.judge_safety(findings);
        self.judge_tls(findings);
        self.judge_latency(findings);
    }

    fn judge_version(&self, findings: &mut Findings) {
        let own = env!("CARGO_PKG_VERSION");
        let uptime_s = self.number("uptime_in_seconds").unwrap_or_default();
        match self.text("lokikv_version") {
            "" => findings.note(
                format!(
                    "it is no LokiKV but speaks as Redis {}: only what both tell was looked at",
                    self.text("redis_version")
                ),
                "",
            ),
            version if version == own => findings.good(format!("the server is lokikv {version}, up for {uptime_s} s")),
            version => findings.note(
                format!("the server is lokikv {version}, this is {own}"),
                "restart the server if it was upgraded, or look with its own binary",
            ),
        }
        if self.is_set("loading") {
            findings.note("it is still loading its data: look again when that is done", "");
        }
    }

    fn judge_log(&self, findings: &mut Findings) {
        let failure = self.text("wal_failure");
        if !failure.is_empty() {
            findings.fault(
                format!("the log has failed, and writes are refused: {failure}"),
                format!(
                    "mend what it says. After want of room it goes on by itself as soon as a checkpoint fits ({}); after \
                     anything else restart the server",
                    self.room_for_checkpoint()
                ),
            );
            return;
        }
        if self.text("aof_last_write_status") == "err" {
            findings.fault("the log was last not written to", "see the server's own log for why");
            return;
        }
        if self.text("wal_enabled") == "0" && self.setting("save") == Some("") {
            findings.note(
                "nothing is kept on disk: there is no log, and no checkpoint by time",
                "set wal.enabled = true if the data is more than a cache",
            );
        }
        let max_us = self.number("wal_fsync_max_us").unwrap_or_default();
        let delayed = self.number("aof_delayed_fsync").unwrap_or_default();
        if delayed > 0 || max_us >= LONG_SYNC_US {
            findings.fault(
                format!("the disk is slow to make the log durable: {:.0} ms at worst, and writes were held back {delayed} times for it", max_us as f64 / 1000.0),
                "give the log a disk of its own (storage.wal_dir), or find what else writes to this one; LATENCY DOCTOR tells when",
            );
        } else if self.is_set("wal_enabled") {
            let last_us = self.number("wal_fsync_last_us").unwrap_or_default();
            findings.good(format!(
                "the log is in order (fsync {}); its last sync took {:.2} ms, the longest {:.2} ms",
                self.text("wal_fsync"),
                last_us as f64 / 1000.0,
                max_us as f64 / 1000.0
            ));
        }
    }

    /// How much one may take: it has what has changed since the last one, and all data at most.
    fn room_for_checkpoint(&self) -> String {
        let all = bytes(self.number("used_memory").unwrap_or_default());
        match self.number("checkpoint_last_bytes").filter(|last| *last > 0) {
            Some(last) => format!("the last one took {}, one of all data takes up to {all}", bytes(last)),
            None => format!("one of all data takes up to {all}"),
        }
    }

    fn judge_checkpoints(&self, findings: &mut Findings) {
        let error = self.text("checkpoint_last_error");
        if !error.is_empty() || self.text("rdb_last_bgsave_status") == "err" {
            findings.fault(
                format!("the last checkpoint failed: {error}"),
                "mend what it says; until then the log grows, and so does the time of a start",
            );
            return;
        }
        let interval_s = self
            .setting("save")
            .and_then(|save| save.split(' ').next()?.parse::<u64>().ok());
        let age_s = self.age_of_checkpoint_s();
        let has_changes = self.is_set("rdb_changes_since_last_save");
        match (interval_s, age_s) {
            (Some(interval_s), Some(age_s))
                if has_changes && age_s > interval_s.saturating_mul(INTERVALS_MAX).max(60) =>
            {
                findings.fault(
                    format!("the newest checkpoint is {age_s} s old, though one is due every {interval_s} s"),
                    "look for what keeps the checkpointer: INFO lokikv (checkpoint_running), the load of the disk",
                );
            }
            (_, Some(age_s)) => findings.good(format!("the newest checkpoint is {age_s} s old")),
            (_, None) => {}
        }
    }

    fn age_of_checkpoint_s(&self) -> Option<u64> {
        let now_s = self.number("server_time_usec")? / 1_000_000;
        let saved_s = self.number("rdb_last_save_time")?;
        Some(now_s.saturating_sub(saved_s))
    }

    fn judge_room(&self, findings: &mut Findings) {
        let min = self.number("storage_free_bytes_min").unwrap_or_default();
        for (name, value) in &self.info {
            let folder = name
                .strip_prefix("storage_")
                .and_then(|name| name.strip_suffix("_free_bytes"));
            let (Some(folder), Ok(free)) = (folder, value.parse::<u64>()) else {
                continue;
            };
            if free < min.saturating_mul(4) {
                findings.fault(
                    format!(
                        "only {} are free for {folder}: below {} writes are refused",
                        bytes(free),
                        bytes(min)
                    ),
                    "make room, or keep fewer checkpoints (checkpoint.keep_count, checkpoint.keep_age_s)",
                );
            } else {
                findings.good(format!("{} are free for {folder}", bytes(free)));
            }
        }
        if self.is_set("storage_refuses_writes") || self.is_set("checkpoint_stops_writes") {
            findings.fault("writes are refused (MISCONF)", "see above for the reason");
        }
    }

    fn judge_memory(&self, findings: &mut Findings) {
        let (used, max) = (
            self.number("used_memory").unwrap_or_default(),
            self.number("maxmemory").unwrap_or_default(),
        );
        if max > 0 && used > max / 100 * 95 && self.text("maxmemory_policy") == "noeviction" {
            findings.fault(
                format!(
                    "{} of {} are used, and nothing may be evicted: writes will be refused",
                    bytes(used),
                    bytes(max)
                ),
                "raise memory.max_bytes, delete data, or choose an eviction policy (memory.policy)",
            );
        } else {
            findings.good(format!("{} are used by the data and its clients", bytes(used)));
        }
        let rss = self.number("used_memory_rss").unwrap_or_default();
        if rss > (256 << 20) && rss / 2 > used {
            findings.note(
                format!("the process has {}, twice as much as is used", bytes(rss)),
                "that is what was freed and not given back; MEMORY PURGE gives back what it can",
            );
        }
    }

    fn judge_clients(&self, findings: &mut Findings) {
        let (now, max) = (
            self.number("connected_clients").unwrap_or_default(),
            self.number("maxclients").unwrap_or_default(),
        );
        if max > 0 && now > max / 10 * 9 {
            findings.fault(
                format!("{now} of {max} clients are connected"),
                "raise server.maxclients, close what is idle (server.timeout_s), or use pools in applications",
            );
        } else {
            findings.good(format!("{now} of {max} clients are connected"));
        }
        let rejected = self.number("rejected_connections").unwrap_or_default();
        if rejected > 0 {
            findings.fault(
                format!("{rejected} connections were turned away since the start, or since CONFIG RESETSTAT"),
                "raise server.maxclients, and the limit on open files with it",
            );
        }
    }

    fn judge_safety(&self, findings: &mut Findings) {
        let Some(bind) = self.setting("bind") else { return };
        let is_open = bind.split_whitespace().any(|address| {
            let address = address.trim_start_matches('-');
            !is_here(address)
        });
        if is_open && !self.has_password && self.setting("protected-mode") == Some("no") {
            findings.fault(
                format!("whoever reaches {bind} may do everything: there is no password, and protected mode is off"),
                "set server.requirepass or ACL users, or bind to 127.0.0.1",
            );
        }
        if let Some(debug) = self.setting("enable-debug-command").filter(|debug| *debug == "yes") {
            findings.fault(
                format!("DEBUG is there for every client (server.enable_debug_command = \"{debug}\"), and can stop the server"),
                "set it to \"no\", or to \"local\"",
            );
        }
    }

    fn judge_tls(&self, findings: &mut Findings) {
        for (name, what) in [
            ("tls_server_cert", "the server's certificate"),
            ("tls_ca_cert", "its authority's certificate"),
        ] {
            let Ok(left_s) = self.text(&format!("{name}_expires_in_seconds")).parse::<i64>() else {
                continue;
            };
            if left_s < CERTIFICATE_S {
                findings.fault(
                    format!("{what} expires in {} days", left_s / 86_400),
                    "replace its file: the server reads it again by itself",
                );
            } else {
                findings.good(format!("{what} is good for {} days", left_s / 86_400));
            }
        }
        if self.text("tls_last_reload_status") == "err" {
            findings.fault(
                format!(
                    "the files of TLS have changed and cannot be used: {}",
                    self.text("tls_last_reload_error")
                ),
                "mend them: until then connections get what there was before",
            );
        }
    }

    /// Commands of which one in a thousand, or whatever is told last, took very long.
    fn judge_latency(&self, findings: &mut Findings) {
        for (name, percentiles) in &self.info {
            let Some(command) = name.strip_prefix("latency_percentiles_usec_") else {
                continue;
            };
            let slowest = percentiles.rsplit(',').next().and_then(|last| last.split_once('='));
            let Some((percentile, Ok(micros))) = slowest.map(|(name, value)| (name, value.parse::<f64>())) else {
                continue;
            };
            if micros >= LONG_CALL_US {
                findings.note(
                    format!("{command} is slow: {percentile} is {:.0} ms", micros / 1000.0),
                    "SLOWLOG GET shows which calls; others of the same worker wait meanwhile",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::super::link::fields;
    use super::*;

    const WELL: &str = "lokikv_version:0.1.0\r\nuptime_in_seconds:5\r\nwal_enabled:1\r\nwal_fsync:everysec\r\n\
        wal_fsync_last_us:900\r\nwal_fsync_max_us:20000\r\naof_delayed_fsync:0\r\nwal_failure:\r\n\
        checkpoint_last_error:\r\nrdb_last_bgsave_status:ok\r\nrdb_last_save_time:1000\r\n\
        server_time_usec:1100000000\r\nrdb_changes_since_last_save:7\r\nstorage_free_bytes_min:67108864\r\n\
        storage_log_free_bytes:99999999999\r\nstorage_refuses_writes:0\r\nused_memory:1000\r\nmaxmemory:100000\r\n\
        maxmemory_policy:noeviction\r\nconnected_clients:1\r\nmaxclients:10000\r\nrejected_connections:0\r\n\
        tls_server_cert_expires_in_seconds:8640000\r\nlatency_percentiles_usec_get:p50=1.000,p99.9=900.000\r\n";

    fn judged(changes: &[(&str, &str)], settings: &[(&str, &str)]) -> Findings {
        let mut told = Told {
            info: fields(WELL),
            config: fields("save:300 1\nbind:127.0.0.1 -::1\nprotected-mode:yes\nenable-debug-command:no\n"),
            has_password: false,
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        told.info.extend(changes.iter().map(owned));
        told.config.extend(settings.iter().map(owned));
        let mut findings = Findings::default();
        told.judge(&mut findings);
        findings
    }

    #[test]
    fn a_server_that_is_well_has_nothing_amiss() {
        let findings = judged(&[], &[]);
        assert_eq!(findings.amiss(), 0);
        assert_eq!(findings.mark_of("newest checkpoint is 100 s old"), Some(Mark::Good));
    }

    #[test]
    fn each_trouble_is_found_alone() {
        for (name, value, part) in [
            ("wal_failure", "disk full", "the log has failed"),
            ("aof_last_write_status", "err", "not written to"),
            ("wal_fsync_max_us", "1500000", "1500 ms at worst"),
            ("aof_delayed_fsync", "3", "held back 3 times"),
            ("checkpoint_last_error", "no room", "checkpoint failed: no room"),
            ("rdb_last_save_time", "1", "is 1099 s old"),
            ("storage_log_free_bytes", "100000000", "are free for log"),
            ("storage_refuses_writes", "1", "MISCONF"),
            ("used_memory", "99000", "nothing may be evicted"),
            ("connected_clients", "9500", "9500 of 10000"),
            ("rejected_connections", "2", "2 connections were turned away"),
            ("tls_server_cert_expires_in_seconds", "86500", "expires in 1 days"),
            ("tls_last_reload_status", "err", "cannot be used"),
        ] {
            let findings = judged(&[(name, value)], &[]);
            assert_eq!(
                (findings.amiss(), findings.mark_of(part)),
                (1, Some(Mark::Amiss)),
                "{name}"
            );
        }
        let remedy = |last: &str| {
            let findings = judged(&[("wal_failure", "disk full"), ("checkpoint_last_bytes", last)], &[]);
            let mut all = findings.all().iter();
            all.find(|finding| finding.mark == Mark::Amiss).unwrap().remedy.clone()
        };
        let all = "one of all data takes up to 1000 bytes)";
        assert!(remedy("2048").contains(&format!("the last one took 2.0 KiB, {all}")));
        assert!(remedy("0").contains(&format!("fits ({all}")));
        let open = [("bind", "* -::*"), ("protected-mode", "no")];
        assert_eq!(judged(&[], &open).mark_of("may do everything"), Some(Mark::Amiss));
        assert_eq!(judged(&[], &open[..1]).amiss(), 0, "protected");
        assert_eq!(judged(&[], &[("enable-debug-command", "yes")]).amiss(), 1);
    }

    #[test]
    fn what_is_worth_knowing_is_noted() {
        for (name, value, part) in [
            (
                "latency_percentiles_usec_keys",
                "p50=1.000,p99.9=250000.000",
                "keys is slow: p99.9 is 250 ms",
            ),
            ("lokikv_version", "9.9.9", "the server is lokikv 9.9.9"),
            ("lokikv_version", "", "it is no LokiKV"),
            ("used_memory_rss", "999999999", "twice as much"),
            ("loading", "1", "still loading"),
        ] {
            let findings = judged(&[(name, value)], &[]);
            assert_eq!(
                (findings.amiss(), findings.mark_of(part)),
                (0, Some(Mark::Note)),
                "{name}"
            );
        }
        assert_eq!(
            judged(&[("wal_enabled", "0")], &[("save", "")]).mark_of("nothing is kept"),
            Some(Mark::Note)
        );
    }
}
