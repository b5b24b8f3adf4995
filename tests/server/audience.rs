//! Those who may be told of what a client does: watchers, blocked clients, listeners, clients that cache, MONITOR.

use std::time::Duration;

use crate::support::{Conn, Server, Value, text};

pub fn queue(conn: &mut Conn, lines: &[&str]) {
    assert_eq!(conn.call(&["MULTI"]), Value::ok());
    for line in lines {
        assert_eq!(conn.call(&words(line)).text(), "QUEUED", "{line}");
    }
}

pub fn words(line: &str) -> Vec<Vec<u8>> {
    text::split(line).expect("a line")
}

pub fn say(conn: &mut Conn, line: &str) -> Value {
    conn.call(&words(line))
}

/// What comes up to the answer to a PING.
pub fn told(conn: &mut Conn) -> Vec<String> {
    conn.send(&["PING", "the end"]).expect("send");
    let mut told = Vec::new();
    loop {
        let value = conn.recv().expect("a reply").value;
        if value == Value::bulk("the end") || value.items().first() == Some(&Value::bulk("pong")) {
            return told;
        }
        let parts = value.items().into_iter().flat_map(|part| match part.items() {
            items if items.is_empty() => vec![part.text()],
            items => items.iter().map(Value::text).collect(),
        });
        let parts: Vec<String> = parts.collect();
        told.push(if parts.is_empty() {
            value.text()
        } else {
            parts.join(" ")
        });
    }
}

/// Everybody who may be told of something.
pub struct Audience {
    pub watcher: Conn,
    pub blocked: Conn,
    listener: Conn,
    caching: Conn,
    broadcast: Conn,
    monitor: Conn,
}

impl Audience {
    pub fn of(server: &Server) -> Self {
        let mut admin = server.connect();
        say(&mut admin, "CONFIG SET notify-keyspace-events KEAnm");
        say(&mut admin, "SET k old");
        let [mut watcher, blocked, mut listener, mut monitor] = std::array::from_fn(|_| server.connect());
        say(&mut watcher, "WATCH k new list");
        say(&mut listener, "PSUBSCRIBE *");
        let [mut caching, mut broadcast] = std::array::from_fn(|_| server.connect3());
        say(&mut caching, "CLIENT TRACKING ON");
        say(&mut caching, "MGET k new list");
        say(&mut broadcast, "CLIENT TRACKING ON BCAST");
        say(&mut monitor, "MONITOR");
        let mut audience = Self {
            watcher,
            blocked,
            listener,
            caching,
            broadcast,
            monitor,
        };
        audience.blocked.send(&["BLPOP", "list", "0"]).expect("send");
        while admin.call(&["INFO", "clients"]).figure("blocked_clients") == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        told(&mut audience.monitor);
        told(&mut audience.listener);
        audience
    }

    /// What the listener, the clients that cache, and MONITOR have been told.
    pub fn told(&mut self) -> [Vec<String>; 4] {
        let of_monitor = told(&mut self.monitor);
        let shown = of_monitor
            .iter()
            .map(|line| line.split_once("] ").expect("a line").1.to_owned());
        [
            told(&mut self.listener),
            told(&mut self.caching),
            told(&mut self.broadcast),
            // Of its own PING it is shown, too.
            shown.filter(|line| !line.contains("PING")).collect(),
        ]
    }

    pub fn has_watched_change(&mut self) -> bool {
        queue(&mut self.watcher, &["PING"]);
        self.watcher.call(&["EXEC"]).is_null()
    }
}
