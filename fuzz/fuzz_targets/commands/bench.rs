//! A server without sockets and files: what a worker's thread has, and what it runs on.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use lokikv::acl::Acl;
use lokikv::checkpoint::CheckpointOptions;
use lokikv::client::ClientHandle;
use lokikv::commands::rights::catalogue;
use lokikv::commands::server::REDIS_VERSION;
use lokikv::commands::table;
use lokikv::config::{Params, load};
use lokikv::engine::Engine;
use lokikv::engine::ids::DatabaseId;
use lokikv::engine::index::Kind;
use lokikv::engine::keyspace::ExclusiveTxn;
use lokikv::engine::registry::{Registry, numbered_name};
use lokikv::engine::scope::Scope;
use lokikv::lsn::Lsn;
use lokikv::pubsub::{DeliveryQueue, Subscriber};
use lokikv::session::{Session, WorkerCx};
use lokikv::state::{Parts, Server};
use lokikv::storage::fault::FaultDisk;
use lokikv::wal::Wal;

use crate::client::Client;
use crate::recount;

/// Small, so that no input takes long.
const STRING_BYTES_MAX: u64 = 1 << 20;
/// The kinds of the numbered databases.
const DATABASES: [Kind; 4] = [Kind::Hmap, Kind::Hmap, Kind::Bcust, Kind::Bdef];

/// See the module.
pub struct Bench {
    pub cx: WorkerCx,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// With empty databases.
    pub fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let engine = Engine::new(Registry::default(), Wal::disabled(Lsn::FIRST), 1, 0)?;
        engine.set_string_bytes_max(STRING_BYTES_MAX);
        let mut worker = engine.worker().ok_or("no place")?;
        worker.with_exclusive(&engine, |worker, pass| {
            let mut scope = Scope::exclusive(&engine, worker, pass);
            let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
            (0..).zip(DATABASES).try_for_each(|(id, kind)| {
                let id = DatabaseId::new(id);
                let created = txn.create(Some(id), &numbered_name(id), kind);
                created.map(|_| ())
            })
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self {
            cx: WorkerCx::new(server(engine)?, worker),
            runtime,
        })
    }

    /// A client that has just connected.
    pub fn client(&self, id: u64) -> Client {
        Client::new(self.session(id))
    }

    /// A new session under this number.
    pub fn session(&self, id: u64) -> Session {
        let addresses = ["127.0.0.1:1", "127.0.0.1:2"].map(str::to_owned);
        let [addr, laddr] = addresses;
        let handle = Arc::new(ClientHandle::new(id, addr, laddr, (0, false), Waker::noop().clone(), 0));
        self.cx.server.clients.add(Arc::clone(&handle));
        let subscriber = Subscriber::new(Rc::clone(&self.cx.desk), usize::try_from(id).unwrap_or_default());
        Session::new(handle, self.cx.server.acl.default_user(), subscriber)
    }

    /// Begins anew, with these requests of a client that leaves.
    pub fn begin(&self, requests: &[u8]) {
        let mut first = self.client(0);
        first.send(requests);
        first.go_on(self);
        first.leave(self);
    }

    /// Runs `body` where timers can be made.
    pub fn within<R>(&self, body: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let _entered = self.runtime.enter();
        body(&mut Context::from_waker(Waker::noop()))
    }

    /// Nobody is connected: what the engine counts is what is there.
    pub fn check(&self) {
        assert!(self.cx.server.clients.is_empty(), "a client is still listed");
        let pubsub = &self.cx.server.pubsub;
        let topics = pubsub.channel_count(false) + pubsub.channel_count(true) + pubsub.pattern_count();
        assert_eq!(topics, 0, "a subscription is still there");
        let [mut waiting, mut new] = [DeliveryQueue::default(), DeliveryQueue::default()];
        self.cx.desk.take(&mut waiting, &mut new);
        while let Some(delivery) = waiting.pop().or_else(|| new.pop()) {
            self.cx.desk.drop_delivery(&delivery);
        }
        // As at each turn of a worker: nobody holds a collection any more that is gone.
        self.cx.collections.refresh(&self.cx.server.engine);
        recount::check(&self.cx.server.engine);
    }
}

fn server(engine: Engine) -> Result<Arc<Server>, Box<dyn std::error::Error>> {
    Ok(Server::new(Parts {
        engine,
        params: Params::new(load(None, &[])?),
        disk: Arc::new(FaultDisk::new(0)),
        checkpoints: CheckpointOptions {
            dir: PathBuf::from("/checkpoints"),
            persist_dir: PathBuf::from("/persisted"),
            wal_dir: PathBuf::from("/wal"),
            term: 1,
        },
        acl: Acl::new(catalogue(table::table()), None),
        redis_version: REDIS_VERSION,
        port: 0,
        started: Instant::now(),
    }))
}
