//! The names of checkpoint files.

/// The manifest of checkpoint `id`.
pub fn manifest_name(id: u64) -> String {
    format!("manifest-{id:020}.lkm")
}

/// Page file `id`.
pub fn page_file_name(id: u64) -> String {
    format!("pages-{id:020}.lkp")
}
