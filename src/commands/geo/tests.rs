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
