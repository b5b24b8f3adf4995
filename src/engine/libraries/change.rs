//! What commands do to libraries: applied by the registry, logged, counted as used memory, and possible to take back.

use std::sync::Arc;

use super::{Libraries, Library};
use crate::engine::effect::Effect;
use crate::engine::error::CollectionError;
use crate::engine::ids::CollectionId;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::reaper::LARGE_BYTES;

/// What an effect takes in the log beside name and code, at most.
const EFFECT_BYTES: u64 = 32;

impl ExclusiveTxn<'_, '_> {
    /// The libraries as they are now.
    pub fn libraries(&self) -> Arc<Libraries> {
        self.registry(|registry| Arc::clone(registry.libraries()))
    }

    /// Puts a library, instead of the one of its name if there is one.
    ///
    /// # Errors
    /// When the log has no record as long as that; nothing has changed then.
    pub fn put_library(&mut self, name: &[u8], code: &[u8]) -> Result<(), CollectionError> {
        self.put_libraries(&[Arc::new(Library::new(name, code))], false)
    }

    /// Puts several. `only`: all others are deleted before. They are all put, or nothing has changed.
    ///
    /// # Errors
    /// When the log has no record as long as that.
    pub fn put_libraries(&mut self, libraries: &[Arc<Library>], only: bool) -> Result<(), CollectionError> {
        let logged = libraries.iter().map(|library| library.bytes() + EFFECT_BYTES);
        if !self.scope.reserve(logged.fold(0, u64::saturating_add)) {
            return Err(CollectionError::TooLong);
        }
        self.scope.keep_whole(&[])?;
        if only {
            self.delete_all_libraries()?;
        }
        libraries.iter().try_for_each(|library| {
            let (name, code) = (&library.name, &library.code);
            self.change_library(name, &Effect::LibraryPut { name, code })
        })
    }

    /// Makes these all libraries that there are, unless they are.
    ///
    /// # Errors
    /// When the log has no record as long as that; nothing has changed then.
    pub fn become_libraries(&mut self, wanted: &Libraries) -> Result<(), CollectionError> {
        if self.libraries().iter().eq(wanted.iter()) {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.iter().cloned().collect();
        self.put_libraries(&wanted, true)
    }

    /// Deletes a library.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn delete_library(&mut self, name: &[u8]) -> Result<(), CollectionError> {
        self.scope.keep_whole(&[])?;
        self.change_library(name, &Effect::LibraryDelete { name })
    }

    /// Deletes all libraries; their memory is freed in the background.
    ///
    /// # Errors
    /// When there is no room to keep them where that may be taken back.
    pub fn flush_libraries(&mut self) -> Result<(), CollectionError> {
        self.scope.keep_whole(&[])?;
        self.delete_all_libraries()
    }

    fn delete_all_libraries(&mut self) -> Result<(), CollectionError> {
        let gone = self.libraries();
        if gone.is_empty() {
            return Ok(());
        }
        self.change_libraries(&Effect::LibrariesFlush)?;
        self.let_go(gone);
        Ok(())
    }

    fn change_library(&mut self, name: &[u8], effect: &Effect<'_>) -> Result<(), CollectionError> {
        let old = self.registry(|registry| registry.libraries().get(name).cloned());
        self.change_libraries(effect)?;
        if let Some(old) = old.filter(|old| old.code.len() > LARGE_BYTES) {
            self.let_go(old);
        }
        Ok(())
    }

    /// Applies an effect and logs it. The collections, and so the libraries, are kept where that may be taken back.
    fn change_libraries(&mut self, effect: &Effect<'_>) -> Result<(), CollectionError> {
        let engine = self.scope.engine;
        let growth = engine.change_registry(|registry| {
            let before = registry.libraries().bytes();
            registry.apply(CollectionId::NONE, effect)?;
            Ok(registry.libraries().bytes().wrapping_sub(before) as i64)
        })?;
        self.scope
            .log_registry_effects(std::iter::once(CollectionId::NONE), effect);
        self.scope.note_made(CollectionId::NONE, None, None);
        self.scope.worker.counters.changes.add(1);
        engine.meter().add(self.scope.worker.cell, growth);
        Ok(())
    }

    /// Drops what may be slow to drop in the background, unless others still have it.
    fn let_go<T: Send + Sync + 'static>(&mut self, gone: Arc<T>) {
        let mut gone = Some(gone);
        self.scope.retire_whole(vec![Box::new(move |_| {
            gone.take();
            None
        })]);
    }
}
