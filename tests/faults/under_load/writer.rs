//! A client that writes to keys of its own, and can tell what they were to hold after each of its operations.
//!
//! **Invariants**
//! - `done` is what all acknowledged operations make; those from there to `sent` may be there or not, in order.
//! - Operations in `lost` were never done: the server was killed before.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::args;
use crate::support::conn::encode;
use crate::support::{Conn, Value};

use super::look;
use super::model::{Model, Op};

/// Operations that are sent at once.
const BATCH: u64 = 40;
/// A copy of the model is kept after so many operations.
const COPY_INTERVAL: u64 = 1 << 14;
/// Collections of writers, by number.
pub const COLLECTIONS: [(&str, &str); 3] = [("0", "hmap"), ("books", "bcust"), ("spare", "bdef")];

/// A moment of a writer.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// Its last operation.
    pub number: u64,
    pub model: Model,
    /// Records of all that it has done.
    pub records: u64,
}

/// What others see of a writer.
#[derive(Debug, Default)]
pub struct Shown {
    pub sent: AtomicU64,
    pub acknowledged: AtomicU64,
    pub writes: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub struct Writer {
    pub number: usize,
    seed: u64,
    done: Moment,
    sent: u64,
    lost: Vec<RangeInclusive<u64>>,
    copies: Vec<Moment>,
    pub shown: Arc<Shown>,
}

impl Writer {
    pub fn new(seed: u64, number: usize) -> Self {
        Self {
            number,
            seed,
            done: Moment::default(),
            sent: 0,
            lost: Vec::new(),
            copies: vec![Moment::default()],
            shown: Arc::default(),
        }
    }

    pub fn collection(&self) -> &'static str {
        COLLECTIONS[self.number % COLLECTIONS.len()].0
    }

    pub fn records(&self) -> u64 {
        self.done.records
    }

    fn op(&self, number: u64) -> Op {
        Op::new(self.seed, self.number, number)
    }

    fn was_done(&self, number: u64) -> bool {
        !self.lost.iter().any(|lost| lost.contains(&number))
    }

    /// Writes so many changes a second, until `stop` or the server is gone.
    pub fn write(&mut self, port: u16, rate: f64, stop: &AtomicBool) {
        let Ok(mut conn) = Conn::connect(port) else { return };
        if conn.try_call(&args!["SELECT", self.collection()]).is_err() {
            return;
        }
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let Ok(writes) = self.write_batch(&mut conn) else {
                return;
            };
            let now = Instant::now();
            // Who is late does not make up for all of it.
            due = due.max(now - Duration::from_millis(100)) + Duration::from_secs_f64(writes as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(now));
        }
    }

    fn write_batch(&mut self, conn: &mut Conn) -> io::Result<u64> {
        let numbers = self.sent + 1..=self.sent + BATCH;
        let ops: Vec<Op> = numbers.clone().map(|number| self.op(number)).collect();
        let (mut request, mut writes) = (Vec::new(), 0);
        for op in &ops {
            op.commands().iter().for_each(|command| encode(command, &mut request));
            writes += op.writes();
        }
        self.sent += BATCH;
        self.shown.sent.store(self.sent, Ordering::SeqCst);
        conn.send_raw(&request)?;
        for (number, op) in numbers.zip(&ops) {
            for _ in 1..op.commands().len() {
                let queued = conn.recv()?.value;
                assert!(!queued.is_error(), "{op:?}: {queued}");
            }
            let reply = conn.recv()?.value;
            let expected = self.advance(number, op);
            assert_eq!(reply, expected, "writer {}: {op:?}", self.number);
            self.shown.acknowledged.store(number, Ordering::SeqCst);
        }
        self.shown.writes.fetch_add(writes, Ordering::Relaxed);
        Ok(writes)
    }

    fn advance(&mut self, number: u64, op: &Op) -> Value {
        let (reply, has_record) = op.apply(&mut self.done.model);
        self.done.number = number;
        self.done.records += u64::from(has_record);
        if number.is_multiple_of(COPY_INTERVAL) {
            self.copies.push(self.done.clone());
        }
        reply
    }

    /// Takes note of which operations in flight a server that was killed has done: all that were acknowledged, and more
    /// of those that were sent, up to the last record of this writer.
    pub fn go_on(&mut self, conn: &mut Conn, last: (u64, u64)) {
        let records = self.behind(last).records;
        let acknowledged = self.done.records;
        assert!(
            records >= acknowledged,
            "writer {}: {records} of {acknowledged} records",
            self.number
        );
        while self.done.records < records {
            let number = self.done.number + 1;
            let op = self.op(number);
            self.advance(number, &op);
        }
        let found = look::read(conn, self);
        let model = &self.done.model;
        assert!(
            *model == found,
            "writer {}:\n{}",
            self.number,
            model.differences(&found)
        );
        if self.done.number < self.sent {
            self.lost.push(self.done.number + 1..=self.sent);
        }
    }

    /// Does the next operation that was done.
    fn step(&self, moment: &mut Moment) -> bool {
        moment.number += 1;
        if !self.was_done(moment.number) {
            return false;
        }
        let (_, has_record) = self.op(moment.number).apply(&mut moment.model);
        moment.records += u64::from(has_record);
        has_record
    }

    /// What there was after the operation of this number.
    pub fn at(&self, number: u64) -> Moment {
        let copy = self.copies.iter().rfind(|copy| copy.number <= number);
        let mut moment = copy.expect("the first one").clone();
        while moment.number < number {
            self.step(&mut moment);
        }
        moment
    }

    /// What there was so many records after a marked operation.
    pub fn behind(&self, (mark, records): (u64, u64)) -> Moment {
        let mut moment = self.at(mark);
        let wanted = moment.records + records;
        while moment.records < wanted {
            assert!(
                moment.number < self.sent,
                "writer {} has more records than it sent",
                self.number
            );
            self.step(&mut moment);
        }
        moment
    }

    /// How many records this writer had when it had just this. There may be several answers: what one operation has put
    /// there, another may have removed.
    pub fn records_of(&self, found: &Model, what: &str) -> Vec<u64> {
        let first = self.at(found.mark);
        let mut moment = first.clone();
        let mut records = Vec::new();
        while moment.number <= self.sent && moment.model.mark == found.mark {
            if moment.model == *found && records.last() != Some(&moment.records) {
                records.push(moment.records);
            }
            self.step(&mut moment);
        }
        let differences = first.model.differences(found);
        assert!(
            !records.is_empty(),
            "{what}: writer {} never had this:\n{differences}",
            self.number
        );
        records
    }
}
