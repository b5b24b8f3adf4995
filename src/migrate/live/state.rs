//! How far a copy is, in a file, so that the same command goes on where it ended.
//!
//! **Invariant:** it is replaced as a whole, and removed when the copy is whole.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::LiveError;
use super::scan::Position;
use crate::migrate::Outcome;
use crate::migrate::file::OutputFile;
use crate::storage::Disk;

const FORMAT: u32 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// From where.
    pub source: String,
    /// To where.
    pub target: String,
    /// When it began, in Unix milliseconds.
    pub began_ms: u64,
    /// The source's databases that the target is ready for.
    pub ready: Vec<u64>,
    /// How far it is.
    pub position: Position,
}

impl State {
    /// Of a copy that begins.
    pub fn new(source: String, target: String, began_ms: u64) -> Self {
        Self {
            format: FORMAT,
            source,
            target,
            began_ms,
            ready: Vec::new(),
            position: Position::default(),
        }
    }
}

/// The file.
pub struct StateFile<'d> {
    disk: &'d dyn Disk,
    path: PathBuf,
}

impl<'d> StateFile<'d> {
    /// At `path`; there may be none.
    pub fn new(disk: &'d dyn Disk, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// How far the copy of `begun` is, if it has begun before.
    ///
    /// # Errors
    /// The file is of another copy, or cannot be read.
    pub fn load(&self, begun: &State) -> Outcome<Option<State>> {
        let failed = |why: String| LiveError::State(self.path.clone(), why);
        if !self
            .disk
            .exists(&self.path)
            .map_err(|error| failed(error.to_string()))?
        {
            return Ok(None);
        }
        let text = self.disk.read(&self.path).map_err(|error| failed(error.to_string()))?;
        let state: State = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        if state.format != FORMAT {
            return Err(failed("it is of another version of this program".to_owned()).into());
        }
        if (&state.source, &state.target) != (&begun.source, &begun.target) {
            let what = format!("from {} to {}", state.source, state.target);
            return Err(LiveError::OtherCopy(self.path.clone(), what).into());
        }
        Ok(Some(state))
    }

    /// Replaces it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, state: &State) -> Outcome<()> {
        let failed = |why: String| LiveError::State(self.path.clone(), why);
        let text = serde_json::to_vec_pretty(state).map_err(|error| failed(error.to_string()))?;
        let write = || {
            let mut file = OutputFile::create(self.disk, &self.path)?;
            std::io::Write::write_all(&mut file, &text)?;
            file.publish()
        };
        write().map_err(|error| failed(error.to_string()))?;
        Ok(())
    }

    /// Removes it, if there is one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Outcome<()> {
        let failed = |error: std::io::Error| LiveError::State(self.path.clone(), error.to_string());
        if self.disk.exists(&self.path).map_err(failed)? {
            self.disk.remove(&self.path).map_err(failed)?;
        }
        Ok(())
    }
}
