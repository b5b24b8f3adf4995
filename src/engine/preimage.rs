//! Pre-images on their way from writers to the checkpointer.
//!
//! **Invariant:** a page's image is taken before its first change after the checkpoint's instant, so the set of images
//! and untouched pages is the data exactly at that instant.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::ids::CollectionId;
use super::index::PreImageSink;
use crate::engine::ids::ShardNo;
use crate::page::image::PageImage;

/// An image with where it belongs.
#[derive(Debug)]
pub struct Located {
    /// Which collection.
    pub collection_id: CollectionId,
    /// Which shard.
    pub shard: ShardNo,
    /// The page's content.
    pub image: PageImage,
}

/// See the module.
#[derive(Default)]
pub struct PreImages {
    queue: Mutex<Vec<Located>>,
    bytes: AtomicU64,
}

impl PreImages {
    /// Takes everything that is there.
    pub fn drain(&self) -> Vec<Located> {
        let taken = std::mem::take(&mut *self.queue.lock());
        let bytes: u64 = taken.iter().map(|located| located.image.content.len() as u64).sum();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        taken
    }

    /// Bytes waiting; writers hold back while this is large.
    pub fn waiting_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl PreImageSink for PreImages {
    fn take(&self, collection_id: CollectionId, shard: ShardNo, image: PageImage) {
        self.bytes.fetch_add(image.content.len() as u64, Ordering::Relaxed);
        self.queue.lock().push(Located {
            collection_id,
            shard,
            image,
        });
    }
}
