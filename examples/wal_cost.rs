//! Measures the log: cost of a record for its producer, and CPU of the writer thread per record.
//!
//! `cargo run --release --example wal_cost -- DIR [PAYLOAD_BYTES] [SECONDS] [always|everysec|no]`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lokikv::storage::RealDisk;
use lokikv::wal::{Fsync, Lsn, Wal, WalOptions};

/// Records in a batch, as of a pipelining client.
const BATCH: u64 = 64;

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, writable timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time so far of the thread named "wal", from the scheduler's own count.
fn writer_cpu() -> std::io::Result<Duration> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == "wal" {
            let text = std::fs::read_to_string(task.join("schedstat"))?;
            let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
            return Ok(Duration::from_nanos(nanos.unwrap_or(0)));
        }
    }
    Err(std::io::ErrorKind::NotFound.into())
}

/// What a pair of `thread_cpu` calls costs by itself.
fn clock_cost() -> Duration {
    let pairs = (0..1000).map(|_| {
        let start = thread_cpu();
        thread_cpu() - start
    });
    pairs.sum::<Duration>() / 1000
}

/// Appends until told to stop, at a pace of `pause` per batch; returns records and the CPU spent in the log.
fn produce(wal: &Wal, payload: &[u8], stop: &AtomicBool, pause: Duration) -> (u64, Duration) {
    let mut log = wal.log();
    let clock = clock_cost();
    let (mut records, mut spent, mut next) = (0, Duration::ZERO, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let start = thread_cpu();
        for _ in 0..BATCH {
            log.begin();
            log.write(payload);
            log.commit(1);
        }
        log.submit();
        spent += (thread_cpu() - start).saturating_sub(clock);
        records += BATCH;
        next += pause;
        let now = Instant::now();
        if next > now + Duration::from_millis(1) || wal.over_pending() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    (records, spent)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args
        .next()
        .ok_or("usage: wal_cost DIR [PAYLOAD_BYTES] [SECONDS] [always|everysec|no]")?;
    let payload = vec![7u8; args.next().map_or(Ok(54), |text| text.parse())?];
    let seconds = args.next().map_or(Ok(4), |text| text.parse())?;
    let fsync = match args.next().as_deref() {
        Some("always") => Fsync::Always,
        Some("no") => Fsync::No,
        _ => Fsync::EverySec,
    };
    let wal = Wal::open(
        Arc::new(RealDisk),
        WalOptions {
            fsync,
            ..WalOptions::new(dir)
        },
        Lsn::FIRST,
    )?;
    let stop = AtomicBool::new(false);
    // Two producers of 500,000 records a second each: what a busy server makes.
    let pause = Duration::from_nanos(BATCH * 2_000);
    let results: Vec<(u64, Duration)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| produce(&wal, &payload, &stop, pause)))
            .collect();
        std::thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    wal.sync_blocking(wal.last_lsn())?;
    let stats = wal.stats();
    let cpu = writer_cpu()?;
    wal.close()?;
    let records: u64 = results.iter().map(|(records, _)| records).sum();
    let producers: Duration = results.iter().map(|(_, spent)| *spent).sum();
    let per = |time: Duration| time.as_nanos() / u128::from(records.max(1));
    println!("{records} records, {} per second", records / seconds);
    println!(
        "producer {} ns per record; writer thread {} ns",
        per(producers),
        per(cpu)
    );
    println!("{stats:?}");
    Ok(())
}
