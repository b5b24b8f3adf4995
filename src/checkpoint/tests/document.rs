//! The format's document and the code say the same: each field of each diagram is where the code puts it.

use std::collections::HashMap;

use super::super::files::control::{CONTROL_FIXED_BYTES, Control};
use super::super::files::format::{
    FLAG_LZ4, FORMAT_VERSION, MANIFEST_FIXED_BYTES, ManifestHead, ManifestKind, PAGE_FILE_HEADER_BYTES,
    PAGE_HEADER_BYTES, PageHeader, Versions, encode_page_file_header,
};
use crate::engine::ids::CollectionId;
use crate::engine::ids::ShardNo;
use crate::page::PageId;
use crate::page::image::Anchor;
use crate::wal::Lsn;

const DOCUMENT: &str = include_str!("../../../docs/format-checkpoint.md");

/// The fields of the `nth` diagram of a section, with their offsets; rows that go on from the one before are joined.
fn diagram(section: &str, nth: usize) -> HashMap<String, usize> {
    let (_, text) = DOCUMENT.split_once(&format!("\n## {section}\n")).expect("the section");
    let text = text.split_once("\n## ").map_or(text, |(text, _)| text);
    let mut diagrams: Vec<HashMap<String, usize>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(numbers) = line.trim_start().strip_prefix("byte ") else {
            continue;
        };
        // What is behind a table of n entries has no number of its own.
        let numbers = numbers.split(" + ").next().unwrap_or_default();
        let offsets: Vec<usize> = numbers.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert!(lines.next().is_some_and(|border| border.contains('─')));
        let cells = lines.next().unwrap().split('│').map(str::trim);
        let cells: Vec<_> = cells.filter(|cell| !cell.is_empty() && *cell != "…").collect();
        if offsets[0] == 0 {
            diagrams.push(HashMap::new());
        }
        let fields = diagrams.last_mut().unwrap();
        fields.extend(cells.iter().map(|cell| (*cell).to_owned()).zip(offsets));
    }
    diagrams.swap_remove(nth)
}

#[track_caller]
fn check(fields: &HashMap<String, usize>, bytes: &[u8], name: &str, expected: &[u8]) {
    let at = fields
        .get(name)
        .unwrap_or_else(|| panic!("no field {name} in {fields:?}"));
    assert_eq!(&bytes[*at..*at + expected.len()], expected, "{name} at {at}");
}

fn check_versions(fields: &HashMap<String, usize>, bytes: &[u8], magic: &[u8], versions: Versions) {
    let Versions { layout, encoding } = versions;
    check(fields, bytes, "magic", magic);
    check(fields, bytes, "version", &layout.to_le_bytes());
    check(fields, bytes, "encoding", &encoding.to_le_bytes());
    for version in [layout, encoding] {
        assert!(DOCUMENT.contains(&format!("u32 = {version}")), "{version}");
    }
    assert!(DOCUMENT.contains(&format!("Version {FORMAT_VERSION}.")));
}

#[test]
fn page_files() {
    let fields = diagram("Page file", 0);
    let bytes = encode_page_file_header(0x1122_3344_5566_7788);
    check_versions(&fields, &bytes, b"LOKIPGS\n", Versions::PAGES);
    check(&fields, &bytes, "file id", &0x1122_3344_5566_7788_u64.to_le_bytes());
    check(
        &fields,
        &bytes,
        "crc32c",
        &crc32c::crc32c(&bytes[..fields["crc32c"]]).to_le_bytes(),
    );
    assert_eq!(fields["pages …"], PAGE_FILE_HEADER_BYTES);
}

#[test]
fn pages() {
    let fields = diagram("Page file", 1);
    let header = PageHeader {
        crc: 0xa1a2_a3a4,
        entries: 0xb1b2_b3b4,
        len: 0xc1c2_c3c4_c5c6_c7c8,
        collection: CollectionId::new(0xd1d2_d3d4),
        shard: ShardNo::new(0xe1e2_e3e4),
        page_id: PageId::new(0xf1f2_f3f4_f5f6_f7f8),
        version: Lsn::new(0x0102_0304_0506_0708),
        raw_len: 0x1112_1314_1516_1718,
        anchor: Anchor {
            prefix: 0x2122_2324,
            depth: 0x31,
        },
        flags: FLAG_LZ4,
    };
    let bytes = header.encode();
    check(&fields, &bytes, "crc32c", &header.crc.to_le_bytes());
    check(&fields, &bytes, "entries", &header.entries.to_le_bytes());
    check(&fields, &bytes, "len", &header.len.to_le_bytes());
    check(&fields, &bytes, "collection", &header.collection.get().to_le_bytes());
    check(&fields, &bytes, "shard", &header.shard.get().to_le_bytes());
    check(&fields, &bytes, "page id", &header.page_id.get().to_le_bytes());
    check(&fields, &bytes, "version", &header.version.get().to_le_bytes());
    check(&fields, &bytes, "raw len", &header.raw_len.to_le_bytes());
    check(&fields, &bytes, "prefix", &header.anchor.prefix.to_le_bytes());
    check(&fields, &bytes, "depth", &[header.anchor.depth]);
    check(&fields, &bytes, "flags", &[1]);
    check(&fields, &bytes, "reserved", &[0, 0]);
    assert_eq!(fields["content"], PAGE_HEADER_BYTES);
}

#[test]
fn manifests() {
    let fields = diagram("Manifest", 0);
    let head = ManifestHead {
        versions: Versions::CURRENT,
        kind: ManifestKind::Persisted,
        term: 0xa1a2_a3a4,
        id: 0xb1b2_b3b4_b5b6_b7b8,
        lsn: Lsn::new(0xc1c2_c3c4_c5c6_c7c8),
        wall_ms: 0xd1d2_d3d4_d5d6_d7d8,
        pages: 0xe1e2_e3e4_e5e6_e7e8,
        entries: 0xf1f2_f3f4_f5f6_f7f8,
        next_collection: CollectionId::new(0x0102_0304),
        collections: 0x1112_1314,
        data_set: 0x2122_2324_2526_2728_2930_3132_3334_3536,
        referenced_bytes: 0x4142_4344_4546_4748,
        written_pages: 0x5152_5354_5556_5758,
        written_bytes: 0x6162_6364_6566_6768,
        files: vec![0x7172_7374_7576_7778],
    };
    let bytes = head.encode();
    check_versions(&fields, &bytes, b"LOKIMAN\n", Versions::CURRENT);
    check(&fields, &bytes, "kind", &1_u32.to_le_bytes());
    check(&fields, &bytes, "term", &head.term.to_le_bytes());
    check(&fields, &bytes, "id", &head.id.to_le_bytes());
    check(&fields, &bytes, "lsn", &head.lsn.get().to_le_bytes());
    check(&fields, &bytes, "wall_ms", &head.wall_ms.to_le_bytes());
    check(&fields, &bytes, "pages", &head.pages.to_le_bytes());
    check(&fields, &bytes, "entries", &head.entries.to_le_bytes());
    check(
        &fields,
        &bytes,
        "next collection id",
        &head.next_collection.get().to_le_bytes(),
    );
    check(&fields, &bytes, "collections", &head.collections.to_le_bytes());
    check(&fields, &bytes, "files", &1_u32.to_le_bytes());
    check(&fields, &bytes, "reserved", &[0; 4]);
    check(&fields, &bytes, "data set", &head.data_set.to_le_bytes());
    check(
        &fields,
        &bytes,
        "referenced bytes",
        &head.referenced_bytes.to_le_bytes(),
    );
    check(&fields, &bytes, "written pages", &head.written_pages.to_le_bytes());
    check(&fields, &bytes, "written bytes", &head.written_bytes.to_le_bytes());
    check(&fields, &bytes, "page file ids", &head.files[0].to_le_bytes());
    assert_eq!(fields["page file ids"], MANIFEST_FIXED_BYTES);
    let crc_at = MANIFEST_FIXED_BYTES + 8;
    assert_eq!(bytes[crc_at..], crc32c::crc32c(&bytes[..crc_at]).to_le_bytes());
}

#[test]
fn the_control_file() {
    let fields = diagram("Control file", 0);
    let control = Control {
        data_set: 0x2122_2324_2526_2728_2930_3132_3334_3536,
        checkpoint: 0xb1b2_b3b4_b5b6_b7b8,
        lsn: Lsn::new(0xc1c2_c3c4_c5c6_c7c8),
        pins: [0x7172_7374_7576_7778].into(),
    };
    let bytes = control.encode();
    check_versions(&fields, &bytes, b"LOKICTL\n", Versions::WHOLE);
    check(&fields, &bytes, "data set", &control.data_set.to_le_bytes());
    check(&fields, &bytes, "checkpoint", &control.checkpoint.to_le_bytes());
    check(&fields, &bytes, "lsn", &control.lsn.get().to_le_bytes());
    check(&fields, &bytes, "pins", &1_u32.to_le_bytes());
    check(&fields, &bytes, "reserved", &[0; 4]);
    check(&fields, &bytes, "pinned", &0x7172_7374_7576_7778_u64.to_le_bytes());
    assert_eq!(fields["pinned"], CONTROL_FIXED_BYTES);
}
