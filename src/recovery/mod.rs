//! Start-up: newest checkpoint, then the WAL after it, through the engine's own apply.
