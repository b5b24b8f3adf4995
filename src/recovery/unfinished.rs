//! What a restore builds, until it is whole.
//!
//! **Invariants**
//! - It is apart from where data is read from, and gets there by one rename: nobody takes half of it for the data.
//! - A new data directory whose restore was cut short is used by nobody; the same restore begins anew.

use std::path::Path;

use super::exchange::RESTORED;
use crate::storage::Disk;

/// Where a restore into a new directory builds the checkpoint.
pub const UNFINISHED: &str = "checkpoint.unfinished";

/// Removes a folder that a restore has built, and the files in it, if it is there. On a full disk this makes room. What
/// cannot be removed stays.
pub fn forget(disk: &dyn Disk, dir: &Path) {
    // No link is followed.
    if !std::fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir()) {
        return;
    }
    let names = disk.list(dir).unwrap_or_default();
    names.iter().for_each(|name| drop(disk.remove(&dir.join(name))));
    let _ = disk.remove_dir(dir);
}

/// Removes what restores in place have built beside `checkpoints` and not begun to exchange. The data directory is
/// locked, and no exchange is pending.
pub fn forget_built(disk: &dyn Disk, checkpoints: &Path) {
    let Some((parent, own)) = checkpoints.parent().zip(checkpoints.file_name()) else {
        return;
    };
    for name in disk.list(parent).unwrap_or_default() {
        let behind = name.to_str().zip(own.to_str());
        let stamp = behind.and_then(|(name, own)| name.strip_prefix(own)?.strip_prefix(&format!(".{RESTORED}-")));
        if stamp.is_some_and(is_stamp) {
            forget(disk, &parent.join(&name));
        }
    }
}

/// Whether it is a time and the number of a process, as restores in place have them in names.
fn is_stamp(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b'-');
    text.len() > 16 && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::RealDisk;

    #[test]
    fn only_what_restores_have_built_goes() {
        let home = tempfile::tempdir().unwrap();
        let built = "checkpoint.restored-20261130T223800Z-17";
        let others = [
            "checkpoint",
            "checkpoint.before-20261130T223800Z-17",
            "checkpoint.restored-by-me",
            "other.restored-20261130T223800Z-17",
        ];
        for name in others.into_iter().chain([built]) {
            std::fs::create_dir(home.path().join(name)).unwrap();
            std::fs::write(home.path().join(name).join("file"), "text").unwrap();
        }
        let link = home.path().join("checkpoint.restored-20261130T223800Z-18");
        std::os::unix::fs::symlink(home.path().join("checkpoint"), link).unwrap();
        forget_built(&RealDisk, &home.path().join("checkpoint"));
        for name in others {
            assert!(home.path().join(name).join("file").exists(), "{name}");
        }
        assert!(!home.path().join(built).exists());
    }
}
