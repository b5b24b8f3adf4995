//! What is served by HTTP: a raw client asks, and what it gets is what INFO says.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::client::Wishes;
use crate::page::{secure_with_page, with_page};
use crate::pki::Identity;
use crate::support::{Conn, Server, Value};
use crate::{await_that, call, figure};

/// A server with a port for HTTP.
pub struct Shown {
    pub server: Server,
    pub port: u16,
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Shown {
    pub fn start(settings: &[&str]) -> Self {
        let mut all = vec!["checkpoint.interval_s=0"];
        all.extend(settings);
        let (server, port) = with_page(&all);
        Self { server, port }
    }

    pub fn raw(&self) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).expect("the port answers");
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    /// Sends this as it is, and reads to the end.
    pub fn exchange(&self, request: &str) -> Answer {
        let mut socket = self.raw();
        socket.write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        socket.read_to_string(&mut all).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").expect("a head");
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        self.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n"
        ))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    fn scrape(&self) -> Samples {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Samples::parse(&answer.body)
    }
}

/// The samples of a scrape, and the types of their families.
struct Samples {
    values: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Samples {
    /// Also proves that the text is well formed: help, type, and then the samples of that family.
    fn parse(text: &str) -> Self {
        let (mut values, mut types) = (BTreeMap::new(), BTreeMap::new());
        let (mut family, mut helped) = (String::new(), String::new());
        for line in text.lines().filter(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                helped = rest.split(' ').next().unwrap().to_owned();
                assert!(rest.len() > helped.len() + 1, "no help: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, helped, "{line}");
                assert!(
                    types.insert(name.to_owned(), kind.to_owned()).is_none(),
                    "twice: {line}"
                );
                family = name.to_owned();
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(name.starts_with(&family), "{name} in {family}");
                let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                assert!(values.insert(name.to_owned(), value).is_none(), "twice: {name}");
            }
        }
        Self { values, types }
    }

    fn value(&self, name: &str) -> f64 {
        *self.values.get(name).unwrap_or_else(|| panic!("no {name}"))
    }
}

fn info(conn: &mut Conn, name: &str) -> f64 {
    figure(conn, name) as f64
}

fn some_work(conn: &mut Conn) {
    for n in 0..300 {
        assert_eq!(call(conn, &format!("SET key:{n} value")), Value::ok());
    }
    for line in [
        "EXPIRE key:1 1000",
        "EXPIRE key:2 1000",
        "GET key:1",
        "GET none",
        "LPUSH key:1 x",
        "SELECT 3",
        "SET other 1",
        "SELECT 0",
        "COLLECTION CREATE carts",
        "PING",
    ] {
        let _ = call(conn, line);
    }
}

#[test]
fn figures_are_those_of_info() {
    let shown = Shown::start(&[]);
    let mut conn = shown.server.connect();
    some_work(&mut conn);
    let samples = shown.scrape();
    for (sample, name) in [
        ("redis_connected_clients", "connected_clients"),
        ("redis_blocked_clients", "blocked_clients"),
        ("redis_keyspace_hits_total", "keyspace_hits"),
        ("redis_keyspace_misses_total", "keyspace_misses"),
        ("redis_expired_keys_total", "expired_keys"),
        ("redis_evicted_keys_total", "evicted_keys"),
        ("redis_memory_max_bytes", "maxmemory"),
        ("redis_total_system_memory_bytes", "total_system_memory"),
        ("redis_connections_received_total", "total_connections_received"),
        ("redis_rdb_changes_since_last_save", "rdb_changes_since_last_save"),
        ("lokikv_wal_last_lsn", "wal_lsn"),
        ("lokikv_error_replies_total", "total_error_replies"),
        ("lokikv_changes_total", "changes"),
    ] {
        assert_eq!(samples.value(sample), info(&mut conn, name), "{sample}");
    }
    for (sample, expected) in [
        ("redis_up", 1.0),
        ("redis_db_keys{db=\"db0\"}", 300.0),
        ("redis_db_keys_expiring{db=\"db0\"}", 2.0),
        ("redis_db_keys{db=\"db3\"}", 1.0),
        ("redis_db_keys{db=\"db15\"}", 0.0),
        ("redis_commands_total{cmd=\"set\"}", 301.0),
        ("redis_commands_total{cmd=\"collection|create\"}", 1.0),
        ("redis_commands_failed_calls_total{cmd=\"lpush\"}", 1.0),
        ("redis_errors_total{err=\"WRONGTYPE\"}", 1.0),
        ("lokikv_command_duration_seconds_bucket{cmd=\"set\",le=\"+Inf\"}", 301.0),
        ("lokikv_command_duration_seconds_count{cmd=\"set\"}", 301.0),
        ("lokikv_collection_keys{collection=\"default\",kind=\"hmap\"}", 300.0),
        ("lokikv_collection_keys{collection=\"carts\",kind=\"hmap\"}", 0.0),
        ("lokikv_collections", 3.0),
    ] {
        assert_eq!(samples.value(sample), expected, "{sample}");
    }
    assert!(samples.value("redis_commands_duration_seconds_total{cmd=\"set\"}") > 0.0);
    assert!(samples.value("redis_memory_used_bytes") > 300.0 * 40.0);
    // More than is counted by each change: housekeeping shows the rest as it comes by.
    await_that("reads and writes of the collection", || {
        let samples = shown.scrape();
        samples.value("lokikv_collection_reads_total{collection=\"default\"}") == 2.0
            && samples.value("lokikv_collection_writes_total{collection=\"default\"}") == 302.0
    });
    let row = conn.call(&["INFO", "lokikv"]).text();
    let row = row
        .lines()
        .find_map(|line| line.strip_prefix("collection_default:kind=hmap,"))
        .unwrap();
    let samples = shown.scrape();
    let of = |name: &str| samples.value(&format!("{name}{{collection=\"default\",kind=\"hmap\"}}"));
    let expected = format!(
        "keys={},expires={},pages={},bytes={}",
        of("lokikv_collection_keys"),
        of("lokikv_collection_keys_expiring"),
        of("lokikv_collection_pages"),
        of("lokikv_collection_bytes")
    );
    assert_eq!(row, expected);
    for (family, kind) in [
        ("redis_up", "gauge"),
        ("redis_instance_info", "gauge"),
        ("redis_commands_total", "counter"),
        ("lokikv_command_duration_seconds", "histogram"),
    ] {
        assert_eq!(samples.types.get(family).map(String::as_str), Some(kind), "{family}");
    }
    for name in samples.types.keys() {
        assert!(name.starts_with("redis_") || name.starts_with("lokikv_"), "{name}");
    }
}

/// What dashboards for redis_exporter ask for, as far as a server without replicas and cluster has it.
const DASHBOARDS: &[&str] = &[
    "redis_up",
    "redis_uptime_in_seconds",
    "redis_connected_clients",
    "redis_blocked_clients",
    "redis_memory_used_bytes",
    "redis_memory_used_rss_bytes",
    "redis_memory_max_bytes",
    "redis_memory_fragmentation_ratio",
    "redis_mem_fragmentation_ratio",
    "redis_commands_total",
    "redis_commands_duration_seconds_total",
    "redis_commands_processed_total",
    "redis_keyspace_hits_total",
    "redis_keyspace_misses_total",
    "redis_expired_keys_total",
    "redis_evicted_keys_total",
    "redis_net_input_bytes_total",
    "redis_net_output_bytes_total",
    "redis_db_keys",
    "redis_db_keys_expiring",
    "redis_connected_slaves",
    "redis_total_system_memory_bytes",
    "redis_instance_info",
    "redis_slowlog_length",
    "redis_start_time_seconds",
    "redis_rejected_connections_total",
    "redis_config_maxmemory",
    "redis_cpu_sys_seconds_total",
];

#[test]
fn names_that_dashboards_ask_for_in_both_forms() {
    let shown = Shown::start(&["wal.enabled=false"]);
    let old = shown.get("/metrics");
    assert!(
        old.head
            .contains("content-type: text/plain; version=0.0.4; charset=utf-8")
    );
    let samples = Samples::parse(&old.body);
    for name in DASHBOARDS {
        assert!(samples.types.contains_key(*name), "{name}");
    }
    assert!(!old.body.contains("# EOF"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n";
    let new = shown.ask("GET", "/metrics", accept);
    assert!(
        new.head
            .contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(new.body.ends_with("\n# EOF\n"));
    let samples = Samples::parse(&new.body);
    assert_eq!(samples.types.get("redis_instance").map(String::as_str), Some("info"));
    assert_eq!(
        samples.types.get("redis_commands_processed").map(String::as_str),
        Some("counter")
    );
    assert!(samples.values.contains_key("redis_commands_processed_total"));
}

#[test]
fn probes_and_status() {
    let shown = Shown::start(&["wal.enabled=false"]);
    let alive = shown.get("/healthz");
    assert_eq!((alive.status, alive.body.as_str()), (200, "alive\n"));
    let ready = shown.get("/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    let status = shown.get("/status");
    assert!(status.head.contains("content-type: application/json"));
    assert!(status.body.contains("\"is_ready\":true"), "{}", status.body);
    let mut conn = shown.server.connect();
    assert_eq!(call(&mut conn, "MSET a 1 b 2 c 3"), Value::ok());
    assert!(!call(&mut conn, "CHECKPOINT").is_error());
    assert_eq!(
        call(&mut conn, "COLLECTION ATTACH 1 default AS old READONLY"),
        Value::ok()
    );
    let body = shown.get("/status").body;
    assert!(body.contains("\"keys\":3"), "what is attached is no more data: {body}");
    // More free space than there is.
    crate::set(&mut conn, "checkpoint.interval_s", "3600");
    crate::set(&mut conn, "storage.free_bytes_min", &(u64::MAX >> 2).to_string());
    await_that("it is not ready", || shown.get("/readyz").status == 503);
    assert!(shown.get("/readyz").body.contains("almost full"));
    assert_eq!(shown.get("/healthz").status, 200);
    assert!(shown.get("/status").body.contains("\"is_ready\":false"));
}

#[test]
fn only_reading_and_only_what_is_there() {
    let shown = Shown::start(&["wal.enabled=false"]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        let answer = shown.ask(method, "/metrics", "");
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get, head"));
    }
    for path in ["/metrics/", "/Metrics", "/../metrics", "//metrics", "/favicon.ico"] {
        assert_eq!(shown.get(path).status, 404, "{path}");
    }
    let head = shown.ask("HEAD", "/healthz", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for header in [
        "content-length: 6",
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
    ] {
        assert!(head.head.contains(header), "{header} in {}", head.head);
    }
}

#[test]
fn users_log_in_where_there_is_a_password() {
    let shown = Shown::start(&["wal.enabled=false"]);
    let mut conn = shown.server.connect();
    assert_eq!(call(&mut conn, "ACL SETUSER ann on >secret +info"), Value::ok());
    assert_eq!(
        call(&mut conn, "ACL SETUSER bob on >secret +@all -info ~*"),
        Value::ok()
    );
    // As "default:pw", "ann:secret", "ann:wrong" and "bob:secret".
    let [default, ann, wrong, bob] = [
        "ZGVmYXVsdDpwdw==",
        "YW5uOnNlY3JldA==",
        "YW5uOndyb25n",
        "Ym9iOnNlY3JldA==",
    ];
    let status = |path: &str, login: &str| {
        let header = format!("Authorization: Basic {login}\r\n");
        shown
            .ask("GET", path, if login.is_empty() { "" } else { &header })
            .status
    };
    assert_eq!(status("/metrics", ""), 200);
    crate::set(&mut conn, "requirepass", "pw");
    for path in ["/metrics", "/status"] {
        for (login, expected) in [
            ("", 401),
            (wrong, 401),
            ("!", 401),
            (bob, 403),
            (ann, 200),
            (default, 200),
        ] {
            assert_eq!(status(path, login), expected, "{path} {login}");
        }
    }
    assert!(
        shown
            .get("/metrics")
            .head
            .contains("www-authenticate: basic realm=\"lokikv\"")
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(path, ""), 200, "{path}");
    }
    assert_eq!(figure(&mut conn, "acl_access_denied_auth"), 2);
    let log = call(&mut conn, "ACL LOG").items();
    assert_eq!(log[0].field("object"), Some(Value::bulk("HTTP")));
    // Who may not run INFO without a password gets nothing either.
    crate::set(&mut conn, "requirepass", "");
    assert_eq!(call(&mut conn, "ACL SETUSER default -info"), Value::ok());
    assert_eq!(status("/metrics", ""), 403);
}

#[test]
fn a_page_of_elsewhere_cannot_have_a_browser_read_it() {
    let shown = Shown::start(&["wal.enabled=false"]);
    let status = |path: &str| {
        let head = "Host: example.org\r\nConnection: close\r\n\r\n";
        shown.exchange(&format!("GET {path} HTTP/1.1\r\n{head}")).status
    };
    assert_eq!(
        (status("/metrics"), status("/status"), status("/healthz")),
        (403, 403, 200)
    );
    // What no browser sends is not taken for no name.
    for hosts in ["Host: \u{e9}", "Host: localhost\r\nHost: example.org"] {
        let head = format!("{hosts}\r\nConnection: close\r\n\r\n");
        assert_eq!(
            shown.exchange(&format!("GET /metrics HTTP/1.1\r\n{head}")).status,
            403,
            "{hosts}"
        );
    }
    let with_login = |login: &str| {
        let login = Base64::encode_string(login.as_bytes());
        let head = format!("Host: example.org\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\r\n");
        shown.exchange(&format!("GET /metrics HTTP/1.1\r\n{head}")).status
    };
    // Any password is right for a user that needs none, and proves nothing.
    let mut conn = shown.server.connect();
    for user in ["ann on >pw +@all ~*", "open on nopass +@all ~*"] {
        assert_eq!(call(&mut conn, &format!("ACL SETUSER {user}")), Value::ok());
    }
    assert_eq!((with_login("default:x"), with_login("open:x")), (403, 403));
    assert_eq!(with_login("ann:pw"), 200);
    crate::set(&mut conn, "protected-mode", "no");
    assert_eq!((status("/metrics"), with_login("default:x")), (200, 200));
}

#[test]
fn tls_as_clients_of_commands_have_it() {
    let (secure, port) = secure_with_page(&["tls.auth_clients_user=CN", "server.requirepass=pw"]);
    let status = |identity: Option<&Identity>| {
        let name = ServerName::try_from("localhost").unwrap();
        let config = secure.config(identity, &Wishes::default());
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(config, name).unwrap(), socket);
        let mut all = String::new();
        let sent = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let _ = sent.and_then(|()| stream.read_to_string(&mut all));
        all.split(' ').nth(1).map(str::to_owned)
    };
    assert_eq!(status(None), None, "a certificate is asked for");
    assert_eq!(status(Some(&secure.client)).as_deref(), Some("200"), "it names a user");
    let mut conn = secure.server.connect();
    assert_eq!(call(&mut conn, "AUTH pw"), Value::ok());
    crate::set(&mut conn, "tls.auth_clients_user", "off");
    assert_eq!(status(Some(&secure.client)).as_deref(), Some("401"));
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut all = Vec::new();
    let _ = plain.read_to_end(&mut all);
    assert!(!all.starts_with(b"HTTP"), "{}", all.escape_ascii());
}

#[test]
fn what_a_client_can_take_is_bounded() {
    let shown = Shown::start(&["wal.enabled=false"]);
    let many = shown.ask("GET", "/healthz", &"X: y\r\n".repeat(200));
    assert_eq!(many.status, 431);
    // It answers before all of this has come, and closes: that may take the answer away.
    let mut socket = shown.raw();
    let _ = write!(socket, "GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(4_000_000));
    let mut all = Vec::new();
    let _ = socket.read_to_end(&mut all);
    assert!(
        all.is_empty() || all.starts_with(b"HTTP/1.1 431"),
        "{}",
        all.escape_ascii()
    );
    // A request after another one on the same connection.
    let mut socket = shown.raw();
    for _ in 0..3 {
        socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut buffer = [0; 4096];
        let length = socket.read(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn parameters_are_known_and_do_not_change() {
    let shown = Shown::start(&["wal.enabled=false"]);
    let mut conn = shown.server.connect();
    let port = shown.port.to_string();
    assert_eq!(
        call(&mut conn, "CONFIG GET http.port"),
        Value::Array(vec![Value::bulk("http.port"), Value::bulk(&port)])
    );
    assert_eq!(
        call(&mut conn, "CONFIG GET http.bind"),
        Value::Array(vec![Value::bulk("http.bind"), Value::bulk("127.0.0.1")])
    );
    let refused = call(&mut conn, "CONFIG SET http.port 1").text();
    assert!(refused.contains("immutable"), "{refused}");
}
