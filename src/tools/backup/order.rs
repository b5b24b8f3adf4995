//! Which of several backups is the newest, and which of them has a moment, also where clocks were wrong.
//!
//! **Invariants**
//! - Of one data set that is the newer whose last record is, since LSNs only grow in it: clocks go back.
//! - Where no clock went back, it is the order in which they were taken.
//! - A backup that was taken by a later time than a newer one of its data set is not trusted with times.

use super::manifest::Manifest;
use super::store::{Age, Backup};
use crate::recovery::{Until, moment};

/// Puts them in order, oldest first. Those of different data sets are ordered by time: that of a backup is at most that
/// of any newer one of its data set.
pub fn in_order(mut backups: Vec<Backup>) -> Vec<Backup> {
    backups.sort_by_cached_key(|backup| {
        let manifest = &backup.manifest;
        (manifest.data_set.clone(), manifest.lsn, backup.age())
    });
    let mut aged: Vec<(Age, Backup)> = Vec::with_capacity(backups.len());
    for backup in backups.into_iter().rev() {
        let mut age = backup.age();
        if let Some((newer_age, newer)) = aged.last()
            && newer.manifest.data_set == backup.manifest.data_set
        {
            age = age.min(newer_age.clone());
        }
        aged.push((age, backup));
    }
    aged.reverse();
    // It is stable: those of a data set stay as they are.
    aged.sort_by(|(one, _), (other, _)| one.cmp(other));
    aged.into_iter().map(|(_, backup)| backup).collect()
}

/// Whether `older`, which is before `newer` in the order, was taken by a later time.
fn went_back(older: &Backup, newer: &Backup) -> bool {
    older.manifest.data_set == newer.manifest.data_set && older.manifest.taken_ms > newer.manifest.taken_ms
}

/// What is worth knowing of the one at `at`, if it is taken as the newest: an older one bears a later time.
pub fn doubt(backups: &[Backup], at: usize) -> Option<String> {
    let newest = backups.get(at)?;
    let older = backups.iter().take(at).rfind(|older| went_back(older, newest))?;
    Some(format!(
        "{} bears a later time than {}, which has the later records of the same data set and is taken: a clock went \
         back, or the server was set back to older data",
        older.dir.display(),
        newest.dir.display()
    ))
}

/// What a search comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It is the one at this place.
    At(usize),
    /// One bears that time, and is not trusted with it, for the reason told.
    Doubtful(String),
    /// None has it.
    Nowhere,
}

/// Finds the newest that has that moment, among backups in their order; without a moment the newest of all.
pub fn find(backups: &[Backup], until: Option<Until>) -> Found {
    let Some(until) = until else {
        return backups.len().checked_sub(1).map_or(Found::Nowhere, Found::At);
    };
    let mut doubtful: Option<(&Backup, &Backup)> = None;
    // One that may have it is a last resort: what it has not cannot be restored from it.
    let ways: [fn(&Manifest, Until) -> bool; 2] = [Manifest::has, Manifest::may_have];
    for has in ways {
        for (at, backup) in backups.iter().enumerate().rev() {
            // Another server's is not what is wanted instead.
            let is_other = doubtful.is_some_and(|(one, _)| one.manifest.data_set != backup.manifest.data_set);
            if is_other || !has(&backup.manifest, until) {
                continue;
            }
            let mut newer = backups.iter().skip(at);
            match newer.find(|newer| backup.manifest.is_of_span(until) && went_back(backup, newer)) {
                None => return Found::At(at),
                Some(newer) => doubtful = doubtful.or(Some((backup, newer))),
            }
        }
    }
    doubtful.map_or(Found::Nowhere, |(older, newer)| {
        Found::Doubtful(format!(
            "{}: whether it has {} cannot be told: it bears a later time than {}, which has later records of the same \
             data set: a clock went back, or the server was set back to older data; restore from one of them alone, or \
             to an LSN",
            older.dir.display(),
            in_words(until),
            newer.dir.display()
        ))
    })
}

/// A moment for people.
pub fn in_words(until: Until) -> String {
    match until {
        Until::Lsn(lsn) => format!("LSN {lsn}"),
        Until::Time(at_ms) => moment::show(at_ms),
    }
}
