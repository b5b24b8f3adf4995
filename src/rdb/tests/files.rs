//! Whole files.

use super::samples::{elements, objects};
use crate::rdb::{Entry, Error, Event, Object, Reader, Version, Writer};

fn events(file: &[u8]) -> Result<Vec<Event>, Error> {
    let mut reader = Reader::new(file)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next()? {
        events.push(event);
    }
    assert_eq!(reader.position(), file.len() as u64);
    Ok(events)
}

fn entry(event: &Event) -> &Entry {
    match event {
        Event::Entry(entry) => entry,
        other => panic!("{other:?}"),
    }
}

/// A file of this version and body, with its end.
fn file(version: u16, body: &[u8]) -> Vec<u8> {
    let mut file = format!("REDIS{version:04}").into_bytes();
    file.extend_from_slice(body);
    file.push(0xff);
    if version >= 5 {
        file.extend(super::super::checksum::of(&file).to_le_bytes());
    }
    file
}

#[test]
fn a_file_reads_back_as_it_was_written() {
    let objects = objects();
    let mut writer = Writer::new(Vec::new(), Version::MESSAGES).unwrap();
    writer.remark(b"redis-ver", b"7.0.0").unwrap();
    let library = b"#!lua name=mylib\n-- again and again and again and again and again".repeat(9);
    writer.function(&library).unwrap();
    for db in [0, 3] {
        writer.database(db, objects.len() as u64, 1).unwrap();
        for (n, object) in objects.iter().enumerate() {
            let at_ms = (n == 2).then_some(1_900_000_000_000);
            writer.entry(format!("key{n}").as_bytes(), at_ms, object).unwrap();
        }
    }
    let events = events(&writer.finish().unwrap()).unwrap();
    assert_eq!(events.len(), 2 + 2 * (1 + objects.len()));
    assert!(matches!(&events[1], Event::Function { code } if *code == library));
    let second = &events[events.len() - objects.len()..];
    for (n, (event, object)) in second.iter().zip(&objects).enumerate() {
        let entry = entry(event);
        assert_eq!((entry.db, entry.key.as_slice()), (3, format!("key{n}").as_bytes()));
        assert_eq!(entry.expires_at_ms, (n == 2).then_some(1_900_000_000_000));
        // Intsets sort, all else keeps its order.
        if !matches!(object, Object::Set(_)) {
            assert_eq!(&entry.object, object);
        }
    }
}

#[test]
fn every_opcode_is_understood() {
    let body = [
        &b"\xfa\x09redis-ver\x057.2.4"[..],
        // A module's data: id, when, a number of each kind, a string.
        b"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x02\x02",
        b"\x01\x05\x02\x06\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\x03abc\x00",
        b"\xf5\x1b#!lua name=mylib\nredis.call",
        b"\xf6\x03old\x03LUA\x01\x04text\x04code",
        b"\xf4\x05\x02\x01",
        b"\xfe\x07\xfb\x02\x01",
        b"\xfd\x80\x4a\x5d\x6e\xf8\x2a\x00\x01a\x01b",
        b"\xfc\x00\x01\0\0\0\0\0\0\xf9\x07\x00\x01c\x01d",
        b"\x00\x01e\x01f",
    ]
    .concat();
    let events = events(&file(11, &body)).unwrap();
    let shown: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    assert!(shown[0].starts_with("Remark"));
    assert_eq!(shown[1], "ModuleData { module: \"ReJSON-RL\" }");
    assert!(matches!(&events[2], Event::Function { code } if code == b"#!lua name=mylib\nredis.call"));
    assert!(matches!(&events[3], Event::OldFunction { name } if name == b"old"));
    assert_eq!(shown[4], "Size { db: 7, keys: 2 }");
    let [a, c, e] = [5, 6, 7].map(|n| entry(&events[n]));
    assert_eq!(
        (a.db, a.expires_at_ms, a.idle_s, a.frequency),
        (7, Some(1_851_607_680_000), Some(42), None)
    );
    assert_eq!((c.expires_at_ms, c.idle_s, c.frequency), (Some(256), None, Some(7)));
    assert_eq!((e.expires_at_ms, &e.object), (None, &Object::String(b"f".to_vec())));
}

#[test]
fn versions_and_checksums_are_judged() {
    let body = b"\xfe\x00\x00\x01a\x01b";
    for version in 1..=13 {
        assert_eq!(events(&file(version, body)).unwrap().len(), 1, "{version}");
    }
    let reason = |file: &[u8]| events(file).map(|_| ()).unwrap_err().to_string();
    assert!(reason(&file(14, body)).contains("RDB version 14 is not known"));
    assert!(reason(b"VALKEY081").contains("Valkey's RDB version 81 is not known"));
    assert!(reason(&file(0, body)).contains("RDB version 0"));
    for not_a_file in [
        &b""[..],
        b"REDIS00",
        b"VALKEY08",
        b"VALKEY+80",
        b"REDIS 009",
        b"REDIS+009",
    ] {
        assert!(reason(not_a_file).contains("not an RDB file"));
    }
    let good = file(9, body);
    let mut unchecked = good.clone();
    let sum = good.len() - 8;
    unchecked[sum..].fill(0);
    assert!(events(&unchecked).is_ok());
    unchecked[sum] = 1;
    assert!(reason(&unchecked).contains("checksum"));
    assert!(reason(&[good.as_slice(), b"*1\r\n"].concat()).contains("append-only"));
    for cut in 0..good.len() {
        assert!(events(&good[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn errors_name_the_key_and_the_place() {
    let module = file(9, b"\xfe\x00\x07\x04doc:\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x00");
    let error = events(&module).unwrap_err();
    assert_eq!(
        error.to_string(),
        "key \"doc:\", type 7 (module), RDB version 9, before byte 26: the value belongs to the module type \"ReJSON-RL\", which LokiKV does not have"
    );
    let error = events(&file(9, b"\xfe\x00\x0a\x02\xff\x00\x03abc")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("key \"\\xff\\x00\", type 10 (list), RDB version 9, before byte 19: "),
        "{error}"
    );
}

#[test]
fn large_values_come_through_small_buffers() {
    struct Drip<'a>(&'a [u8]);
    impl std::io::Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = out.len().min(self.0.len()).min(7);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let list = Object::List(elements((0..3_000).map(|_| &b"some element"[..])));
    let mut writer = Writer::new(Vec::new(), Version::USUAL).unwrap();
    writer.database(0, 1, 0).unwrap();
    writer.entry(b"k", None, &list).unwrap();
    let file = writer.finish().unwrap();
    let mut reader = Reader::new(Drip(&file)).unwrap();
    assert!(matches!(reader.next().unwrap(), Some(Event::Size { db: 0, keys: 1 })));
    assert_eq!(entry(&reader.next().unwrap().unwrap()).object, list);
    assert!(reader.next().unwrap().is_none());
}
