//! Steps of the histories that bring in, show or compare whole collections.

use rand::RngExt;

use super::super::incremental::manifest;
use super::super::*;
use super::model::{Model, NAMES, Name};
use super::{Run, block};
use crate::checkpoint::files::catalog::SnapshotId;
use crate::checkpoint::{AttachRequest, ConvertRequest, CopyRequest, Moment, RestoreRequest, Target};
use crate::engine::index::Kind;

/// Keys that only the second one has, that only the first one has, and that have another value.
type Differences = (u64, u64, u64);

impl Run {
    fn some_checkpoint(&mut self) -> Option<u64> {
        let ids = manifest_ids(&self.disk);
        (!ids.is_empty()).then(|| ids[self.random.random_range(0..ids.len())])
    }

    fn some_kind(&mut self) -> Kind {
        Kind::ALL[self.random.random_range(0..Kind::ALL.len())]
    }

    pub(super) fn restore(&mut self) {
        let checkpoint = self.some_checkpoint().filter(|_| self.step.is_multiple_of(3));
        let (moment, model) = match checkpoint {
            Some(id) => (Moment::Checkpoint(id), self.taken[&id].clone()),
            None if self.copies.is_empty() => return,
            None => {
                let nth = self.random.random_range(0..self.copies.len());
                let (lsn, model) = self.copies.iter().nth(nth).unwrap();
                (Moment::Lsn(*lsn), model.clone())
            }
        };
        let request = RestoreRequest { moment, only: None };
        block(self.server.checkpoints.restore(request)).unwrap();
        self.model = model;
        self.compare(&format!("after a restore of {moment:?}"));
        self.settle();
    }

    pub(super) fn persist(&mut self) {
        block(self.server.checkpoints.persist("default")).unwrap();
        self.persisted = Some(self.model.clone());
    }

    pub(super) fn load(&mut self) {
        let Some(persisted) = self.persisted.clone() else {
            return;
        };
        let (name, kind) = (self.name(), self.some_kind());
        block(self.server.checkpoints.load("default", name, kind, true)).unwrap();
        self.model.replace(name, &persisted, "default");
        self.compare("after a load");
        self.settle();
    }

    pub(super) fn copy_collection(&mut self) {
        let (source, target): (Name, Name) = (self.name(), self.name());
        let kind = Some(self.some_kind()).filter(|_| self.step.is_multiple_of(2));
        if source == target {
            return;
        }
        block(self.server.checkpoints.copy(CopyRequest {
            source: source.to_owned(),
            target: Target {
                name: target.to_owned(),
                replace: true,
            },
            kind,
        }))
        .unwrap();
        let before = self.model.clone();
        self.model.replace(target, &before, source);
        self.compare("after a copy of a collection");
        self.settle();
    }

    /// While others write.
    pub(super) fn convert(&mut self) {
        let request = ConvertRequest {
            name: self.name().to_owned(),
            kind: Some(self.some_kind()),
            is_kept: false,
        };
        let checkpoints = Arc::clone(&self.server.checkpoints);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| block(checkpoints.convert(request)));
            while !thread.is_finished() {
                self.change();
            }
            // A flush, say, that was taken back ends it, too.
            if let Err(error) = thread.join().unwrap() {
                assert!(error.to_string().contains("dropped or replaced"), "{error}");
            }
        });
        self.compare("after a conversion");
    }

    pub(super) fn attach(&mut self) {
        let Some(id) = self.some_checkpoint() else { return };
        let name = NAMES[self.random.random_range(0..NAMES.len())];
        block(self.server.checkpoints.attach(AttachRequest {
            checkpoint: id,
            name: name.to_owned(),
            as_name: "attached".to_owned(),
        }))
        .unwrap();
        let slot = self.server.engine.registry().by_name("attached").cloned().unwrap();
        let found = Model::of_slots([(name, &slot)]);
        let expected = self.taken[&id].only(name);
        assert!(found == expected, "attached {id}: {}", found.difference(&expected));
        self.server.exclusive(|txn| txn.detach(&slot).unwrap());
    }

    pub(super) fn diff(&mut self) {
        let (Some(first), Some(second)) = (self.some_checkpoint(), self.some_checkpoint()) else {
            return;
        };
        let found = block(
            self.server
                .checkpoints
                .compare_snapshots(SnapshotId::Number(first), SnapshotId::Number(second)),
        )
        .unwrap();
        let found = found
            .collections
            .into_iter()
            .map(|one| (one.name, (one.added, one.removed, one.changed)));
        let mut found: Vec<(String, Differences)> =
            found.filter(|(_, differences)| *differences != (0, 0, 0)).collect();
        let mut expected = self.differences(first, second);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "between checkpoints {first} and {second}");
    }

    /// What differs, collection by collection.
    fn differences(&self, first: u64, second: u64) -> Vec<(String, Differences)> {
        let ids = |id| {
            let collections = manifest(&self.disk, id).collections.into_iter();
            collections
                .map(|of| (of.row.id, of.row.name))
                .collect::<BTreeMap<_, _>>()
        };
        let (old, new) = (ids(first), ids(second));
        let (before, after) = (&self.taken[&first], &self.taken[&second]);
        let all = old
            .keys()
            .chain(new.keys())
            .copied()
            .collect::<std::collections::BTreeSet<_>>();
        let keys = |model: &Model, name: Option<&String>| match NAMES
            .into_iter()
            .find(|of| name.is_some_and(|name| name == of))
        {
            Some(name) => model
                .keys_of(name)
                .map(|(key, held)| (key.clone(), held.clone()))
                .collect(),
            None => BTreeMap::new(),
        };
        let differences = all.into_iter().map(|id| {
            let (one, other) = (keys(before, old.get(&id)), keys(after, new.get(&id)));
            let added = other.keys().filter(|key| !one.contains_key(*key)).count() as u64;
            let removed = one.keys().filter(|key| !other.contains_key(*key)).count() as u64;
            let is_changed = |(key, held): &(_, _)| one.get(*key).is_some_and(|before| before != *held);
            let changed = other.iter().filter(is_changed).count() as u64;
            let name = new.get(&id).or(old.get(&id)).unwrap().clone();
            (name, (added, removed, changed))
        });
        differences
            .filter(|(_, differences)| *differences != (0, 0, 0))
            .collect()
    }
}
