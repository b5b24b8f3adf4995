//! `lokikv repair`: makes a damaged data directory startable, by dropping what cannot be read and saying what that is.
//!
//! First a plan is made, which reads everything and changes nothing; then, if asked to, it is carried out. What is
//! dropped is moved to a quarantine folder in the data directory.
//!
//! **Invariants**
//! - Nothing that a server could serve is dropped: of checkpoints the newest usable one stays, of the log all up to the
//!   first damage behind it.
//! - A step that loses what was once acknowledged says so ([`Step::loses`]), and is not taken without consent.
//! - A file is first copied or moved to the quarantine, durably, and only then changed.

mod checkpoints;
mod log;
mod quarantine;
mod rewrite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::files::control::Control;
use crate::config::schema::Storage;
use crate::storage::{Disk, FileError};
use crate::tools::error::ToolError;
use crate::wal::LogNote;
use quarantine::Quarantine;
pub use rewrite::Rewriting;

/// What is done to a file.
#[derive(Debug)]
pub enum Action {
    /// It is moved to the quarantine.
    SetAside(PathBuf),
    /// It is copied to the quarantine and cut to so many bytes.
    Cut(PathBuf, u64),
    /// The manifest is copied to the quarantine and replaced by this one.
    Rewrite(PathBuf, Box<Rewriting>),
    /// The control file of this directory is copied to the quarantine and replaced by this one.
    Control(PathBuf, Control),
    /// The note of the log in this directory is copied to the quarantine and replaced by this one.
    Note(PathBuf, LogNote),
    /// Only told: what is missing already cannot be moved.
    Nothing,
}

/// A step of a plan.
#[derive(Debug)]
pub struct Step {
    /// What is done, why, and what is lost by it.
    pub text: String,
    /// Whether something that was acknowledged is lost.
    pub loses: bool,
    /// What is done.
    pub action: Action,
}

/// What it takes to make a directory startable.
#[derive(Debug, Default)]
pub struct Plan {
    /// In their order.
    pub steps: Vec<Step>,
}

impl Plan {
    fn add(&mut self, action: Action, loses: bool, text: String) {
        self.steps.push(Step { text, loses, action });
    }

    /// A file is moved once, for the first reason.
    fn set_aside(&mut self, path: PathBuf, loses: bool, why: &str) {
        let is_same = |step: &Step| matches!(&step.action, Action::SetAside(there) if *there == path);
        if self.steps.iter().any(is_same) {
            return;
        }
        let text = format!("move {} to the quarantine: {why}", path.display());
        self.add(Action::SetAside(path), loses, text);
    }

    /// Whether something acknowledged is lost by it.
    pub fn loses(&self) -> bool {
        self.steps.iter().any(|step| step.loses)
    }
}

/// Reads everything in the folders of `storage` and says what is to be done; `read` is told how far that is.
///
/// # Errors
/// When it cannot be repaired, or not be read.
pub fn plan(
    disk: &Arc<dyn Disk>,
    storage: &Storage,
    read: &mut dyn FnMut(&'static str, u64, u64),
) -> Result<Plan, ToolError> {
    let mut plan = Plan::default();
    let mut log = log::Log::look(disk, (&storage.wal_path(), &storage.checkpoint_path()), read)?;
    let base = checkpoints::plan(disk, &storage.checkpoint_path(), &mut log, &mut plan)?;
    log.plan(base, &mut plan)?;
    checkpoints::plan_persisted(disk, &storage.persist_path(), &mut plan)?;
    Ok(plan)
}

/// Carries a plan out; returns the quarantine folder. `done` is told of each step.
///
/// # Errors
/// What could not be done; the steps before it have been.
pub fn carry_out(
    disk: &Arc<dyn Disk>,
    plan: &Plan,
    data_dir: &Path,
    now_ms: u64,
    done: &mut dyn FnMut(&Step),
) -> Result<PathBuf, ToolError> {
    let quarantine = Quarantine::new(disk, data_dir, now_ms)?;
    for step in &plan.steps {
        match &step.action {
            Action::SetAside(path) => quarantine.take(path)?,
            Action::Cut(path, bytes) => {
                quarantine.copy(path)?;
                disk.truncate(path, *bytes).map_err(FileError::at("cut", path))?;
            }
            Action::Rewrite(path, rewriting) => {
                quarantine.copy(path)?;
                rewriting.carry_out(disk.as_ref(), path)?;
            }
            Action::Control(dir, control) => {
                let path = Control::path(dir);
                if disk.exists(&path).map_err(FileError::at("look for", &path))? {
                    quarantine.copy(&path)?;
                }
                control.write(disk.as_ref(), dir)?;
            }
            Action::Note(dir, note) => {
                quarantine.copy(&LogNote::path(dir))?;
                note.write(disk.as_ref(), dir)?;
            }
            Action::Nothing => {}
        }
        done(step);
    }
    Ok(quarantine.into_dir())
}
