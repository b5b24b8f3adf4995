//! Keys, values and effects as a line of text for people.
//!
//! **Invariant:** a line is bounded, whatever the size of what it shows, and contains no control characters.

use crate::engine::effect::Effect;
use crate::engine::eviction::Policy;
use crate::page::ValueRef;

/// Bytes of a key or value that a line shows.
const SHOWN_BYTES_MAX: usize = 128;

/// Bytes as text: plain where they are printable UTF-8, else escaped; shortened, with the full length told.
pub fn text(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    let mut line = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() {
                line.extend(letter.escape_default());
            } else {
                line.push(letter);
            }
        }
        line.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    if bytes.len() > shown.len() {
        line.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    line
}

/// A value with its type; of a container, its length.
pub fn value(value: ValueRef<'_>) -> String {
    let type_name = value.value_type().name();
    match value.as_str() {
        Some(bytes) => format!("{type_name} {}", text(&bytes.contiguous())),
        None => format!("{type_name} ({})", value.len()),
    }
}

/// A change.
pub fn effect(effect: &Effect<'_>) -> String {
    match *effect {
        Effect::Put {
            key,
            expire_at_ms,
            value: put,
        } => format!("put {} -> {}{}", text(key), value(put), expiry(expire_at_ms)),
        Effect::Delete { key } => format!("delete {}", text(key)),
        Effect::ExpireAt { key, expire_at_ms: 0 } => format!("persist {}", text(key)),
        Effect::ExpireAt { key, expire_at_ms } => format!("expire {}{}", text(key), expiry(expire_at_ms)),
        Effect::StrRange { key, offset, bytes } => format!("write {} at {offset}: {}", text(key), text(bytes)),
        Effect::Copy {
            key,
            expire_at_ms,
            source_collection,
            source_key,
            ..
        } => format!(
            "copy {} of collection id {source_collection} to {}{}",
            text(source_key),
            text(key),
            expiry(expire_at_ms)
        ),
        Effect::List { key, op } => container("list", key, &op),
        Effect::Set { key, op } => container("set", key, &op),
        Effect::Zset { key, op } => container("zset", key, &op),
        Effect::Hash { key, op } => container("hash", key, &op),
        Effect::Stream { key, op } => container("stream", key, &op),
        Effect::Vectors { key, op } => container("vectors", key, &op),
        Effect::CollectionCreate { name, placement, .. } => {
            format!(
                "create collection {} ({})",
                text(name.as_bytes()),
                placement.kind.name()
            )
        }
        Effect::CollectionDrop => "drop collection".to_owned(),
        Effect::CollectionRename { name } => format!("rename collection to {}", text(name.as_bytes())),
        Effect::CollectionFlush => "flush collection".to_owned(),
        Effect::CollectionSwap { with } => format!("swap with collection id {with}"),
        Effect::CollectionLoad { placement } => format!("begin to load a collection ({})", placement.kind.name()),
        Effect::CollectionConfigure { settings } => format!(
            "configure collection: max-bytes {}, fsync {}, checkpoint {}, policy {}",
            settings.max_bytes,
            settings.fsync.name(),
            if settings.is_cache { "no" } else { "yes" },
            settings.policy.map_or("server", Policy::name)
        ),
        Effect::CollectionPublish { name, .. } => format!("publish the loaded collection as {}", text(name.as_bytes())),
        Effect::EncodingChanged { limits } => format!("set the encoding thresholds: {limits:?}"),
        Effect::LibraryPut { name, code } => format!("put library {}: {}", text(name), text(code)),
        Effect::LibraryDelete { name } => format!("delete library {}", text(name)),
        Effect::LibrariesFlush => "delete all libraries".to_owned(),
    }
}

fn container(type_name: &str, key: &[u8], op: &impl std::fmt::Debug) -> String {
    format!("{type_name} {}: {}", text(key), text(format!("{op:?}").as_bytes()))
}

fn expiry(at_ms: u64) -> String {
    match at_ms {
        0 => String::new(),
        at_ms => format!(" until {at_ms}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::StrRef;

    #[test]
    fn bytes_as_text() {
        assert_eq!(text("plain ü".as_bytes()), "plain ü");
        assert_eq!(text(b"a\r\nb\x00\xff"), "a\\r\\nb\\u{0}\\xff");
        assert_eq!(text(&[b'x'; 200]), format!("{}... (200 bytes)", "x".repeat(128)));
    }

    #[test]
    fn effects_as_text() {
        let put = Effect::Put {
            key: b"k",
            expire_at_ms: 7,
            value: ValueRef::Str(StrRef::Inline(b"v")),
        };
        assert_eq!(effect(&put), "put k -> string v until 7");
        let persist = Effect::ExpireAt {
            key: b"k",
            expire_at_ms: 0,
        };
        assert_eq!(effect(&persist), "persist k");
    }
}
