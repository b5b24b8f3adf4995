//! What all threads of a server share: the engine and its helpers, the clients, and how it loads, is paused, or is told
//! to end.
//!
//! Commands work on it, `server` assembles it; so it is a layer of its own below both.

mod busy;
mod callee;
mod ending;
pub mod figures;
mod functions;
mod loading;
mod memory;
mod pause;
mod scripts;
mod shutdown;
mod space;
mod watch;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::acl::Acl;
use crate::checkpoint::{CheckpointOptions, Checkpointer};
use crate::client::{Clients, Post, When};
use crate::config::params::Params;
use crate::engine::alarms::Alarms;
use crate::engine::blocked::Numbered;
use crate::engine::defrag::Defrag;
use crate::engine::worker::Kit;
use crate::engine::{Engine, Teller};
use crate::metrics::Stats;
use crate::pubsub::{Desk, PubSub};
use crate::storage::Disk;
use crate::tls::Tls;

pub use busy::{Busy, BusyScript, BusyScripts, NotKilled};
pub use callee::Callee;
pub use ending::{Refused, end, end_beside_script};
pub use functions::{Catalogue, Examiner, Function, Functions, Known, LOAD_AGAIN};
pub use loading::{Loading, LoadingNow};
pub use memory::Pressure;
pub use pause::Pause;
pub use scripts::{MachineBytes, Script, ScriptFlags, Scripts};
pub use shutdown::{Rest, Shutdown, Way};
pub use space::{Purpose, Room, Space};
pub use watch::{ScriptWatch, Stint};

/// Everything the threads share.
pub struct Server {
    /// The data.
    pub engine: Arc<Engine>,
    /// Configuration, changeable ones included.
    pub params: Arc<Params>,
    /// Users, and what they may do.
    pub acl: Acl,
    /// Connected clients.
    pub clients: Clients,
    /// Who wants to be told of what.
    pub pubsub: Arc<PubSub>,
    /// Blocked commands that look again at a time of their own.
    pub alarms: Arc<Alarms<Numbered>>,
    /// Defragmentation of memory.
    pub defrag: Defrag,
    /// Counters, slow log, latency samples.
    pub stats: Stats,
    /// Takes checkpoints.
    pub checkpoints: Arc<Checkpointer>,
    /// The load of the data at the start.
    pub loading: Loading,
    /// Ends the server.
    pub shutdown: Shutdown,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// Scripts that have run for long.
    pub busy: BusyScripts,
    /// Has scripts that have run for long know.
    pub script_watch: ScriptWatch,
    /// Scripts that are cached.
    pub scripts: Scripts,
    /// Functions, as far as they are known.
    pub functions: Functions,
    /// How eviction gets on.
    pub pressure: Pressure,
    /// Whether the file systems have room.
    pub space: Space,
    /// Whether the expiry sweep runs (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: AtomicBool,
    /// When the process started.
    pub started: Instant,
    /// When the process started, Unix seconds.
    pub started_s: u64,
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// The port in use.
    pub port: u16,
    /// What TLS connections are made with.
    pub tls: Arc<Tls>,
}

/// What a server is made of.
pub struct Parts {
    /// Its engine.
    pub engine: Engine,
    /// Its configuration.
    pub params: Params,
    /// Where all files are.
    pub disk: Arc<dyn Disk>,
    /// Where checkpoints are.
    pub checkpoints: CheckpointOptions,
    /// Its users, by whom all commands are known.
    pub acl: Acl,
    /// Redis's version that scripts and functions are told.
    pub redis_version: &'static str,
    /// The port it listens on.
    pub port: u16,
    /// When the process started.
    pub started: Instant,
}

impl Server {
    /// A server over these; nothing runs yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let engine = Arc::new(parts.engine);
        let settings = Arc::clone(parts.params.live().checkpoint());
        let checkpoints = Checkpointer::new(Arc::clone(&engine), parts.disk, parts.checkpoints, settings);
        let params = Arc::new(parts.params);
        let functions = Functions::new(Arc::clone(&params), parts.redis_version);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let server = Arc::new(Self {
            stats: Stats::new(parts.acl.catalogue().len(), engine.cells()),
            pubsub: Arc::new(PubSub::hearing(Arc::clone(engine.events()))),
            engine,
            params,
            acl: parts.acl,
            clients: Clients::default(),
            checkpoints: Arc::new(checkpoints),
            alarms: Arc::default(),
            defrag: Defrag::default(),
            loading: Loading::default(),
            shutdown: Shutdown::default(),
            pause: Pause::default(),
            busy: BusyScripts::default(),
            script_watch: ScriptWatch::default(),
            scripts: Scripts::default(),
            functions,
            pressure: Pressure::default(),
            space: Space::default(),
            active_expire: AtomicBool::new(true),
            started: parts.started,
            started_s: since_epoch.as_secs(),
            run_id: (0..5).map(|_| format!("{:08x}", rand::random::<u32>())).collect(),
            port: parts.port,
            tls: Arc::default(),
        });
        let teller = ForNobody(Arc::downgrade(&server));
        server.engine.set_teller(Box::new(teller));
        server
    }

    /// The way to clients that cache, from the worker that has `desk`, or from another thread.
    pub fn post<'a>(&'a self, desk: Option<&'a Desk>) -> Post<'a> {
        Post {
            tracking: self.engine.tracking(),
            clients: &self.clients,
            pubsub: &self.pubsub,
            desk,
        }
    }
}

/// Tells clients that cache of what no client's command has done.
struct ForNobody(Weak<Server>);

impl Teller for ForNobody {
    fn tell(&self, kit: &mut Kit) {
        if let Some(server) = self.0.upgrade() {
            server.post(None).tell(kit, When::Together);
        }
    }
}
