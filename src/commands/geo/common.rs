//! What the commands on positions have in common.

use crate::commands::CmdError;
use crate::commands::support::geo::{LATITUDE_MAX, LONGITUDE_MAX, Point};
use crate::resp::Reply;
use crate::resp::double::parse_f64;

/// A position given by two arguments.
pub(super) fn parse_point(longitude: &[u8], latitude: &[u8]) -> Result<Point, CmdError> {
    let coordinate = |argument| parse_f64(argument).ok_or(CmdError::NotFloat);
    let (longitude, latitude) = (coordinate(longitude)?, coordinate(latitude)?);
    if longitude.abs() > LONGITUDE_MAX || latitude.abs() > LATITUDE_MAX {
        return Err(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}").into());
    }
    Ok(Point { longitude, latitude })
}

/// How many metres a unit has.
pub(super) fn parse_unit_m(argument: &[u8]) -> Result<f64, CmdError> {
    match argument.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(CmdError::text(
            "ERR unsupported unit provided. please use M, KM, FT, MI",
        )),
    }
}

/// A distance, with four decimals whatever the unit.
pub(super) fn reply_distance(reply: &mut Reply, distance: f64) {
    reply.bulk(distance_text(distance).as_bytes());
}

/// As Redis rounds it: to an even last digit what is in the middle once it is multiplied, exact or not.
pub(super) fn distance_text(distance: f64) -> String {
    const PARTS: f64 = 10_000.0;
    if distance.is_nan() {
        let sign = if distance.is_sign_negative() { "-" } else { "" };
        return format!("{sign}nan");
    }
    // Nothing on Earth is so far away that this would not fit.
    let parts = (distance * PARTS).round_ties_even() as u64;
    format!("{}.{:04}", parts / PARTS as u64, parts % PARTS as u64)
}

pub(super) fn reply_point(reply: &mut Reply, point: Point) {
    reply.array(2);
    reply.double(point.longitude);
    reply.double(point.latitude);
}
