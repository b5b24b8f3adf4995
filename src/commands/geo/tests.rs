//! What geo commands answer, beside the comparison with Redis.

use super::common::distance_text;
use crate::commands::testing::Harness;

#[test]
fn distances_are_rounded_as_redis_does() {
    for (distance, text) in [
        (0.0, "0.0000"),
        (56.441_25, "56.4412"),
        (11_076_066.589_55, "11076066.5896"),
        (7_849_449.577_85, "7849449.5778"),
        (166_274.151_56, "166274.1516"),
    ] {
        assert_eq!(distance_text(distance), text);
    }
}

#[test]
fn sicily() {
    let mut server = Harness::new();
    let add = "GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";
    assert_eq!(server.say(add), ":2");
    assert_eq!(server.say("GEODIST Sicily Palermo Catania"), "$11 166274.1516");
    assert_eq!(server.say("GEOHASH Sicily Palermo nowhere"), "*2 $11 sqc8b49rny0 $-1");
    let around = "GEORADIUS Sicily 15 37 200 km WITHDIST DESC STORE near";
    assert!(
        server
            .say(around)
            .starts_with("-ERR STORE option in GEORADIUS is not compatible")
    );
    assert_eq!(server.say("GEORADIUS Sicily 15 37 200 km STOREDIST near"), ":2");
    assert_eq!(server.say("ZRANGE near 0 0"), "*1 $7 Catania");
    assert_eq!(
        server.say("GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 1 WITHDIST"),
        "*1 *2 $7 Catania $7 56.4413"
    );
    assert_eq!(
        server.say("GEOSEARCHSTORE near Sicily FROMLONLAT 0 0 BYRADIUS 1 m"),
        ":0"
    );
    assert_eq!(server.say("EXISTS near"), ":0");
}

#[test]
fn within_a_polygon() {
    let mut server = Harness::new();
    server.say("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 e1 17.241510 38.788135 e2");
    let triangle = "BYPOLYGON 3 12 39 18 39 15 36";
    for (line, reply) in [
        (
            "GEOSEARCH g BYPOLYGON 4 12 38 16 38 16 37 12 37 ASC WITHDIST",
            "*1 *2 $7 Catania $10 95942.2984",
        ),
        (
            "GEOSEARCH g BYPOLYGON 3 12 39 18 39 15 36",
            "*4 $7 Palermo $2 e1 $7 Catania $2 e2",
        ),
        ("GEOSEARCH g BYPOLYGON 3 12 39 12 39 12 39", "*0"),
        ("GEOSEARCH nosuch BYPOLYGON 3 12 39 18 39 15 36", "*0"),
        (
            "GEOSEARCH g BYPOLYGON 2147483648 1 2 3 4 5 6",
            "-ERR invalid number of vertices",
        ),
        (
            "GEOSEARCH g BYPOLYGON 4 1 2 3 4 5 6",
            "-ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
        ),
        (
            "GEOSEARCH nosuch BYPOLYGON -1 1 2 3 4 5 6",
            "-ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
        ),
        ("GEOSEARCH g BYPOLYGON 3 1 2 3 4 5 x", "-ERR value is not a valid float"),
        (
            "GEOSEARCH g BYPOLYGON 3 1 2 3 4 5 99",
            "-ERR invalid longitude,latitude pair 5.000000,99.000000",
        ),
    ] {
        assert_eq!(server.say(line), reply, "{line}");
    }
    for other in [
        "FROMLONLAT 15 37",
        "FROMMEMBER Palermo",
        "BYRADIUS 5 km",
        "BYBOX 5 5 km",
    ] {
        assert_eq!(
            server.say(&format!("GEOSEARCH g {triangle} {other}")),
            "-ERR syntax error"
        );
        assert_eq!(
            server.say(&format!("GEOSEARCH g {other} {triangle}")),
            "-ERR syntax error"
        );
    }
    assert_eq!(server.say(&format!("GEOSEARCHSTORE d g {triangle} STOREDIST")), ":4");
    assert_eq!(server.say("ZRANGE d 0 -1"), "*4 $7 Catania $7 Palermo $2 e2 $2 e1");
}

#[test]
fn a_polygon_finds_what_is_far_from_its_middle() {
    let mut server = Harness::new();
    server.say("GEOADD g 0.5 80 a 179 80 b -179 80 c 90 -60 d");
    let long = "GEOSEARCH g BYPOLYGON 7 0 81 180 81 180 79 0 79 -180 79 -180 81 0 81 COUNT 9 ASC";
    let found = server.say(long);
    assert!(
        ["$1 a", "$1 b", "$1 c"].iter().all(|member| found.contains(member)),
        "{found}"
    );
    assert!(!found.contains("$1 d"));
}
