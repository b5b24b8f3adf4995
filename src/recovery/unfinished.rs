//! What a restore builds, until it is whole.
//!
//! **Invariants**
//! - It is apart from where data is read from, and gets there by one rename: nobody takes half of it for the data.
//! - A new data directory whose restore was cut short is used by nobody; the same restore begins anew.

use std::path::Path;

use super::exchange::{RESTORED, SET_ASIDE};
use crate::storage::{Disk, LOCK_FILE};

/// Where a restore into a new directory builds the checkpoint.
pub const UNFINISHED: &str = "checkpoint.unfinished";

/// Removes a folder that a restore has built, and the files in it, if it is there. On a full disk this makes room. What
/// cannot be removed stays.
pub fn forget(disk: &dyn Disk, dir: &Path) {
    // No link is followed.
    if !std::fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir()) {
        return;
    }
    // The lock last: nobody else is to write there before the others are gone.
    let (locks, others): (Vec<_>, Vec<_>) = disk
        .list(dir)
        .unwrap_or_default()
        .into_iter()
        .partition(|name| name == LOCK_FILE);
    let names = others.into_iter().chain(locks);
    names.for_each(|name| drop(disk.remove(&dir.join(name))));
    let _ = disk.remove_dir(dir);
}

/// Removes what restores in place have built beside `checkpoints` and not begun to exchange: nothing is set aside by the
/// same name. The data directory is locked, and no exchange is pending there.
pub fn forget_built(disk: &dyn Disk, checkpoints: &Path) {
    let Some((parent, own)) = checkpoints.parent().zip(checkpoints.file_name()) else {
        return;
    };
    for name in disk.list(parent).unwrap_or_default() {
        let behind = name.to_str().zip(own.to_str());
        let stamp = behind.and_then(|(name, own)| name.strip_prefix(own)?.strip_prefix(&format!(".{RESTORED}-")));
        let Some(stamp) = stamp.filter(|stamp| is_stamp(stamp)) else {
            continue;
        };
        let mut aside = own.to_owned();
        aside.push(format!(".{SET_ASIDE}-{stamp}"));
        if !parent.join(aside).exists() {
            let built = parent.join(&name);
            tracing::warn!(
                "a restore in place was cut short before it took place: {} goes",
                built.display()
            );
            forget(disk, &built);
        }
    }
}

/// Whether it is a time and the number of a process, as restores in place have them in names.
fn is_stamp(text: &str) -> bool {
    let are_digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = text
        .split_once('T')
        .and_then(|(day, rest)| Some((day, rest.split_once("Z-")?)));
    parts.is_some_and(|(day, (time, process))| {
        are_digits(day, 8) && are_digits(time, 6) && !process.is_empty() && are_digits(process, process.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::RealDisk;

    #[test]
    fn only_what_restores_have_built_goes() {
        let home = tempfile::tempdir().unwrap();
        let built = "checkpoint.restored-20261130T223800Z-16";
        let others = [
            "checkpoint",
            "checkpoint.before-20261130T223800Z-17",
            "checkpoint.restored-by-me",
            "checkpoint.restored-2026-11-30T22-38-00",
            "checkpoint.restored-20261130T223800Z-",
            "checkpoint.restored-20261130T223800Z-18",
            "checkpoint.before-20261130T223800Z-18",
            "other.restored-20261130T223800Z-17",
        ];
        for name in others.into_iter().chain([built]) {
            std::fs::create_dir(home.path().join(name)).unwrap();
            std::fs::write(home.path().join(name).join("file"), "text").unwrap();
        }
        let link = home.path().join("checkpoint.restored-20261130T223800Z-19");
        std::os::unix::fs::symlink(home.path().join("checkpoint"), link).unwrap();
        forget_built(&RealDisk, &home.path().join("checkpoint"));
        for name in others {
            assert!(home.path().join(name).join("file").exists(), "{name}");
        }
        assert!(!home.path().join(built).exists());
    }
}
