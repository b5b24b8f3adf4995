//! Writes changed values back into the configuration file, keeping its comments and layout.
//!
//! **Invariants**
//! - Only keys whose value differs from what the file means are touched.
//! - The file is whole at every instant: temporary file, fsync, rename, fsync of the directory.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::super::{
    de::Setting,
    flat::{self, Flat},
    load, size,
};

/// Brings the file at `path` to say `now`.
pub(super) fn rewrite(path: &Path, now: &Flat) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let new = rewritten(&text, &path.display().to_string(), now)?;
    if new == text { Ok(()) } else { replace(path, &new) }
}

/// `text` with the keys changed whose value is not that of `now`.
fn rewritten(text: &str, name: &str, now: &Flat) -> io::Result<String> {
    let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
    let before = flat::flatten(&load::from_text(text, name).map_err(|error| invalid(error.to_string()))?);
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| invalid(error.to_string()))?;
    for (key, setting) in now.iter().filter(|(key, setting)| before.get(*key) != Some(setting)) {
        let Some((section, name)) = key.split_once('.') else {
            continue;
        };
        let table = document.entry(section).or_insert_with(|| Item::Table(Table::new()));
        let table = table
            .as_table_like_mut()
            .ok_or_else(|| invalid(format!("{section} is not a section")))?;
        put(table.entry(name).or_insert(Item::None), setting);
    }
    Ok(document.to_string())
}

/// Gives `item` its new value; what stands around it (blanks, a comment on its line) stays.
fn put(item: &mut Item, setting: &Setting) {
    let old = item.as_value();
    let mut value = match setting {
        Setting::Bool(on) => Value::from(*on),
        Setting::Text(text) => Value::from(text.as_str()),
        Setting::List(items) => Value::from(Array::from_iter(items.iter().map(String::as_str))),
        // A size that was written with a unit is written with one again.
        Setting::Int(number) => match (old.and_then(Value::as_str), u64::try_from(*number)) {
            (Some(_), Ok(bytes)) => Value::from(size::format(bytes)),
            _ => Value::from(*number),
        },
    };
    match old {
        Some(old) => *value.decor_mut() = old.decor().clone(),
        None => *value.decor_mut() = toml_edit::Decor::new(" ", ""),
    }
    *item = Item::Value(value);
}

/// Replaces the file at `path` by `text`, durably.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    if let Err(error) = write() {
        // The error counts; a leftover is only untidy.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn changed(text: &str, change: impl FnOnce(&mut Config)) -> String {
        let mut config = load::from_text(text, "x").unwrap();
        change(&mut config);
        let new = rewritten(text, "x", &flat::flatten(&config)).unwrap();
        assert_eq!(load::from_text(&new, "x"), Ok(config), "{new}");
        new
    }

    #[test]
    fn comments_layout_and_units_stay() {
        let text = "# top\n[server]\nport   =  7000   # the port\n\n[memory] # mem\nmax_bytes = \"1gb\" # size\n";
        assert_eq!(changed(text, |_| {}), text);
        let new = changed(text, |config| {
            config.server.port = 7001;
            config.memory.max_bytes = 512 << 20;
        });
        assert_eq!(new, text.replace("7000", "7001").replace("1gb", "512mb"));
    }

    #[test]
    fn missing_keys_and_sections_are_added() {
        let new = changed("[server]\nport = 1 # one\n", |config| {
            config.server.bind = vec!["::1".to_owned(), "127.0.0.1".to_owned()];
            config.wal.enabled = false;
            config.server.requirepass = "a\"b".to_owned();
        });
        assert!(
            new.contains("port = 1 # one\nbind = [\"::1\", \"127.0.0.1\"]\n"),
            "{new}"
        );
        assert!(new.contains("[wal]\nenabled = false\n"), "{new}");
    }

    #[test]
    fn back_to_the_default_is_written_too() {
        let new = changed("wal = { enabled = false, fsync = \"no\" }\n", |config| {
            config.wal.enabled = true
        });
        assert_eq!(new, "wal = { enabled = true, fsync = \"no\" }\n");
    }
}
