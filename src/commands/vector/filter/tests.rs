//! Outcomes of expressions, most of them recorded from Redis 8.2.3.

use super::{EXPRESSION_BYTES_MAX, Filter};

/// The attributes of an element, then expressions, each with what Redis 8.2.3 says: whether the element is accepted, or
/// what an error quotes.
const RECORDED: &str = include_str!("redis-8.2.txt");

fn accepts(expression: &str, attributes: &str) -> bool {
    Filter::compile(expression.as_bytes())
        .unwrap()
        .accepts(attributes.as_bytes())
}

fn outcome(expression: &str, attributes: &str) -> String {
    match Filter::compile(expression.as_bytes()) {
        Ok(filter) if filter.accepts(attributes.as_bytes()) => "yes".to_owned(),
        Ok(_) => "no".to_owned(),
        Err(error) => {
            let text = String::from_utf8(error.bytes().into_owned()).unwrap();
            let quoted = text.strip_prefix("ERR syntax error in FILTER expression near: ");
            format!("near {}", quoted.unwrap())
        }
    }
}

#[test]
fn expressions_mean_what_they_mean_to_redis() {
    let (attributes, lines) = RECORDED.split_once('\n').unwrap();
    let mut wrong = Vec::new();
    for line in lines.lines() {
        let (expression, expected) = line.split_once('\t').unwrap();
        let found = outcome(expression, attributes);
        if found != expected {
            wrong.push(format!("{expression}: {found}, in Redis: {expected}"));
        }
    }
    assert!(lines.lines().count() > 300);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn attributes_are_read_as_far_as_they_make_sense() {
    for (attributes, expression, expected) in [
        (r#"{"n":1, bad"#, ".n", true),
        (r#"{"n":1, bad"#, ".m", false),
        (r#"{"m":1, "n":2"#, ".n", true),
        ("\t {  \"n\"  :  1  } ", ".n", true),
        (r#"{"n":1}x"#, ".n", true),
        (r#"x{"n":1}"#, ".n", false),
        (r#"{"n":1,"n":0}"#, ".n", true),
        (r#"{"n":0,"n":1}"#, ".n", false),
        ("[1]", ".n", false),
        ("5", ".n", false),
        ("", ".n", false),
        ("", "1", true),
        (r#"{"n":tru}"#, ".n", false),
        (r#"{"a":{"n":1}}"#, ".n", false),
        (r#"{"a":[{"n":2}],"n":1}"#, ".n", true),
        (r#"{"n":[1,[2],3]}"#, "3 in .n", true),
        (r#"{"n":[1,2,{"a":1}]}"#, "1 in .n", false),
        (r#"{"n":[1,2"#, ".n", false),
        (r#"{"n":"abc"#, ".n", false),
        (r#"{"n":-1.5E-3}"#, ".n == -0.0015", true),
        (r#"{"n":12345678901234567890}"#, ".n > 1", true),
        (r#"{"":1}"#, ".", true),
        (r#"{"n": "5" , "m": 2}"#, ".n + .m == 7", true),
        // Redis leaves escapes of this kind as they are.
        ("{\"n\":\"\\u00e9\\ud83d\\ude00\\b\"}", ".n == 'é😀\u{8}'", true),
        ("{\"\\u006e\":1}", ".n", true),
    ] {
        assert_eq!(accepts(expression, attributes), expected, "{attributes} {expression}");
    }
}

#[test]
fn deep_and_long_ones_are_bounded() {
    let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(accepts(&nested, ""));
    let sums = format!("1{}", " + 1".repeat(100_000));
    assert!(accepts(&sums, ""));
    let powers = format!("1{}", " ** 1".repeat(100_000));
    assert!(accepts(&powers, ""));
    let many_names: String = (0..50_000).map(|n| format!(".n{n} or ")).collect();
    assert!(!accepts(&format!("{many_names} 1"), r#"{"n1":1}"#));
    let json = format!(r#"{{"a":{}{},"n":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(accepts(".n", &json));
    assert!(!accepts(".a", &json));
    let longest = format!("1{}", " ".repeat(EXPRESSION_BYTES_MAX - 1));
    assert!(accepts(&longest, ""));
    let error = Filter::compile(format!("{longest} ").as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "ERR a FILTER expression has at most 1 MiB");
}

#[test]
fn a_nul_ends_an_expression() {
    assert!(accepts(".n\0 junk )", r#"{"n":1}"#));
    assert_eq!(outcome("(1\0)", ""), "near (1");
}

#[test]
fn numbers_are_those_that_other_programs_read() {
    for number in [
        "0.1",
        "2.2250738585072011e-308",
        "123456789.123456789",
        "9007199254740993",
        "7.2057594037927933e16",
    ] {
        let expected: f64 = number.parse().unwrap();
        let expression = format!(".n == '{expected:e}'");
        assert!(accepts(&expression, &format!(r#"{{"n":{number}}}"#)), "{number}");
    }
}
