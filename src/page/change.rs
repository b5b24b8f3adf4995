//! What a change of an entry's value must know besides what it is to do.
//!
//! **Invariant:** all of it is in the log or follows from it, but for the identities, which mean nothing beyond saying
//! which content a checkpoint has.

use super::thresholds::Thresholds;
use super::{PageId, PageIds};
use crate::lsn::Lsn;

/// A change to the value of an entry.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// What tells it from others.
    pub mark: Mark<'a>,
    /// Up to which size containers keep the name of their compact encoding.
    pub thresholds: &'a Thresholds,
}

impl<'a> Change<'a> {
    /// To a value that is in no collection.
    pub const fn apart(thresholds: &'a Thresholds) -> Self {
        Self {
            mark: Mark::APART,
            thresholds,
        }
    }
}

/// What pages and parts are marked with when they change or are made.
#[derive(Clone, Copy)]
pub struct Mark<'a> {
    /// LSN of the record that the change belongs to.
    pub lsn: Lsn,
    /// Source of identities of the collection; `None` outside of one.
    pub page_ids: Option<&'a PageIds>,
}

impl Mark<'_> {
    /// Of what is in no collection.
    pub const APART: Self = Self {
        lsn: Lsn::ZERO,
        page_ids: None,
    };

    /// An identity never used before in the collection; none outside of one.
    pub fn new_id(&self) -> PageId {
        self.page_ids.map_or(PageId::NONE, PageIds::take)
    }
}
