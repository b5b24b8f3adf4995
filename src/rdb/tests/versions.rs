//! What each version of the format has of its own: Redis's to 13, and Valkey's.

use super::samples::{elements, objects, payload};
use crate::page::packed::Item;
use crate::rdb::dump::dump_as;
use crate::rdb::{
    Entry, Error, Event, Group, Hash, Id, Newer, Object, Pending, Reader, RestoreError, Stream, Version, Writer, dump,
    restore,
};

fn entries(file: &[u8]) -> Result<Vec<Entry>, Error> {
    let mut reader = Reader::new(file)?;
    let mut entries = Vec::new();
    while let Some(event) = reader.next()? {
        if let Event::Entry(entry) = event {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// What a version before 10 keeps of a stream.
fn bare(stream: &Stream) -> Stream {
    let mut stream = stream.clone();
    stream.max_deleted_id = Default::default();
    stream.entries_added = stream.len();
    stream.groups.iter_mut().for_each(|group| group.entries_read = None);
    stream
}

fn assert_alike(found: &Object, object: &Object, version: Version) {
    match (found, object) {
        // An intset sorts.
        (Object::Set(found), Object::Set(set)) => assert_eq!(found.len(), set.len()),
        (Object::Stream(found), Object::Stream(stream)) if version == Version::Redis(9) => {
            assert_eq!(bare(found), bare(stream));
        }
        _ => assert_eq!(found, object, "{version}"),
    }
}

#[test]
fn every_version_that_is_written_reads_back() {
    for version in Version::WRITTEN {
        let held: Vec<Object> = objects().into_iter().filter(|object| version.holds(object)).collect();
        let mut writer = Writer::new(Vec::new(), version).unwrap();
        writer.database(0, held.len() as u64, 0).unwrap();
        for (n, object) in held.iter().enumerate() {
            writer.entry(format!("key{n}").as_bytes(), None, object).unwrap();
        }
        let file = writer.finish().unwrap();
        assert_eq!(Reader::new(file.as_slice()).unwrap().version(), version);
        let found = entries(&file).unwrap();
        assert_eq!(found.len(), held.len());
        for (entry, object) in found.iter().zip(&held) {
            assert_alike(&entry.object, object, version);
            assert_alike(&restore(&dump_as(object, version)).unwrap(), object, version);
        }
    }
}

#[test]
fn fields_that_expire_need_a_version_that_has_them() {
    let timed = objects()
        .into_iter()
        .find(|object| object.newer() == Some(Newer::TimedHash))
        .unwrap();
    for version in Version::WRITTEN {
        let mut writer = Writer::new(Vec::new(), version).unwrap();
        let has_them = matches!(version, Version::Redis(12 | 13) | Version::Valkey(_));
        assert_eq!(writer.entry(b"k", None, &timed).is_ok(), has_them, "{version}");
    }
}

#[test]
fn the_same_type_is_another_in_valkeys_files() {
    let hash = |at_ms| {
        let mut hash = Hash::new(true);
        hash.push(Item::of(b"a"), Item::of(b"1"), at_ms);
        Object::Hash(hash)
    };
    let at = 1_900_000_001_536_u64.to_le_bytes();
    let timed = [&b"\x01\x01a\xc0\x01"[..], &at].concat();
    assert_eq!(
        restore(&payload(22, &timed, 80)).unwrap(),
        hash(Some(1_900_000_001_536))
    );
    let never = [&b"\x01\x01a\xc0\x01"[..], &[0xff; 8]].concat();
    assert_eq!(restore(&payload(22, &never, 80)).unwrap(), hash(None));
    assert!(restore(&payload(22, &timed, 12)).is_err());
    let late = [
        &b"\x01\x01a\xc0\x01"[..],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ]
    .concat();
    assert!(restore(&payload(22, &late, 80)).is_err());
    // Redis's own later types, which Valkey does not have.
    for (code, value) in [(24, &[0; 8][..]), (25, &[0; 8]), (26, b"\0")] {
        let Err(RestoreError::Value(error)) = restore(&payload(code, value, 80)) else {
            panic!("read")
        };
        assert!(error.to_string().contains("of the unknown type"), "{error}");
    }
}

#[test]
fn streams_of_later_versions_are_read() {
    // No entries, last id 5-1, first, greatest deleted, ever added; one group with a consumer and nothing pending.
    let stream = b"\0\0\x05\x01\0\0\x05\x01\x01\x01\x01g\x05\x01\x01\0\x01\x01c";
    let times = [7_u64.to_le_bytes(), 9_u64.to_le_bytes()].concat();
    // 100 s, 100 messages, one producer with two of them; three ever, and one twice.
    let producers = b"\x40\x64\x40\x64\x01\x01p\x02\x01x\x05\x01\x01y\x05\x00\x03\x01";
    let read = |code, given_back: &[u8]| {
        let value = [&stream[..], &times, b"\0", given_back, producers].concat();
        restore(&payload(code, &value, 13))
    };
    for (code, given_back) in [(26, &b""[..]), (27, b"\0")] {
        let Ok(Object::Stream(stream)) = read(code, given_back) else {
            panic!("{code}")
        };
        assert_eq!((stream.last_id.ms, stream.entries_added), (5, 1));
        let known = stream.messages.as_ref().unwrap();
        assert_eq!(
            (known.duration_s, known.ids_max, known.added, known.duplicates),
            (100, 100, 3, 1)
        );
        let id = |seq| Id { ms: 5, seq };
        let ids = vec![(b"x".to_vec(), id(1)), (b"y".to_vec(), id(0))];
        assert_eq!(known.producers, [(b"p".to_vec(), ids)]);
        let consumer = &stream.groups[0].consumers[0];
        assert_eq!((consumer.seen_at_ms, consumer.active_at_ms), (7, Some(9)));
    }
    let given_back = [&b"\x01"[..], &[0; 16]].concat();
    let Err(RestoreError::Value(error)) = read(27, &given_back) else {
        panic!("read")
    };
    assert!(error.to_string().contains("given back that is not pending"), "{error}");
}

#[test]
fn entries_that_were_given_back_are_read_and_written() {
    let mut stream = Stream::default();
    stream.push(Id { ms: 5, seq: 1 }, &[Item::Bytes(b"f"), Item::Int(1)]);
    (stream.first_id, stream.last_id) = (Id { ms: 5, seq: 1 }, Id { ms: 5, seq: 1 });
    stream.entries_added = 1;
    stream.groups.push(Group {
        name: b"g".to_vec(),
        last_id: Id { ms: 5, seq: 1 },
        entries_read: Some(1),
        consumers: Vec::new(),
        pending: vec![Pending {
            id: Id { ms: 5, seq: 1 },
            consumer: None,
            delivered_at_ms: 0,
            deliveries: i64::MAX as u64,
        }],
    });
    let object = Object::Stream(Box::new(stream));
    let written = dump(&object);
    assert_eq!((written[0], written[written.len() - 10]), (27, 13));
    let again = restore(&written).unwrap();
    assert_eq!(again, object);
    assert!(!Version::VALKEY.holds(&object) && !Version::TIMED_HASHES.holds(&object));
}

#[test]
fn a_stream_as_newer_servers_write_each_has_no_messages() {
    let stream = b"\0\0\x05\x01\0\0\x05\x01\x01\0";
    let untouched = b"\x40\x64\x40\x64\0\0\0";
    let value = [&stream[..], untouched].concat();
    let Ok(Object::Stream(stream)) = restore(&payload(26, &value, 13)) else {
        panic!("refused")
    };
    assert_eq!(stream.messages, None);
}

#[test]
fn what_cannot_be_kept_is_named_with_version_type_and_place() {
    for (code, name) in [
        (28, "array"),
        (29, "hash by template"),
        (30, "hash by template"),
        (31, "hash by template"),
        (32, "hash by template"),
        (33, "rate limiter"),
    ] {
        let mut file = b"REDIS0013\xfe\x00".to_vec();
        file.extend([code, 1, b'k', 0, 0]);
        let error = entries(&file).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "key \"k\", type {code} ({name}), RDB version 13, before byte 14: LokiKV has no values of this type ({name})"
            )
        );
    }
    for (opcode, what) in [(242, "templates of hashes"), (243, "what modules say of a key")] {
        let mut file = b"REDIS0013\xfe\x00".to_vec();
        file.extend([opcode, 0, 0]);
        let error = entries(&file).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("RDB version 13, before byte 12: {what}")),
            "{error}"
        );
    }
}

#[test]
fn slots_on_their_way_to_a_valkey_are_skipped() {
    let mut file = b"VALKEY080\xf3\x03job\x02\x01\x02\x40\x64\x40\x65\xfe\x00\x02\x01k\x01\x01a\xff".to_vec();
    file.extend(super::super::checksum::of(&file).to_le_bytes());
    let found = entries(&file).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].object, Object::Set(elements([&b"a"[..]])));
}

#[test]
fn what_follows_a_part_is_handed_over() {
    let mut writer = Writer::new(Vec::new(), Version::USUAL).unwrap();
    writer.database(0, 1, 0).unwrap();
    writer.entry(b"k", None, &Object::String(b"v".to_vec())).unwrap();
    let part = writer.finish().unwrap();
    let whole = [part.as_slice(), b"*1\r\n$4\r\nPING\r\n"].concat();
    let mut reader = Reader::of_part(whole.as_slice()).unwrap();
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.position(), part.len() as u64);
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut reader.into_rest(), &mut rest).unwrap();
    assert_eq!(rest, b"*1\r\n$4\r\nPING\r\n");
}
