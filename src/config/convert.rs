//! Translates between Redis's text of a parameter and the values of the keys behind it, with Redis's refusals.
//!
//! **Invariants**
//! - The texts of refusals are Redis's, letter by letter.
//! - A translation checks form and Redis's bounds; whether this version accepts the value is the schema's business.

use super::{
    de::Setting,
    flat::Flat,
    keyspace_events,
    params::table::{Kind, OUTPUT_BUFFER_KEYS, Param},
    percentiles,
    refusal::Refusal,
    share::ByteShare,
    size, stop,
};

/// Longer texts that nothing reads are not kept.
const IDLE_BYTES_MAX: usize = 4096;

/// New values of keys.
pub(super) type Changes = Vec<(String, Setting)>;

/// The text that CONFIG GET shows for `param`.
pub(super) fn to_text(param: &Param, flat: &Flat) -> String {
    let first = param.keys.first().and_then(|key| flat.get(*key));
    match (param.kind, first) {
        (Kind::Fixed(text), _) => text.to_owned(),
        (Kind::OutputBuffers, _) => output_buffers_text(flat),
        (Kind::Save, Some(Setting::Int(0))) => String::new(),
        (Kind::Save, Some(interval_s)) => format!("{interval_s} 1"),
        (Kind::YesNo, Some(setting)) => shown(setting),
        (Kind::LogLevel(_), Some(Setting::Text(levels))) => log_level_text(levels),
        (Kind::Events, Some(Setting::Text(text))) => {
            keyspace_events::to_redis_text(keyspace_events::from_text(text).unwrap_or_default())
        }
        (_, Some(setting)) => setting.to_string(),
        (_, None) => String::new(),
    }
}

/// The level for all; Redis has no word for errors alone, and none for parts.
fn log_level_text(levels: &str) -> String {
    let all = levels.split(',').next().unwrap_or_default();
    if all == "error" { "warning" } else { all }.to_owned()
}

fn output_buffers_text(flat: &Flat) -> String {
    let value = |key: &&str| flat.get(*key).map_or_else(String::new, Setting::to_string);
    let classes = ["normal", "slave", "pubsub"].iter().zip(OUTPUT_BUFFER_KEYS.chunks(3));
    let parts = classes.map(|(class, keys)| {
        let limits: Vec<String> = keys.iter().map(value).collect();
        format!("{class} {}", limits.join(" "))
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// The values that CONFIG SET gives to the keys of `param`, or Redis's refusal.
pub(super) fn from_text(param: &Param, text: &str) -> Result<Changes, Refusal> {
    let setting = match param.kind {
        Kind::OutputBuffers => return output_buffers(text),
        Kind::Absent(_) if text.is_empty() => return Ok(Changes::new()),
        Kind::Absent(why) => return Err(Refusal::Conflict(why.to_owned())),
        kind => setting(kind, text)?,
    };
    Ok(param
        .keys
        .iter()
        .map(|key| ((*key).to_owned(), setting.clone()))
        .collect())
}

/// How a parameter without effect, whose default this is, shows a value that it is given.
pub(super) fn checked(kind: Kind, text: &str, default: &str) -> Result<String, Refusal> {
    match kind {
        Kind::Only(_) if text.eq_ignore_ascii_case(default) => Ok(default.to_owned()),
        Kind::Only(why) => Err(Refusal::Conflict(why.to_owned())),
        Kind::Text if text.len() > IDLE_BYTES_MAX => Err(Refusal::Conflict(format!(
            "argument is longer than {IDLE_BYTES_MAX} bytes"
        ))),
        kind => Ok(shown(&setting(kind, text)?)),
    }
}

fn shown(setting: &Setting) -> String {
    match setting {
        Setting::Bool(on) => (if *on { "yes" } else { "no" }).to_owned(),
        other => other.to_string(),
    }
}

/// The one value that a text means.
fn setting(kind: Kind, text: &str) -> Result<Setting, Refusal> {
    Ok(match kind {
        Kind::Int(min, max) => Setting::Int(int(text, min, max)?),
        Kind::Memory(min) => Setting::Int(memory(text, min, i64::MAX as u64)?),
        Kind::MemoryIn(min, max) => Setting::Int(memory(text, min, max)?),
        Kind::Share => share(text)?,
        Kind::YesNo => Setting::Bool(yes_no(text)?),
        Kind::Words(words) | Kind::LogLevel(words) => Setting::Text(word(text, words)?),
        Kind::Text | Kind::List => Setting::Text(text.to_owned()),
        Kind::Events => Setting::Text(events(text)?),
        Kind::Stop => Setting::Text(stop_words(text)?),
        Kind::Percentiles => Setting::Text(percentiles_text(text)?),
        Kind::Save => Setting::Int(save_interval_s(text)?),
        Kind::OutputBuffers | Kind::Absent(_) | Kind::Fixed(_) | Kind::Only(_) => return Err(Refusal::Immutable),
    })
}

/// A number as Redis reads one: no sign but a needed minus, no leading zero, no blank.
fn strict_int(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

fn int(text: &str, min: i64, max: i64) -> Result<i64, Refusal> {
    let number = strict_int(text).ok_or(Refusal::NotInteger)?;
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    Err(Refusal::OutOfRange {
        min: min.into(),
        max: max.into(),
    })
}

fn memory(text: &str, min: u64, max: u64) -> Result<i64, Refusal> {
    let bytes = size::parse(text).ok_or(Refusal::NotMemory)?;
    match i64::try_from(bytes) {
        Ok(fits) if (min..=max).contains(&bytes) => Ok(fits),
        _ => Err(Refusal::OutOfRange {
            min: min.into(),
            max: max.into(),
        }),
    }
}

fn share(text: &str) -> Result<Setting, Refusal> {
    match ByteShare::parse(text) {
        Some(ByteShare::Bytes(bytes)) => Ok(Setting::Int(i64::try_from(bytes).unwrap_or(i64::MAX))),
        Some(ByteShare::Percent(percent)) => Ok(Setting::Text(format!("{percent}%"))),
        None => Err(Refusal::NotShare),
    }
}

fn yes_no(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(Refusal::NotYesNo),
    }
}

fn word(text: &str, words: &'static [&'static str]) -> Result<String, Refusal> {
    let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    word.map(|word| (*word).to_owned()).ok_or(Refusal::NotAmong(words))
}

fn events(text: &str) -> Result<String, Refusal> {
    let flags = keyspace_events::from_text(text).ok_or(Refusal::Events)?;
    Ok(keyspace_events::to_text(flags))
}

fn percentiles_text(text: &str) -> Result<String, Refusal> {
    let numbers = percentiles::from_text(text).map_err(Refusal::Percentiles)?;
    Ok(percentiles::to_text(&numbers))
}

fn stop_words(text: &str) -> Result<String, Refusal> {
    let bits = stop::from_text(text).map_err(|fault| match fault {
        stop::NotAWay::Unknown => Refusal::NotAmong(stop::WORDS),
        stop::NotAWay::Both => Refusal::SaveAndNot,
    })?;
    Ok(stop::to_text(bits))
}

/// The shortest of the save points: a checkpoint at that interval keeps the promise of every one of them.
fn save_interval_s(text: &str) -> Result<i64, Refusal> {
    if text.is_empty() {
        return Ok(0);
    }
    let numbers: Option<Vec<i64>> = text.split(' ').map(strict_int).collect();
    let numbers = numbers
        .filter(|numbers| numbers.len().is_multiple_of(2))
        .ok_or(Refusal::SavePoints)?;
    let valid = |point: &[i64]| match point {
        [seconds, changes] => (1..=i64::from(i32::MAX)).contains(seconds) && *changes >= 0,
        _ => false,
    };
    if !numbers.chunks(2).all(valid) {
        return Err(Refusal::SavePoints);
    }
    Ok(numbers.iter().step_by(2).copied().min().unwrap_or(0))
}

/// Any number of `class hard soft seconds`, of which the last of a class holds; classes that are not named stay as they
/// are.
fn output_buffers(text: &str) -> Result<Changes, Refusal> {
    let words: Vec<&str> = if text.is_empty() {
        Vec::new()
    } else {
        text.split(' ').collect()
    };
    if !words.len().is_multiple_of(4) {
        return Err(Refusal::LimitWords);
    }
    // Each change is checked at a cost: no more of them than there are keys.
    let mut limits: [Option<[i64; 3]>; 3] = [None; 3];
    for limit in words.chunks(4) {
        let [class, hard, soft, seconds] = limit else { continue };
        let place = match class.to_ascii_lowercase().as_str() {
            "normal" => 0,
            "slave" | "replica" => 1,
            "pubsub" => 2,
            _ => return Err(Refusal::LimitClass),
        };
        let bytes = |text| size::parse(text).and_then(|bytes| i64::try_from(bytes).ok());
        let soft_s = strict_int(seconds).filter(|s| (0..=i64::from(i32::MAX)).contains(s));
        let (Some(hard), Some(soft), Some(soft_s)) = (bytes(hard), bytes(soft), soft_s) else {
            return Err(Refusal::LimitValue);
        };
        if let Some(limit) = limits.get_mut(place) {
            *limit = Some([hard, soft, soft_s]);
        }
    }
    let named = OUTPUT_BUFFER_KEYS.chunks(3).zip(limits);
    let changes = named.filter_map(|(keys, limit)| Some(keys.iter().zip(limit?)));
    Ok(changes
        .flatten()
        .map(|(key, value)| ((*key).to_owned(), Setting::Int(value)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{flat::DEFAULTS, params::table};

    fn set(name: &str, text: &str) -> Result<String, Refusal> {
        let param = table::find(name).unwrap();
        let mut flat = DEFAULTS.clone();
        flat.extend(from_text(param, text)?);
        Ok(to_text(param, &flat))
    }

    #[test]
    fn defaults_read_as_in_redis() {
        for (name, text) in [
            ("appendfsync", "everysec"),
            ("appendonly", "yes"),
            ("save", "300 1"),
            ("maxmemory", "0"),
            ("maxmemory-policy", "noeviction"),
            ("loglevel", "notice"),
            ("unixsocketperm", "0"),
            ("bind", "127.0.0.1"),
            ("cluster-enabled", "no"),
            (
                "client-output-buffer-limit",
                "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            ),
        ] {
            assert_eq!(to_text(table::find(name).unwrap(), &DEFAULTS), text, "{name}");
        }
    }

    #[test]
    fn the_level_of_all_is_shown_in_words_of_redis() {
        for (levels, shown) in [
            ("error", "warning"),
            ("verbose,lokikv::wal=debug", "verbose"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(log_level_text(levels), shown);
        }
    }

    #[test]
    fn what_is_set_is_shown() {
        for (name, text, shown) in [
            ("maxmemory", "1kb", "1024"),
            ("maxmemory", "100GB", "107374182400"),
            ("appendfsync", "ALWAYS", "always"),
            ("appendonly", "NO", "no"),
            ("save", "", ""),
            ("save", "900 1 60 1000", "60 1"),
            ("save", "300 0", "300 1"),
            ("slowlog-log-slower-than", "-1", "-1"),
            ("notify-keyspace-events", "KEA", "AKE"),
            ("shutdown-on-sigterm", "Force now", "now force"),
            ("latency-tracking", "no", "no"),
            (
                "latency-tracking-info-percentiles",
                "1e1 99.990 50.0000001",
                "10 99.99 50",
            ),
            ("latency-tracking-info-percentiles", "", ""),
            ("stop-writes-on-bgsave-error", "no", "no"),
            (
                "client-output-buffer-limit",
                "REPLICA 2mb 1k 9 normal 7 0 0 REPLICA 1mb 1k 5",
                "normal 7 0 0 slave 1048576 1000 5 pubsub 33554432 8388608 60",
            ),
            (
                "client-output-buffer-limit",
                "",
                "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            ),
        ] {
            assert_eq!(set(name, text).unwrap(), shown, "{name} {text}");
        }
    }

    #[test]
    fn refusals_are_those_of_redis() {
        let not_int = "argument couldn't be parsed into an integer";
        let no_percentile = "Invalid latency-tracking-info-percentiles parameters";
        let wrong_limit = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        for (name, text, refusal) in [
            ("port", "70000", "argument must be between 0 and 65535 inclusive"),
            ("port", "abc", not_int),
            ("timeout", "05", not_int),
            ("timeout", "+5", not_int),
            ("timeout", "", not_int),
            ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
            ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
            ("maxmemory", "abc", "argument must be a memory value"),
            ("maxmemory", "5%", "argument must be a memory value"),
            (
                "proto-max-bulk-len",
                "1kb",
                "argument must be between 1048576 and 2147483648 inclusive",
            ),
            (
                "maxmemory-clients",
                "101%",
                "argument must be a memory or percent value",
            ),
            ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
            (
                "appendfsync",
                "maybe",
                "argument(s) must be one of the following: everysec, always, no",
            ),
            ("save", "abc", "Invalid save parameters"),
            ("save", "300", "Invalid save parameters"),
            ("save", "0 1", "Invalid save parameters"),
            ("save", "300 -1", "Invalid save parameters"),
            ("save", " 900  1", "Invalid save parameters"),
            (
                "notify-keyspace-events",
                "q",
                "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
            ),
            (
                "client-output-buffer-limit",
                "normal 0 0",
                "Wrong number of arguments in buffer limit configuration.",
            ),
            (
                "client-output-buffer-limit",
                "foo 0 0 0",
                "Invalid client class specified in buffer limit configuration.",
            ),
            ("latency-tracking-info-percentiles", "50 x", no_percentile),
            ("latency-tracking-info-percentiles", " 50", no_percentile),
            ("latency-tracking-info-percentiles", "nan", no_percentile),
            (
                "latency-tracking-info-percentiles",
                "50 100.1",
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            ),
            ("client-output-buffer-limit", "normal a 0 0", wrong_limit),
            ("client-output-buffer-limit", "normal 1 2 -3", wrong_limit),
        ] {
            assert_eq!(set(name, text).unwrap_err().to_string(), refusal, "{name} {text}");
        }
    }
}
