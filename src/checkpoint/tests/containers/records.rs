//! Records of changes, and changes that are taken back: between records, and at the beginning of one.

use super::*;

impl Run {
    /// A record of changes; or what could have been one, and is taken back, alone or before another one.
    pub(super) fn change(&mut self) {
        let ops = self.ops();
        if self.below(4) > 0 {
            return self.record(ops);
        }
        self.take_back(ops);
    }

    /// Does it as one record.
    pub(super) fn record(&mut self, ops: Vec<Op>) {
        match &ops[..] {
            [Op::Change((name, key), change)] if self.random.random() => {
                // As most commands do: under the lock of a single key.
                let database = self.server.engine.registry().by_name(name).unwrap().id;
                self.server
                    .change(database, key, |txn| change.with_effect(key, |effect| txn.apply(effect)));
            }
            _ => self.server.exclusive(|txn| ops.iter().for_each(|op| apply(txn, op))),
        }
        self.done(ops);
    }

    /// What the last record did. Its own number counts: a conversion may have written others behind it already, which a
    /// power cut takes and not this one.
    fn done(&mut self, ops: Vec<Op>) {
        ops.iter().for_each(|op| self.model.apply(op));
        // What changed nothing has none, and changes nothing only where it was done.
        let before = self.since.last().map_or(self.durable.0, |(lsn, _)| *lsn);
        let written = self.server.worker.take_dependencies().written.max(before);
        self.since.push((written, ops));
    }

    /// Does `ops` and more, and takes them back; what is done behind that in the same record stays.
    fn take_back(&mut self, ops: Vec<Op>) {
        let before = self.model.clone();
        ops.iter().for_each(|op| self.model.apply(op));
        let mut more = self.ops();
        if self.below(4) == 0 {
            more.insert(0, Op::Flush(self.name()));
        }
        self.model = before;
        let stays = if self.below(2) == 0 { self.ops() } else { Vec::new() };
        let engine = Arc::clone(&self.server.engine);
        self.server.worker.with_exclusive(&engine, |kit, gate| {
            let mut scope = Scope::exclusive(&engine, kit, gate);
            let failed = scope.attempt(|scope| {
                let mut txn = ExclusiveTxn::new(scope, DatabaseId::DEFAULT);
                ops.iter().chain(&more).for_each(|op| apply(&mut txn, op));
                Err::<(), ()>(())
            });
            assert!(failed.is_err());
            let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
            stays.iter().for_each(|op| apply(&mut txn, op));
        });
        self.server.worker.submit();
        self.done(stays);
        if self.below(10) == 0 {
            self.compare("after something was taken back");
        }
    }
}
