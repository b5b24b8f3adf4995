//! Command flags: one bit each; names as in `COMMAND INFO`.

/// `denyoom`: refused when memory is over its limit.
pub const DENY_OOM: u32 = 1;
/// `admin`
pub const ADMIN: u32 = 1 << 1;
/// `pubsub`
pub const PUBSUB: u32 = 1 << 2;
/// `noscript`
pub const NO_SCRIPT: u32 = 1 << 3;
/// `blocking`
pub const BLOCKING: u32 = 1 << 4;
/// `loading`: allowed while data is loading.
pub const LOADING: u32 = 1 << 5;
/// `stale`
pub const STALE: u32 = 1 << 6;
/// `skip_monitor`
pub const SKIP_MONITOR: u32 = 1 << 7;
/// `skip_slowlog`
pub const SKIP_SLOWLOG: u32 = 1 << 8;
/// `fast`
pub const FAST: u32 = 1 << 9;
/// `no_auth`: allowed before authentication.
pub const NO_AUTH: u32 = 1 << 10;
/// `may_replicate`
pub const MAY_REPLICATE: u32 = 1 << 11;
/// `movablekeys`
pub const MOVABLE_KEYS: u32 = 1 << 12;
/// `no_async_loading`
pub const NO_ASYNC_LOADING: u32 = 1 << 13;
/// `no_multi`
pub const NO_MULTI: u32 = 1 << 14;
/// `no_mandatory_keys`
pub const NO_MANDATORY_KEYS: u32 = 1 << 15;
/// `allow_busy`
pub const ALLOW_BUSY: u32 = 1 << 16;
/// `write`, for handlers whose type does not say so (`PERSIST` and the like are [`super::Handler::Exclusive`]).
pub const WRITE: u32 = 1 << 17;
/// `readonly`, likewise.
pub const READONLY: u32 = 1 << 18;
/// Ours: the command runs at once even inside MULTI (EXEC, DISCARD, MULTI, WATCH, QUIT, RESET).
pub const NOT_QUEUED: u32 = 1 << 19;

/// Ours: the command runs what MULTI queued (EXEC), so the queue's needs are its own.
pub const RUNS_QUEUE: u32 = 1 << 20;

/// Ours: the command ends a transaction (EXEC, DISCARD, RESET), so that it is not refused for want of memory.
pub const ENDS_MULTI: u32 = 1 << 21;

/// Ours, follows from the rest: what it costs is bounded by the bytes it is sent and answers.
pub const BRIEF: u32 = 1 << 22;

/// Ours: refused like a write while nothing that is written would be kept (PING), so that whoever looks after the
/// server sees it.
pub const TELLS_OF_DISK: u32 = 1 << 23;

/// Ours: may run on a RESP2 connection that has subscriptions.
pub const WHILE_SUBSCRIBED: u32 = 1 << 24;

/// Ours: runs a script, whose first line may say what the call needs.
pub const RUNS_SCRIPT: u32 = 1 << 25;

/// Ours: looks at nothing but its arguments and the clock (PING, ECHO, TIME).
pub const TOUCHES_NOTHING: u32 = 1 << 26;

/// Ours: can be taken back, although scripts may not run it.
pub const UNDOABLE: u32 = 1 << 27;
/// May follow a redirection within a cluster.
pub const ASKING: u32 = 1 << 28;

/// All flags that `COMMAND INFO` shows, with their names, in Redis's order; Redis does not show `may_replicate`.
pub const NAMES: &[(u32, &str)] = &[
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENY_OOM, "denyoom"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NO_SCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (LOADING, "loading"),
    (STALE, "stale"),
    (SKIP_MONITOR, "skip_monitor"),
    (SKIP_SLOWLOG, "skip_slowlog"),
    (ASKING, "asking"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (NO_ASYNC_LOADING, "no_async_loading"),
    (NO_MULTI, "no_multi"),
    (MOVABLE_KEYS, "movablekeys"),
    (ALLOW_BUSY, "allow_busy"),
];
