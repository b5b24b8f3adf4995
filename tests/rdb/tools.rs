//! `lokikv import` and `lokikv export`, with redis-server at both ends.

use std::fs;

use crate::args;
use crate::fill::{drop_streams, fill};
use crate::format::redis_with;
use crate::look::{assert_same, dataset};
use crate::place::{Place, names};
use crate::support::{Server, Value};

/// What redis-server saves after these commands.
fn saved(commands: &[&[&str]]) -> Vec<u8> {
    let redis = Server::redis(&[]);
    let mut conn = redis.connect();
    for command in commands {
        let reply = conn.call(command);
        assert!(!reply.is_error(), "{command:?}: {reply}");
    }
    assert_eq!(conn.call(&["SAVE"]), Value::ok());
    fs::read(redis.data_dir().join("dump.rdb")).expect("what redis-server saved")
}

#[test]
fn a_dataset_comes_back_from_import_and_export_as_it_was() {
    let redis = Server::redis(&[]);
    let mut conn = redis.connect();
    fill(&mut conn);
    drop_streams(&mut conn);
    assert_eq!(conn.call(&["SAVE"]), Value::ok());
    let place = Place::new(&fs::read(redis.data_dir().join("dump.rdb")).expect("the file"));
    let expected = dataset(&mut conn);
    let keys = expected.len();
    let said = place.run_well(&["import", "dump.rdb", "--data-dir", "data"]);
    assert_eq!(said, format!("imported {keys} keys into data\n"));
    assert!(place.run_well(&["verify", "data"]).contains("ok: "));
    let said = place.run_well(&["export", "--data-dir", "data", "out.rdb"]);
    assert!(
        said.starts_with(&format!("exported {keys} keys to out.rdb: ")),
        "{said}"
    );
    assert_eq!(names(place.home.path()), ["data", "dump.rdb", "out.rdb"]);
    let again = redis_with(&fs::read(place.path("out.rdb")).expect("what was exported"), &[]);
    assert_same(&expected, &dataset(&mut again.connect()));
    let digest = args!["DEBUG", "DIGEST"];
    assert_eq!(conn.call(&digest), again.connect().call(&digest));
}

#[test]
fn what_expired_is_left_out_with_a_word() {
    let rdb = saved(&[
        &["DEBUG", "SET-ACTIVE-EXPIRE", "0"],
        &["SET", "dead", "x", "PX", "1"],
        &["SET", "alive", "x", "EX", "1000"],
    ]);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let place = Place::new(&rdb);
    let said = place.run_well(&["import", "dump.rdb", "--data-dir", "data"]);
    assert!(said.contains("imported 1 keys into data; 1 had expired"), "{said}");
}

/// Code of a library with a function that returns this.
fn library(name: &str, returns: &str) -> String {
    format!("#!lua name={name}\nredis.register_function('{name}_f', function() return '{returns}' end)")
}

#[test]
fn libraries_of_functions_come_in_and_go_out() {
    // Long and alike: Redis packs it.
    let long = library("long", "x") + &"-- the same again\n".repeat(1000);
    let (one, short) = (library("one", "first"), library("short", "y"));
    let load = |code: &'_ str| {
        saved(&[
            &["FUNCTION", "LOAD", code],
            &["FUNCTION", "LOAD", &long],
            &["SET", "a", "1"],
        ])
    };
    let place = Place::new(&load(&one));
    let import = |more: &[&'static str]| [&["import", "dump.rdb", "--data-dir", "data"], more].concat();
    let said = place.run_well(&import(&[]));
    assert_eq!(said, "imported 1 keys and 2 libraries of functions into data\n");
    assert!(place.run_well(&["verify", "data"]).contains("ok: "));
    let manifest = "data/checkpoint/manifest-00000000000000000001.lkm";
    let shown = place.run_well(&["inspect", manifest]);
    assert!(
        shown.contains("library  name=long  ") && shown.contains("library  name=one  "),
        "{shown}"
    );
    let exported = || {
        let said = place.run_well(&["export", "--data-dir", "data", "--force", "out.rdb"]);
        let redis = redis_with(&fs::read(place.path("out.rdb")).expect("read"), &[]);
        let mut conn = redis.connect();
        let listed = conn.call(&["FUNCTION", "LIST", "WITHCODE"]);
        let mut codes: Vec<String> = listed
            .items()
            .iter()
            .map(|library| library.items().last().expect("its code").text())
            .collect();
        codes.sort();
        assert!(
            said.contains(&format!(" keys and {} libraries of functions to", codes.len())),
            "{said}"
        );
        (codes, conn.call(&["FCALL", "one_f", "0"]).text())
    };
    assert_eq!(exported(), (vec![long.clone(), one.clone()], "first".to_owned()));
    let other = library("one", "second");
    fs::write(place.path("dump.rdb"), load(&other)).expect("write");
    let into = [&import(&[])[..], &["--into-collection", "c"]].concat();
    place.fails(
        &into,
        "the library of functions \"one\" is there already, with other code",
    );
    place.run_well(&import(&["--merge"]));
    assert_eq!(exported(), (vec![long.clone(), other.clone()], "second".to_owned()));
    let rdb = saved(&[&["FUNCTION", "LOAD", &short], &["FUNCTION", "LOAD", &one]]);
    fs::write(place.path("dump.rdb"), rdb).expect("write");
    place.run_well(&import(&["--replace"]));
    assert_eq!(exported(), (vec![one, short], "first".to_owned()));
}

#[test]
fn keys_that_are_there_are_not_touched_unasked() {
    let place = Place::new(&saved(&[&["SET", "a", "1"], &["SET", "b", "2"]]));
    let import = |more: &[&'static str]| [&["import", "dump.rdb", "--data-dir", "data"], more].concat();
    place.run_well(&import(&[]));
    fs::write(
        place.path("dump.rdb"),
        saved(&[&["SET", "b", "new"], &["SET", "c", "3"]]),
    )
    .expect("write");
    place.fails(&import(&[]), "collection \"default\" has 2 keys already");
    place.run_well(&import(&["--merge"]));
    let exported = || {
        place.run_well(&["export", "--data-dir", "data", "--force", "out.rdb"]);
        let redis = redis_with(&fs::read(place.path("out.rdb")).expect("read"), &[]);
        redis.connect().call(&["MGET", "a", "b", "c"])
    };
    let some = |text: &str| Value::bulk(text);
    assert_eq!(exported(), Value::Array(vec![some("1"), some("new"), some("3")]));
    place.run_well(&import(&["--replace"]));
    assert_eq!(exported(), Value::Array(vec![Value::Null, some("new"), some("3")]));
    place.fails(&["export", "--data-dir", "data", "out.rdb"], "--force replaces it");
}

#[test]
fn named_collections_get_numbers_in_the_file() {
    let place = Place::new(&saved(&[&["SET", "a", "1"], &["SELECT", "3"], &["SET", "b", "2"]]));
    let import = [
        "import",
        "dump.rdb",
        "--data-dir",
        "data",
        "--into-collection",
        "old",
        "--kind",
        "bcust",
    ];
    assert!(place.run_well(&import).contains("imported 2 keys"));
    place.fails(&["export", "--data-dir", "data", "out.rdb"], "give \"old\" a number");
    assert!(
        place
            .run_well(&["export", "--data-dir", "data", "--skip-named", "none.rdb"])
            .contains("exported 0 keys")
    );
    place.run_well(&["export", "--data-dir", "data", "--collection", "old=7", "out.rdb"]);
    let redis = redis_with(&fs::read(place.path("out.rdb")).expect("read"), &[]);
    let mut conn = redis.connect();
    assert_eq!(conn.call(&["SELECT", "7"]), Value::ok());
    assert_eq!(
        conn.call(&["MGET", "a", "b"]),
        Value::Array(vec![Value::bulk("1"), Value::bulk("2")])
    );
    // Two databases with a key of the same name do not fit into one collection.
    fs::write(
        place.path("dump.rdb"),
        saved(&[&["SET", "a", "1"], &["SELECT", "3"], &["SET", "a", "2"]]),
    )
    .expect("write");
    let import = ["import", "dump.rdb", "--data-dir", "data", "--into-collection", "two"];
    place.fails(&import, "key \"a\": it is there twice");
}

#[test]
fn a_server_takes_over_what_was_imported_and_keeps_others_out() {
    let mut lokikv = Server::lokikv(&["wal.fsync=always"]);
    assert_eq!(lokikv.connect().call(&["SET", "before", "x"]), Value::ok());
    let place = Place::new(&saved(&[&["SET", "a", "1"], &["SELECT", "9"], &["SET", "b", "2"]]));
    let data = lokikv.data_dir();
    let import = [
        "import",
        "dump.rdb",
        "--merge",
        "--data-dir",
        data.to_str().expect("a path"),
    ];
    place.fails(&import, "is in use by process");
    lokikv.kill9();
    place.run_well(&import);
    for _ in 0..2 {
        lokikv.restart();
        let mut conn = lokikv.connect();
        assert_eq!(
            conn.call(&["MGET", "a", "before"]),
            Value::Array(vec![Value::bulk("1"), Value::bulk("x")])
        );
        assert!(!conn.call(&["INCR", "counter"]).is_error());
        assert_eq!(conn.call(&["SELECT", "9"]), Value::ok());
        assert_eq!(conn.call(&["GET", "b"]), Value::bulk("2"));
        lokikv.kill9();
    }
    lokikv.restart();
    assert_eq!(lokikv.connect().call(&["GET", "counter"]), Value::bulk("2"));
}

#[test]
fn a_damaged_file_leaves_the_data_as_it_was() {
    let mut rdb = saved(&[&["SET", "a", "1"], &["SET", "b", "2"]]);
    let place = Place::new(&rdb);
    place.run_well(&["import", "dump.rdb", "--data-dir", "data"]);
    let before = names(&place.path("data/checkpoint"));
    let last = rdb.len() - 1;
    rdb[last] ^= 1;
    fs::write(place.path("dump.rdb"), &rdb).expect("write");
    let import = ["import", "dump.rdb", "--replace", "--data-dir", "data"];
    place.fails(&import, "the file's checksum is wrong");
    rdb.truncate(last - 10);
    fs::write(place.path("dump.rdb"), &rdb).expect("write");
    place.fails(&import, "the input ends too early");
    fs::write(place.path("dump.rdb"), "not one").expect("write");
    place.fails(&import, "this is neither an RDB file nor an append-only file");
    place.fails(&["import", "nosuch.rdb", "--data-dir", "data"], "cannot read");
    place.fails(&["export", "--data-dir", "nosuch", "out.rdb"], "no such directory");
    assert_eq!(names(&place.path("data/checkpoint")), before);
    place.run_well(&["verify", "data"]);
}
