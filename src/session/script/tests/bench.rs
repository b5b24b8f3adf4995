//! A server without sockets, over a disk in memory: what a worker's thread has, and clients of it.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::acl::Acl;
use crate::checkpoint::{CheckpointOptions, Origin};
use crate::client::ClientHandle;
use crate::commands::rights::catalogue;
use crate::commands::server::REDIS_VERSION;
use crate::commands::table::table;
use crate::commands::undo_tests::state::{Data, State};
use crate::config::{Params, load};
use crate::engine::Engine;
use crate::engine::gate::ExclusivePass;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::registry::numbered_name;
use crate::engine::scope::Scope;
use crate::engine::worker::Kit;
use crate::pubsub::Subscriber;
use crate::recovery::{RecoverOptions, Recovered, recover};
use crate::resp::{Batch, ParserLimits, RequestParser};
use crate::session::{LateCall, Ran, Session, Waiting, WorkerCx};
use crate::state::{Parts, Server};
use crate::storage::Disk;
use crate::storage::fault::FaultDisk;
use crate::wal::{Fsync, Lsn, Wal, WalOptions};

const CHECKPOINTS: &str = "/data/checkpoint";
const LOG: &str = "/data/wal";

/// See the module.
pub struct Bench {
    pub cx: WorkerCx,
    pub disk: FaultDisk,
    runtime: tokio::runtime::Runtime,
}

fn read_back(disk: &FaultDisk) -> Recovered {
    let options = RecoverOptions {
        checkpoint_dir: CHECKPOINTS.into(),
        wal_dir: LOG.into(),
        wal_enabled: true,
        threads: 2,
    };
    recover(Arc::new(disk.clone()), options, |_| ControlFlow::Continue(())).unwrap()
}

/// What is on a disk: up to which record, and the data.
pub fn on_disk(disk: &FaultDisk) -> (Lsn, Data) {
    let found = read_back(disk);
    let engine = Engine::new(found.registry, Wal::disabled(found.next_lsn), 1, found.data_bytes).unwrap();
    (engine.wal().last_lsn(), State::of_engine(&engine).data())
}

impl Bench {
    /// Starts over what is on `disk`; `kind`: of the two databases, where there are none yet.
    pub fn start(disk: &FaultDisk, kind: Kind) -> Self {
        let found = read_back(disk);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let options = WalOptions {
            note_dir: Some(CHECKPOINTS.into()),
            fsync: Fsync::EverySec,
            segment_bytes: 1 << 18,
            ..WalOptions::new(LOG)
        };
        let wal = Wal::open(Arc::clone(&shared), options, found.next_lsn).unwrap();
        let engine = Engine::new(found.registry, wal, 2, found.data_bytes).unwrap();
        let mut worker = engine.worker().unwrap();
        let fill = |kit: &mut Kit, gate: &ExclusivePass<'_>| {
            let mut scope = Scope::exclusive(&engine, kit, gate);
            let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
            for id in [DatabaseId::DEFAULT, DatabaseId::new(1)] {
                if txn.slot(id).is_none() {
                    txn.create(Some(id), &numbered_name(id), kind).unwrap();
                }
            }
        };
        worker.with_exclusive(&engine, fill);
        worker.submit();
        let server = Server::new(Parts {
            engine,
            params: Params::new(load(None, &[]).unwrap()),
            disk: shared,
            checkpoints: CheckpointOptions {
                dir: CHECKPOINTS.into(),
                persist_dir: "/data/persist".into(),
                wal_dir: LOG.into(),
                term: 1,
            },
            acl: Acl::new(catalogue(table()), None),
            port: 0,
            redis_version: REDIS_VERSION,
            started: Instant::now(),
        });
        let origin = Origin {
            checkpoint: found.checkpoint,
            wal_bytes: found.wal_bytes,
        };
        server.checkpoints.start(origin).unwrap();
        Self {
            cx: WorkerCx::new(server, worker),
            disk: disk.clone(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
        }
    }

    pub fn engine(&self) -> &Engine {
        &self.cx.server.engine
    }

    pub fn state(&self) -> State {
        // As at each turn of a worker: nobody holds a collection any more that is gone.
        self.cx.collections.refresh(self.engine());
        State::of_engine(self.engine())
    }

    pub fn last_lsn(&self) -> Lsn {
        self.engine().wal().last_lsn()
    }

    /// All that was changed is on disk.
    pub fn sync(&self) {
        self.engine().wal().sync_blocking(Lsn::MAX).unwrap();
    }

    /// How much others have been told since the last time: messages, events, notices.
    pub fn take_told(&self) -> usize {
        let deliveries = self.cx.desk.take_all();
        deliveries
            .iter()
            .for_each(|delivery| self.cx.desk.drop_delivery(delivery));
        deliveries.len()
    }

    /// A client that has just connected.
    pub fn client(&self, id: u64) -> Client {
        let [addr, laddr] = ["127.0.0.1:1", "127.0.0.1:2"].map(str::to_owned);
        let handle = Arc::new(ClientHandle::new(id, addr, laddr, (0, false), Waker::noop().clone(), 0));
        self.cx.server.clients.add(Arc::clone(&handle));
        let subscriber = Subscriber::new(Rc::clone(&self.cx.desk), usize::try_from(id).unwrap());
        Client {
            session: Session::new(handle, self.cx.server.acl.default_user(), subscriber),
            blocked: None,
        }
    }
}

/// See the module.
pub struct Client {
    session: Session,
    blocked: Option<(Waiting, Option<LateCall>)>,
}

impl Client {
    /// Sends a request and gives its reply, as text.
    pub fn call(&mut self, bench: &Bench, args: &[&[u8]]) -> String {
        let mut request = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            request.extend_from_slice(arg);
            request.extend_from_slice(b"\r\n");
        }
        let mut batch = Batch::new();
        let mut parser = RequestParser::new(ParserLimits::default());
        let read = parser.fill(&request, &mut batch, usize::MAX).unwrap();
        assert_eq!((read, batch.len()), (request.len(), 1));
        bench.cx.begin_turn();
        let _entered = bench.runtime.enter();
        match self.session.run(&bench.cx, &batch, &request, 0, None) {
            Ran::All | Ran::Full { .. } => {}
            Ran::Waiting { waiting, call, .. } => self.blocked = Some((waiting, call)),
            Ran::Close | Ran::Paused { .. } | Ran::Short { .. } | Ran::Busy { .. } => panic!("it did not run"),
        }
        bench.cx.worker.borrow_mut().take_dependencies();
        bench.cx.end_turn(true, false);
        let reply = String::from_utf8_lossy(&self.session.reply().to_vec()).into_owned();
        self.session.reply().clear();
        reply
    }

    /// The same of words in a line.
    pub fn say(&mut self, bench: &Bench, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.call(bench, &words)
    }

    /// Whether it waits, and still does.
    pub fn is_blocked(&mut self, bench: &Bench) -> bool {
        let Some((waiting, _)) = &mut self.blocked else {
            return false;
        };
        let _entered = bench.runtime.enter();
        let polled = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(result) = polled else { return true };
        let call = self.blocked.take().and_then(|(_, call)| call);
        self.session.reply_late(&bench.cx, call, result);
        self.session.reply().clear();
        false
    }

    /// Its connection ends.
    pub fn leave(mut self, bench: &Bench) {
        self.blocked = None;
        self.session.end(&bench.cx);
        bench.cx.server.clients.remove(self.session.client().handle.id);
    }

    /// Whether a key that it watches has changed.
    pub fn has_watched_change(&self) -> bool {
        self.session.client().watch_flag.is_raised()
    }
}
