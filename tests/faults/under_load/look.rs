//! What a server holds of a writer, and how far each writer was at an LSN.

use crate::args;
use crate::support::{Args, Conn, Value};

use super::model::{EXPIRY_MS, Model, SLOT_BYTES, member, slot, text};
use super::writer::Writer;

fn number_of(value: &Value) -> u64 {
    let found = value.text();
    let number = found.split(':').next().and_then(|number| number.parse().ok());
    let number = number.unwrap_or_else(|| panic!("{found:.60} has no number"));
    assert_eq!(found, text(number), "the value of {number}");
    number
}

fn index_of(value: &Value) -> u64 {
    value.text().parse().unwrap_or_else(|_| panic!("{value} is no index"))
}

fn member_of(value: &Value) -> u64 {
    let found = value.text();
    let at = found.split(':').next().and_then(|at| at.parse().ok());
    let at = at.unwrap_or_else(|| panic!("{found} is no member"));
    assert_eq!(found, member(at));
    at
}

fn numbers_of<B: FromIterator<(u64, u64)>>(value: &Value, key: fn(&Value) -> u64, number: fn(&Value) -> u64) -> B {
    let items = value.items();
    items.chunks(2).map(|pair| (key(&pair[0]), number(&pair[1]))).collect()
}

/// All that is there of a writer.
pub fn read(conn: &mut Conn, writer: &Writer) -> Model {
    let name = |name: &str| format!("w{}:{name}", writer.number);
    assert_eq!(conn.call(&["SELECT", writer.collection()]), Value::ok());
    let commands = vec![
        args!["GET", name("mark")],
        args!["GET", name("count")],
        args!["HGETALL", name("hash0")],
        args!["HGETALL", name("hash1")],
        args!["HGETALL", name("hash2")],
        args!["LRANGE", name("list0"), "0", "-1"],
        args!["LRANGE", name("list1"), "0", "-1"],
        args!["SMEMBERS", name("set0")],
        args!["SMEMBERS", name("set1")],
        args!["ZRANGE", name("scores"), "0", "-1", "WITHSCORES"],
        args!["XRANGE", name("stream"), "-", "+"],
        args!["VRANGE", name("vectors"), "-", "+"],
        args!["GET", name("text")],
        args!["KEYS", name("key*")],
    ];
    let replies: Vec<Value> = commands.iter().map(|command| conn.call(command)).collect();
    let count = |value: &Value| if value.is_null() { 0 } else { index_of(value) };
    let hash = |at: usize| numbers_of(&replies[at], index_of, number_of);
    let list = |at: usize| replies[at].items().iter().map(number_of).collect();
    let set = |at: usize| replies[at].items().iter().map(member_of).collect();
    Model {
        mark: count(&replies[0]),
        count: count(&replies[1]),
        hashes: [hash(2), hash(3), hash(4)],
        lists: [list(5), list(6)],
        sets: [set(7), set(8)],
        scores: numbers_of(&replies[9], member_of, index_of),
        entries: replies[10].items().iter().map(entry_of).collect(),
        elements: elements(conn, &name("vectors"), &replies[11].items()),
        slots: slots(replies[12].bytes().unwrap_or_default()),
        keys: keys(conn, &name("key"), &replies[13].items()),
    }
}

fn entry_of(entry: &Value) -> u64 {
    let parts = entry.items();
    let number = number_of(&parts[1].items()[1]);
    assert_eq!(parts[0].text(), format!("{number}-1"));
    number
}

fn elements<B: FromIterator<(u64, u64)>>(conn: &mut Conn, key: &str, names: &[Value]) -> B {
    let commands: Vec<Args> = names.iter().map(|name| args!["VGETATTR", key, name.text()]).collect();
    let attributes = conn.pipeline(&commands).expect("attributes");
    let pairs = names.iter().zip(&attributes);
    pairs.map(|(name, number)| (index_of(name), index_of(number))).collect()
}

fn slots<B: FromIterator<(u64, u64)>>(bytes: &[u8]) -> B {
    let written = bytes.chunks(SLOT_BYTES).enumerate().filter(|(_, piece)| piece[0] != 0);
    let read = written.map(|(at, piece)| {
        let found = String::from_utf8_lossy(piece).into_owned();
        let number = found.trim_end().parse().unwrap_or_else(|_| panic!("{found:?} at {at}"));
        assert_eq!(found, slot(number));
        (at as u64, number)
    });
    read.collect()
}

fn keys<B: FromIterator<(u64, (u64, bool))>>(conn: &mut Conn, stem: &str, keys: &[Value]) -> B {
    let commands: Vec<Args> = keys
        .iter()
        .flat_map(|key| [args!["GET", key.text()], args!["PEXPIRETIME", key.text()]])
        .collect();
    let replies = conn.pipeline(&commands).expect("keys");
    let pairs = keys.iter().zip(replies.chunks(2));
    let read = pairs.map(|(key, pair)| {
        let key = key.text();
        let at = key.strip_prefix(stem).and_then(|at| at.parse().ok());
        let (at, number) = (at.unwrap_or_else(|| panic!("{key}")), number_of(&pair[0]));
        let expiry = pair[1].int().expect("an expiry");
        let expires = expiry != -1;
        assert!(!expires || expiry as u64 == EXPIRY_MS + number, "{key}: {expiry}");
        (at, (number, expires))
    });
    read.collect()
}

/// How far each writer was at an LSN, by the log of the running server: its last mark, and how many records it has
/// behind that. The first record behind `base` is the first of any writer. `None` where the log does not reach back so
/// far any more, or a mark is not among the last records.
pub fn places(conn: &mut Conn, writers: usize, (base, lsn): (u64, u64), look_back: u64) -> Option<Vec<(u64, u64)>> {
    let oldest = conn.wal_info("oldest-lsn") as u64;
    let mut next = oldest.max(lsn.saturating_sub(look_back).max(base) + 1);
    let mut places = vec![(next == base + 1).then_some((0, 0)); writers];
    while next <= lsn {
        let count = (lsn + 1 - next).to_string();
        let records = conn.call(&["WAL", "READ", &next.to_string(), "COUNT", &count]);
        if records.is_error() {
            assert!(records.text().starts_with("LSNGONE"), "{records}");
            return None;
        }
        for record in records.items() {
            let parts = record.items();
            assert_eq!(parts[0], Value::Int(next as i64));
            next += 1;
            note(&mut places, &parts[2].items());
        }
    }
    places.into_iter().collect()
}

fn note(places: &mut [Option<(u64, u64)>], effects: &[Value]) {
    let key = |effect: &Value| effect.field("key").map(|key| key.text()).unwrap_or_default();
    let Some((writer, _)) = effects
        .first()
        .map(key)
        .as_deref()
        .and_then(|key| key.split_once(':'))
        .map(|(writer, rest)| {
            let number: usize = writer.trim_start_matches('w').parse().expect("a writer's number");
            (number, rest.to_owned())
        })
    else {
        return;
    };
    let mark = effects.iter().find(|effect| key(effect).ends_with(":mark"));
    match mark {
        Some(effect) => {
            let value = effect.field("value").map(|value| value.items()).unwrap_or_default();
            places[writer] = Some((index_of(value.last().expect("a mark")), 0));
        }
        None => {
            if let Some((_, behind)) = &mut places[writer] {
                *behind += 1;
            }
        }
    }
}
