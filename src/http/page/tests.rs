//! The page from data made up.

use std::time::{Duration, Instant};

use super::data::*;
use super::*;
use crate::lsn::Lsn;
use crate::metrics::history::{Latency, Levels, MARKS_MAX, Mark, Outcome, PERIOD, SAMPLES_MAX, Sample, Taken};

const NOW_MS: u64 = 1_764_057_600_000;

fn empty() -> PageData {
    PageData {
        // Far enough from the machine's start to go an hour back.
        now: Instant::now() + Duration::from_secs(10_000),
        now_ms: NOW_MS,
        problems: Vec::new(),
        figures: Figures {
            version: "0.1.0".to_owned(),
            state: "ready".to_owned(),
            log: Some(LogFigures::default()),
            ..Figures::default()
        },
        samples: Vec::new(),
        marks: Vec::new(),
        snapshots: Snapshots::default(),
        collections: Collections::default(),
        slow: Vec::new(),
        slow_from_us: 10_000,
        clients: Vec::new(),
        warnings: Vec::new(),
        choice: Choice::default(),
        may: May {
            see_slow_commands: true,
            see_clients: true,
        },
    }
}

fn sample(data: &PageData, age: u32, value: u64) -> Sample {
    Sample {
        at: data.now - PERIOD * age,
        requests_per_s: value as f64,
        latency: Latency {
            p50_nanos: Some(1 << (value % 24)),
            p99_nanos: (!value.is_multiple_of(7)).then_some(1 << ((value + 3) % 24)),
        },
        log_bytes_per_s: (value * 31) as f64,
        levels: Levels {
            used_bytes: value * 1_000_003,
            rss_bytes: value * 1_200_007,
            log_disk_bytes: value * 777,
            log_lag_records: 0,
            fsync_us: value % 9_999,
        },
    }
}

/// Everything at its greatest, and each text made of what grows most when it is escaped.
fn full() -> PageData {
    let mut data = empty();
    let name = "\"".repeat(NAME_LETTERS_MAX);
    let line = "\"".repeat(LINE_LETTERS_MAX) + "…";
    let scattered = |n: u64| n.wrapping_mul(6_364_136_223_846_793_005) >> 33;
    data.samples = (0..SAMPLES_MAX as u32)
        .rev()
        .map(|age| sample(&data, age, scattered(u64::from(age) + 1)))
        .collect();
    let mark = |n: u32| Mark {
        at: data.now - PERIOD * (n * 11),
        outcome: Outcome::Taken(Taken {
            id: u64::MAX - u64::from(n),
            lsn: Lsn::MAX,
            age: Duration::ZERO,
            bytes: 1,
            millis: 1,
        }),
    };
    data.marks = (0..MARKS_MAX as u32).rev().map(mark).collect();
    data.problems = vec![line.clone(); PROBLEMS_MAX];
    data.snapshots.kept = (0..SNAPSHOTS_MAX as u64)
        .map(|n| SnapshotRow {
            id: u64::MAX - n,
            lsn: u64::MAX,
            wall_ms: NOW_MS - (SNAPSHOTS_MAX as u64 - n) * 300_000,
            keys: u64::MAX,
            new_bytes: u64::MAX,
            shared_bytes: u64::MAX,
            is_pinned: n % 3 == 0,
            kept: Kept::Until(NOW_MS),
            restores: Restores::AnyTo(u64::MAX),
        })
        .collect();
    data.snapshots.count = 1000;
    data.snapshots.log_from_ms = Some(NOW_MS - 900_000);
    data.snapshots.whole = vec![(NOW_MS - 900_000, NOW_MS); SNAPSHOTS_MAX];
    let collection = CollectionRow {
        name: name.clone(),
        kind: "BCUST",
        is_attached: true,
        keys: u64::MAX,
        expires: u64::MAX,
        bytes: u64::MAX,
        reads: u64::MAX,
        writes: u64::MAX,
        evicted: u64::MAX,
    };
    data.collections.rows = vec![collection; COLLECTIONS_MAX];
    data.collections.count = 1000;
    let slow = SlowCommand {
        at_s: NOW_MS / 1000,
        micros: u64::MAX,
        line: line.clone(),
        addr: "x".repeat(ADDRESS_LETTERS_MAX),
        name: name.clone(),
    };
    data.slow = vec![slow; SLOW_MAX];
    let client = Client {
        id: u64::MAX,
        addr: "x".repeat(ADDRESS_LETTERS_MAX),
        name: name.clone(),
        user: name,
        database: u32::MAX,
        age_s: u64::MAX,
        idle_s: u64::MAX,
        held_bytes: u64::MAX,
        requests: u64::MAX,
        command: "x".repeat(32),
    };
    data.clients = vec![client; CLIENTS_MAX];
    data.figures.clients = u64::MAX;
    let warning = WarningLine {
        at_ms: NOW_MS,
        level: "ERROR",
        text: line,
    };
    data.warnings = vec![warning; WARNINGS_MAX];
    data
}

#[test]
fn an_empty_server_has_a_page() {
    let page = render(&empty());
    for expected in [
        "<!DOCTYPE html><html lang=\"en\">",
        "The first sample comes after some seconds.",
        "No checkpoint has been taken yet.",
        "No command took 10.00 ms or longer.",
        "No client is connected.",
        "Nothing since the start.",
        "role=\"status\">ready<",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("role=\"alert\""));
}

#[test]
fn one_sample_is_a_dot() {
    let mut data = empty();
    data.samples = vec![sample(&data, 2, 5)];
    let page = render(&data);
    assert!(page.contains("<path class=\"line a\" d=\"M718 0l0 0\">"), "{page}");
    assert!(page.contains("now <b>5/s</b>, highest 5/s"));
    assert!(!page.contains("The first sample"));
}

#[test]
fn the_largest_page_is_within_its_bound() {
    let page = render(&full());
    assert!(page.len() < BYTES_MAX, "{}", page.len());
    assert!(STYLE.len() < 8 << 10);
}

#[test]
fn what_clients_name_is_text() {
    let evil = "<script>alert(\"1\")</script><a href='x' onload=y>&";
    let mut data = empty();
    data.problems = vec![evil.to_owned()];
    data.collections.rows = vec![CollectionRow {
        name: evil.to_owned(),
        ..CollectionRow::default()
    }];
    data.slow = vec![SlowCommand {
        line: evil.to_owned(),
        addr: evil.to_owned(),
        name: evil.to_owned(),
        ..SlowCommand::default()
    }];
    data.clients = vec![Client {
        addr: evil.to_owned(),
        name: evil.to_owned(),
        user: evil.to_owned(),
        command: evil.to_owned(),
        ..Client::default()
    }];
    data.warnings = vec![WarningLine {
        text: evil.to_owned(),
        ..WarningLine::default()
    }];
    let page = render(&data);
    let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&lt;a href='x' onload=y&gt;&amp;";
    assert_eq!(page.matches(escaped).count(), 10);
    assert!(!page.contains("<script") && !page.contains("<a href='x'"));
}

#[test]
fn who_may_not_see_others_sees_figures_alone() {
    let mut data = full();
    data.may = May {
        see_slow_commands: false,
        see_clients: false,
    };
    let page = render(&data);
    assert_eq!(page.matches("users who may run <code>SLOWLOG GET</code>").count(), 2);
    assert_eq!(page.matches("users who may run <code>CLIENT LIST</code>").count(), 1);
    assert!(!page.contains("aria-label=\"Clients\"") && page.contains("aria-label=\"Collections\""));
}

#[test]
fn nothing_needs_a_script_or_another_server() {
    let page = render(&full());
    for forbidden in ["<script", " style=", "javascript:", "onclick", "src=", "<form"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let links = page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    for link in links {
        let is_own = link.starts_with(['#', '?', '/']) && !link.starts_with("//");
        assert!(is_own, "{link}");
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}

#[test]
fn choices_stay_in_links() {
    let choice = Choice::parse("sort=-keys&refresh=1&x&y=z");
    assert_eq!(
        choice,
        Choice {
            sort: Sort::parse("-keys").unwrap(),
            is_refreshed: true
        }
    );
    assert_eq!(Choice::parse("sort=%3Cscript%3E&refresh=9"), Choice::default());
    let mut data = empty();
    data.choice = choice;
    let page = render(&data);
    assert!(
        page.contains("aria-sort=\"ascending\"><a href=\"?sort=keys&amp;refresh=1#collections\">keys<"),
        "{page}"
    );
    assert!(page.contains("<a href=\"?sort=-keys\">Stop refreshing<"));
    assert!(page.contains("<meta http-equiv=\"refresh\" content=\"10\">"));
    assert!(!render(&empty()).contains("http-equiv"));
}

#[test]
fn checkpoints_are_marked_and_told() {
    let mut data = empty();
    data.samples = vec![sample(&data, 1, 5), sample(&data, 0, 6)];
    data.marks = vec![
        Mark {
            at: data.now - PERIOD,
            outcome: Outcome::Taken(Taken {
                id: 77,
                lsn: Lsn::new(9),
                age: PERIOD,
                bytes: 1,
                millis: 1,
            }),
        },
        Mark {
            at: data.now,
            outcome: Outcome::Failed,
        },
    ];
    let row = |id, age_s: u64, kept, restores| SnapshotRow {
        id,
        lsn: id * 1000,
        wall_ms: NOW_MS - age_s * 1000,
        new_bytes: 2048,
        shared_bytes: 4096,
        kept,
        restores,
        ..SnapshotRow::default()
    };
    data.snapshots.kept = vec![
        row(5, 7200, Kept::Until(NOW_MS + 5000), Restores::Instant),
        row(77, 60, Kept::Newest(2), Restores::AnySince),
    ];
    data.snapshots.kept[0].is_pinned = true;
    data.snapshots.count = 2;
    data.snapshots.log_from_ms = Some(NOW_MS - 60_000);
    data.snapshots.whole = vec![(NOW_MS - 60_000, NOW_MS), (NOW_MS - 7_200_000, NOW_MS - 3_600_000)];
    let page = render(&data);
    for expected in [
        "<path class=\"mark\" d=\"M719 0v100\"></path><path class=\"mark failed\" d=\"M720 0v100\">",
        ", checkpoint 77, a checkpoint failed</title>",
        "CHECKPOINT RESTORE TO 2025-11-25T07:59:00Z",
        "<path class=\"dot a\" d=\"M991 30h0\"></path><path class=\"dot b\" d=\"M0 14h0\">",
        "<path class=\"log\" d=\"M991 50H1000\"></path><path class=\"log\" d=\"M0 50H500\">",
        "and at others that the log still has",
        "<td>2.00 KiB</td><td>4.00 KiB</td><td class=\"text\">pinned</td><td class=\"text\">this instant</td>",
        "<td class=\"text\">at least until 2 more are taken</td><td class=\"text\">any moment since</td>",
        "1 min 0 s ago",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
}
