//! One file of the fault disk: as it is, and as a power cut would find it.
//!
//! **Invariants**
//! - `common` bytes at the start of `live` and `durable` are equal, and so is what is from `changed_to` on.
//! - What a sync has made durable no sync that began earlier takes back.

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::storage::FileStamp;

/// Pages of the page cache reach the disk one by one, whole.
const PAGE_BYTES: usize = 4096;
/// Of a page that is being written when the power goes, some sectors reach the disk; each of them whole.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Default)]
pub(super) struct Inode {
    pub live: Vec<u8>,
    durable: Vec<u8>,
    common: usize,
    changed_to: usize,
    /// How many syncs have begun, and which of them was the last to begin of those that have ended.
    begun: u64,
    ended: u64,
    /// How often it was written to.
    changes: i64,
}

impl Inode {
    pub fn new(bytes: Vec<u8>) -> Self {
        let common = bytes.len();
        Self {
            durable: bytes.clone(),
            live: bytes,
            common,
            changed_to: common,
            begun: 0,
            ended: 0,
            changes: 0,
        }
    }

    /// As file number `inode`.
    pub fn stamp(&self, inode: u64) -> FileStamp {
        FileStamp {
            len: self.live.len() as u64,
            inode,
            modified: (self.changes, 0),
        }
    }

    /// Puts `bytes` at `at`, with zeroes before it where the file is shorter.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.changes += 1;
        if self.live.len() < end {
            self.common = self.common.min(self.live.len());
            self.live.resize(end, 0);
        }
        if let Some(place) = self.live.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        self.common = self.common.min(at);
        self.changed_to = self.changed_to.max(end);
    }

    /// Makes durable what `image` has.
    fn apply(&mut self, image: &Image) {
        self.durable.resize(image.len, 0);
        let end = image.at + image.bytes.len();
        if let Some(place) = self.durable.get_mut(image.at..end) {
            place.copy_from_slice(&image.bytes);
        }
        let (live, durable) = (self.live.get(image.at..), self.durable.get(image.at..));
        let (live, durable) = (live.unwrap_or_default(), durable.unwrap_or_default());
        let count = live
            .len()
            .min(durable.len())
            .min(self.changed_to.saturating_sub(image.at));
        let (live, durable) = (live.get(..count), durable.get(..count));
        self.common = if live == durable {
            self.live.len().min(self.durable.len())
        } else {
            let pairs = live.into_iter().flatten().zip(durable.into_iter().flatten());
            image.at + pairs.take_while(|(live, durable)| live == durable).count()
        };
    }

    /// A sync begins.
    pub fn begin_sync(&mut self) -> Image {
        self.begun += 1;
        let changed = self.common..self.changed_to.min(self.live.len()).max(self.common);
        Image {
            at: self.common,
            bytes: self.live.get(changed).unwrap_or_default().to_vec(),
            len: self.live.len(),
            number: self.begun,
        }
    }

    /// It ends. A file that was cut meanwhile keeps what it has: nothing is promised of such a sync. One that began
    /// later and has ended has made the same durable, and more.
    pub fn end_sync(&mut self, image: &Image) {
        if self.common >= image.at && image.number > self.ended {
            self.ended = image.number;
            self.apply(image);
        }
    }

    /// Ends the file at `len` bytes, not durably.
    pub fn truncate(&mut self, len: usize) {
        self.changes += 1;
        self.live.resize(len, 0);
        self.common = self.common.min(len);
        self.changed_to = len.max(self.durable.len());
    }

    /// Changes a byte, on the disk too; as nobody wrote it, no time tells.
    pub fn flip(&mut self, offset: usize, mask: u8) {
        for bytes in [&mut self.live, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= mask;
            }
        }
    }

    /// The synced part stays (or, after an unsynced truncation, perhaps all that was synced before it);
    /// behind it a random prefix of the unsynced bytes, in two cases of three with lost pages or sectors.
    pub fn crash(&mut self, random: &mut SmallRng) {
        let truncation_lost = self.durable.len() > self.common && random.random_bool(0.5);
        if truncation_lost {
            self.live = self.durable.clone();
        } else {
            let whole = self.live.len();
            let extra = whole - self.common;
            let kept = match random.random_range(0..3) {
                0 => 0,
                1 => extra,
                _ => random.random_range(0..=extra),
            };
            self.live.truncate(self.common + kept);
            // What was there already stays there, as it was.
            let old = self.durable.get(self.live.len()..whole.min(self.durable.len()));
            self.live.extend(old.unwrap_or_default().to_vec());
            match random.random_range(0..3) {
                0 => {}
                1 => self.lose(PAGE_BYTES, random),
                _ => self.lose(SECTOR_BYTES, random),
            }
        }
        *self = Inode::new(std::mem::take(&mut self.live));
    }

    /// Some units of the unsynced part have not reached the disk: there are zeroes, what was synced before, or, where
    /// nothing was, what other files have left there.
    fn lose(&mut self, unit: usize, random: &mut SmallRng) {
        let share = random.random_range(0.02..0.9);
        let mut start = self.common;
        while start < self.live.len() {
            let end = ((start / unit + 1) * unit).min(self.live.len());
            if random.random_bool(share) {
                let is_zeroed = start >= self.durable.len() && random.random_bool(0.5);
                for at in start..end {
                    let old = self.durable.get(at).copied().unwrap_or_else(|| random.random());
                    if let Some(byte) = self.live.get_mut(at) {
                        *byte = if is_zeroed { 0 } else { old };
                    }
                }
            }
            start = end;
        }
    }
}

/// What of a file a sync makes durable.
pub(super) struct Image {
    at: usize,
    bytes: Vec<u8>,
    len: usize,
    number: u64,
}
