//! Files of a size with all types in them: what each peer writes loads, and what is exported loads in each.
//! `LOKIKV_FILE_MIB=1024` makes them that large; times and the most memory are told.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::args;
use crate::families::fill_more;
use crate::fill::fill;
use crate::format::started_with;
use crate::live::PEERS;
use crate::place::Place;
use crate::support::{Conn, Rng, Value, env_number};

/// Runs lokikv there; how long that took, and how much memory it needed at most.
#[expect(clippy::zombie_processes, reason = "wait4 waits for it")]
fn measured(place: &Place, arguments: &[&str]) -> (Duration, u64) {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(arguments).current_dir(place.home.path());
    let child = command.stdout(Stdio::null()).spawn().expect("start lokikv");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: the child is ours and not waited for; both pointers are to places of their types.
    let waited = unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!(waited, child.id() as i32);
    assert!(ExitStatus::from_raw(status).success(), "{arguments:?}");
    // SAFETY: zeroes are a value of it, and the kernel has filled it.
    let usage = unsafe { usage.assume_init() };
    (begun.elapsed(), usage.ru_maxrss as u64 * 1024)
}

/// Adds keys of all types, some large, until there are about so many bytes of them.
fn fill_up(conn: &mut Conn, bytes: u64) {
    let mut rng = Rng::new(1);
    let (mut sum, mut n) = (0_u64, 0_u64);
    while sum < bytes {
        let mut commands = Vec::new();
        for _ in 0..64 {
            n += 1;
            let key = format!("filler:{n}");
            // So that it does not become less by being packed.
            let text = |rng: &mut Rng, len: usize| rng.bytes(len);
            let large = if n.is_multiple_of(500) { 100_000 } else { 300 };
            commands.push(match n % 6 {
                0 => args!["SET", key, text(&mut rng, large)],
                1 => args!["RPUSH", key, text(&mut rng, large), "12", text(&mut rng, 70)],
                2 => args!["SADD", key, text(&mut rng, 90), text(&mut rng, large), "7"],
                3 => args!["HSET", key, "a", text(&mut rng, large), text(&mut rng, 20), "1"],
                4 => args!["ZADD", key, "1.5", text(&mut rng, large), "-3", text(&mut rng, 60)],
                _ => args!["XADD", key, format!("{n}-1"), "field", text(&mut rng, large)],
            });
            sum += large as u64 + 20;
        }
        for reply in conn.pipeline(&commands).expect("fill") {
            assert!(!reply.is_error(), "{reply}");
        }
    }
}

#[test]
fn large_files_come_in_and_go_out() {
    let bytes = env_number("LOKIKV_FILE_MIB", 4) << 20;
    for (start, version) in PEERS {
        let source = start(&[]);
        let mut conn = source.connect();
        fill(&mut conn);
        if version != "10" {
            fill_more(&mut conn);
        }
        crate::fill::drop_streams(&mut conn);
        fill_up(&mut conn, bytes);
        assert_eq!(conn.call(&["SAVE"]), Value::ok());
        let digest = conn.call(&["DEBUG", "DIGEST"]);
        let file = fs::read(source.data_dir().join("dump.rdb")).expect("what was saved");
        drop((conn, source));
        let place = Place::new(&file);
        let (came_in, memory) = measured(&place, &["import", "dump.rdb", "--data-dir", "data"]);
        let out = ["export", "--data-dir", "data", "--rdb-version", version, "out.rdb"];
        let (went_out, memory_out) = measured(&place, &out);
        let exported = fs::read(place.path("out.rdb")).expect("what was exported");
        println!(
            "version {version}: {} MiB in within {came_in:.1?} and {} MiB of memory, {} MiB out within {went_out:.1?} and {} MiB",
            file.len() >> 20,
            memory >> 20,
            exported.len() >> 20,
            memory_out >> 20
        );
        assert!(file.len() as u64 >= bytes, "{} bytes only", file.len());
        // All of it is in memory once, and a little more.
        assert!(memory < 3 * file.len() as u64 + (256 << 20), "{memory} bytes of memory");
        let back = started_with(start(&[]), &exported);
        assert_eq!(back.connect().call(&["DEBUG", "DIGEST"]), digest, "{version}");
    }
}
