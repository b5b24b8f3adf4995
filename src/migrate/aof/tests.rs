//! Files of commands, read in pieces, cut and mutated.

use std::io::Read;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::reader::{CommandReader, Next};

/// Gives at most seven bytes at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = out.len().min(self.0.len()).min(7);
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

/// What is read, as text with the place of each, and where it ends.
fn read(mut reader: CommandReader<impl Read>) -> (Vec<String>, String) {
    let mut found = Vec::new();
    loop {
        match reader.read_next() {
            Ok(Next::Command) => {
                let words: Vec<String> = reader
                    .command()
                    .iter()
                    .map(|arg| arg.escape_ascii().to_string())
                    .collect();
                found.push(format!("{} {}", reader.begins(), words.join(" ")));
            }
            Ok(Next::Time(second)) => found.push(format!("time {second}")),
            Ok(end) => return (found, format!("{end:?} {}", reader.begins())),
            Err(why) => return (found, why.to_string()),
        }
    }
}

const LOG: &[u8] =
    b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n# a remark\r\n*1\r\n$2\r\n\r\n\r\n";

#[test]
fn commands_come_with_their_places() {
    let expected = ["100 SELECT 0", "time 1700000000", "139 PING", "165 \\r\\n"];
    let (found, end) = read(CommandReader::new(LOG, 100));
    assert_eq!(found, expected);
    assert_eq!(end, format!("End {}", 100 + LOG.len()));
    assert_eq!(read(CommandReader::new(Drip(LOG), 100)).0, expected);
}

#[test]
fn a_file_may_end_anywhere() {
    let boundaries = [0, 23, 39, 53, 65, LOG.len()];
    for cut in 0..LOG.len() {
        let (_, end) = read(CommandReader::new(Drip(&LOG[..cut]), 0));
        let last = boundaries.iter().rfind(|boundary| **boundary <= cut).unwrap();
        let expected = if boundaries.contains(&cut) { "End" } else { "Torn" };
        assert_eq!(end, format!("{expected} {last}"), "{cut}");
    }
}

#[test]
fn what_is_no_command_is_an_error_with_its_place() {
    for (text, why) in [
        (&b"*1\r\n$4\r\nPING\r\nPING\r\n"[..], "byte 14: no command begins there"),
        (b"*x\r\n", "byte 0: no command begins there"),
        (b"*1\r\n$-5\r\n", "byte 0: no command begins there"),
        (b"*1\r\n4\r\nPING\r\n", "byte 0: no command begins there"),
    ] {
        let (_, end) = read(CommandReader::new(text, 0));
        assert!(end.starts_with(why), "{end}");
    }
    let endless = [b"#".repeat(300_000), b"\n".to_vec()].concat();
    assert!(read(CommandReader::new(endless.as_slice(), 0)).1.starts_with("byte 0"));
}

#[test]
fn long_commands_come_whole_through_small_reads() {
    let big = "b".repeat(200_000);
    let mut log = Vec::new();
    for n in 0..3 {
        log.extend(format!("*3\r\n$3\r\nSET\r\n$1\r\n{n}\r\n$200000\r\n{big}\r\n").into_bytes());
    }
    let mut many = format!("*{}\r\n", 20_000).into_bytes();
    many.extend(b"$3\r\nabc\r\n".repeat(20_000));
    log.extend(&many);
    let (found, end) = read(CommandReader::new(Drip(&log), 0));
    assert_eq!((found.len(), end), (4, format!("End {}", log.len())));
    assert!(found[..3].iter().all(|line| line.ends_with(&big)));
    assert_eq!(found[3].split(' ').count(), 1 + 20_000);
}

#[test]
fn mutated_files_end() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut errors = 0;
    for _ in 0..2_000 {
        let mut log = LOG.repeat(3);
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..log.len());
            match rng.random_range(0..3) {
                0 => log.truncate(at.max(1)),
                1 => log[at] = rng.next_u32() as u8,
                _ => log.insert(at, b'9'),
            }
        }
        let (found, end) = read(CommandReader::new(log.as_slice(), 0));
        assert!(found.len() <= 40);
        errors += u32::from(end.starts_with("byte "));
    }
    assert!(errors > 300, "{errors}");
}
