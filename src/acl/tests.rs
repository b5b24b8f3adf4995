//! Users made of rules: what is shown of them, and how they change.

use super::rule::RuleError;
use super::{Acl, Catalogue, Login};

/// A few commands.
fn acl() -> Acl {
    const COMMANDS: &[(&str, &[&str])] = &[
        ("get", &["read", "string", "fast"]),
        ("set", &["write", "string", "slow"]),
        ("select", &["connection", "fast"]),
        ("client", &["slow"]),
        ("client|id", &["slow", "connection"]),
        ("client|kill", &["admin", "slow", "dangerous", "connection"]),
    ];
    let commands = COMMANDS
        .iter()
        .map(|(name, categories)| ((*name).to_owned(), categories.iter().copied()));
    Acl::new(Catalogue::new(commands), None)
}

fn set(acl: &Acl, rules: &str) -> Result<(), RuleError> {
    let words: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    let words = super::merge_selectors(words.into_iter()).unwrap();
    acl.set_user(b"u", words.iter().map(Vec::as_slice))
        .map(drop)
        .map_err(|(_, error)| error)
}

fn line(acl: &Acl) -> String {
    String::from_utf8(acl.user(b"u").unwrap().describe()).unwrap()
}

#[test]
fn rules_are_merged_as_in_redis() {
    for (rules, wanted) in [
        ("", "off sanitize-payload resetchannels -@all"),
        (
            "on nopass +get -get",
            "on nopass sanitize-payload resetchannels -@all -get",
        ),
        (
            "+@string +get +@String",
            "off sanitize-payload resetchannels -@all +get +@string",
        ),
        (
            "+client|kill +client|id -client",
            "off sanitize-payload resetchannels -@all -client",
        ),
        (
            "+client -client|kill +client",
            "off sanitize-payload resetchannels -@all +client",
        ),
        (
            "+@all -client|kill",
            "off sanitize-payload resetchannels +@all -client|kill",
        ),
        (
            "+SELECT|0 +select|1",
            "off sanitize-payload resetchannels -@all +select|0 +select|1",
        ),
        (
            "~a %R~b %W~b %W~c",
            "off sanitize-payload ~a ~b %W~c resetchannels -@all",
        ),
        ("%R~* %W~* ~x", "off sanitize-payload %RW~* ~x resetchannels -@all"),
        ("~* &*", "off sanitize-payload ~* &* -@all"),
        (
            "db=0,x* (~a +get db=1)",
            "off sanitize-payload resetchannels db=0,x* -@all (~a resetchannels db=1 -@all +get)",
        ),
        ("resetdbs", "off sanitize-payload resetchannels resetdbs -@all"),
    ] {
        let acl = acl();
        set(&acl, rules).unwrap();
        assert_eq!(line(&acl), format!("user u {wanted}"), "{rules}");
        // The line makes the same user again.
        set(&acl, &format!("reset {wanted}")).unwrap();
        assert_eq!(line(&acl), format!("user u {wanted}"), "{rules}");
    }
}

#[test]
fn what_is_wrong_with_a_rule() {
    for (rules, wanted) in [
        ("+nope", RuleError::Unknown),
        ("+@nope", RuleError::Unknown),
        ("+client|nope", RuleError::Unknown),
        ("-select|0", RuleError::Unknown),
        ("+client|id|x", RuleError::FirstArgOfSubcommand),
        ("+select|", RuleError::Syntax),
        ("nope", RuleError::Syntax),
        ("~* ~x", RuleError::AllKeys),
        ("&* &x", RuleError::AllChannels),
        ("<x", RuleError::NoSuchPassword),
        ("#x", RuleError::BadHash),
        ("db=-1", RuleError::NoSuchDatabase),
        ("(on)", RuleError::Syntax),
    ] {
        let acl = acl();
        assert_eq!(set(&acl, rules), Err(wanted), "{rules}");
        assert!(acl.user(b"u").is_none(), "{rules}");
    }
}

#[test]
fn logins_and_generations() {
    let acl = acl();
    let before = acl.generation();
    set(&acl, "on >p").unwrap();
    assert!(acl.generation() > before);
    let is_in = |password: &[u8]| matches!(acl.log_in(b"u", password), Login::In(_));
    assert!(is_in(b"p") && !is_in(b"q") && !is_in(b""));
    let user = acl.user(b"u").unwrap();
    set(&acl, "off").unwrap();
    assert!(!is_in(b"p") && acl.current(user.id()).is_some());
    acl.delete([&b"u"[..]].into_iter());
    set(&acl, "on >p").unwrap();
    // It has the same name, and is another one.
    assert!(acl.current(user.id()).is_none() && is_in(b"p"));
    assert!(matches!(acl.log_in(b"nobody", b""), Login::Refused));
}

#[test]
fn lost_channels_are_noticed() {
    for (before, after, loses) in [
        ("allchannels", "resetchannels", true),
        ("&a &b", "&c", false),
        ("&a &b", "resetchannels &b &a &c", false),
        ("&a &b", "resetchannels &a", true),
        ("&a", "resetchannels (&a)", false),
        ("&a*", "resetchannels &a?", true),
        ("&a", "allchannels", false),
    ] {
        let acl = acl();
        set(&acl, before).unwrap();
        let words: Vec<&[u8]> = after.split(' ').map(str::as_bytes).collect();
        let losing = acl.set_user(b"u", words.into_iter()).unwrap();
        assert_eq!(losing.is_some(), loses, "{before}: {after}");
    }
}

#[test]
fn a_password_alone_is_nothing_to_write() {
    let acl = acl();
    assert!(acl.is_pristine("") && !acl.is_pristine("x"));
    acl.set_default_password("x");
    assert!(acl.is_pristine("x") && !acl.is_pristine(""));
    set(&acl, "on").unwrap();
    assert!(!acl.is_pristine("x"));
}
