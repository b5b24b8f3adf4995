//! x
use super::*;
impl Checkpointer {
    /// x
    pub async fn persist(&self, _: &str) -> Result<(), String> {
        Err("x".into())
    }
    /// x
    pub async fn load(&self, _: &str, _: &str, _: bool) -> Result<(), String> {
        Err("x".into())
    }
    /// x
    pub fn last_lsn(&self) -> u64 {
        0
    }
}
