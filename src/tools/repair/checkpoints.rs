//! Checkpoints and persisted collections: which can be used, and what must go.
//!
//! In this order: the newest checkpoint as it is; an older one that the log still brings up to date, or none if the log
//! goes back to its beginning; the newest one without its damaged pages; an older one without what came after it; what
//! there is of a log that goes back to its beginning.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::log::Log;
use super::rewrite::Rewriting;
use super::{Action, Plan};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::files::catalog;
use crate::checkpoint::files::control::Control;
use crate::checkpoint::files::format::{LibraryRow, ManifestKind, PAGE_HEADER_BYTES};
use crate::checkpoint::files::manifest::Manifest;
use crate::checkpoint::files::persisted::persisted_manifests;
use crate::checkpoint::files::verify::{Damage, Event, Expected, damage, read_expected, verify_manifest};
use crate::engine::ids::CollectionId;
use crate::page::PageId;
use crate::storage::{Disk, FileError};
use crate::time::utc;
use crate::tools::error::ToolError;
use crate::wal::Lsn;

/// A checkpoint as it was found.
struct Candidate {
    path: PathBuf,
    manifest: Result<Manifest, CheckpointError>,
    damage: Damage,
}

impl Candidate {
    /// Of the data set, where one is known.
    fn look(disk: &dyn Disk, path: PathBuf, expected: Expected, data_set: Option<u128>) -> Self {
        let mut manifest = read_expected(disk, &path, expected);
        let mut damaged = Damage::default();
        if let Ok(found) = &manifest {
            damaged = damage(disk, &path, found);
            if data_set.is_some_and(|data_set| data_set != found.head.data_set) {
                let reason = "it is of another data set than the control file";
                manifest = Err(CheckpointError::damaged(&path, 0, reason));
            }
        }
        if manifest.is_ok() && damaged.is_none() {
            // Pages that are whole and do not fit together cannot be mended by dropping some.
            let mut fault = None;
            verify_manifest(disk, &path, expected, &mut |event| {
                if let Event::Fault(error) = event {
                    fault.get_or_insert(error);
                }
            });
            if let Some(error) = fault {
                manifest = Err(error);
            }
        }
        Self {
            path,
            manifest,
            damage: damaged,
        }
    }

    /// Its LSN, if it is whole.
    fn whole(&self) -> Option<Lsn> {
        let manifest = self.manifest.as_ref().ok()?;
        self.damage.is_none().then_some(manifest.head.lsn)
    }

    fn lsn(&self) -> Option<Lsn> {
        self.manifest.as_ref().ok().map(|manifest| manifest.head.lsn)
    }

    fn why(&self) -> String {
        let Damage { pages, libraries, .. } = &self.damage;
        match (&self.manifest, pages.first(), libraries.first()) {
            (Err(error), ..) => error.to_string(),
            (Ok(_), Some(page), _) => format!("{} of its pages are damaged: {}", pages.len(), page.error),
            (Ok(_), None, Some(library)) => {
                format!("{} of its libraries are damaged: {}", libraries.len(), library.error)
            }
            (Ok(_), None, None) => "it is whole".to_owned(),
        }
    }
}

/// What there is to choose from.
struct Found {
    /// Newest first.
    candidates: Vec<Candidate>,
    control: Option<Control>,
    /// What is wrong with the control file.
    fault: Option<CheckpointError>,
    /// The checkpoint that was committed last, and its LSN, if its manifest is not there.
    lost: Option<(u64, Lsn)>,
    /// The LSN of the newest checkpoint, lost or not, if something tells.
    target: Option<Lsn>,
    /// Whether there are page files, of whatever checkpoint.
    has_page_files: bool,
}

impl Found {
    fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, ToolError> {
        let manifests = catalog::manifests(disk, dir)?;
        let (control, fault) = match Control::read(disk, dir) {
            Ok(control) => (control, None),
            Err(error @ CheckpointError::UnknownVersion { .. }) => return Err(error.into()),
            Err(error) => (None, Some(error)),
        };
        let data_set = control.as_ref().map(|control| control.data_set);
        let newest_id = manifests.last().map_or(0, |(id, _)| *id);
        let lost = control.as_ref().filter(|control| control.checkpoint > newest_id);
        let lost = lost.map(|control| (control.checkpoint, control.lsn));
        let told = control.as_ref().filter(|control| control.checkpoint >= newest_id);
        let told = told.map(|control| control.lsn);
        let look = |(id, path)| {
            let expected = Expected {
                kind: ManifestKind::Checkpoint,
                id: Some(id),
            };
            Candidate::look(disk, path, expected, data_set)
        };
        let candidates: Vec<_> = manifests.into_iter().rev().map(look).collect();
        Ok(Self {
            target: told.or_else(|| candidates.first().and_then(Candidate::lsn)),
            candidates,
            control,
            fault,
            lost,
            has_page_files: !page_files(disk, dir)?.is_empty(),
        })
    }

    /// Whether there is neither a checkpoint nor a trace of one.
    fn is_nothing(&self) -> bool {
        let is_known = self.control.is_some() || self.fault.is_none() && !self.has_page_files;
        self.candidates.is_empty() && self.lost.is_none() && is_known
    }

    /// What of the things that tell of checkpoints is missing or damaged.
    fn faults(&self) -> Vec<String> {
        let lost = self
            .lost
            .map(|(id, lsn)| format!("the manifest of checkpoint {id} at LSN {lsn} is missing"));
        let damaged = self.candidates.iter().filter(|candidate| candidate.manifest.is_err());
        let fault = self.fault.as_ref().map(CheckpointError::to_string);
        let is_missing = self.control.is_none() && self.fault.is_none();
        let missing = is_missing.then(|| match self.candidates.is_empty() {
            true => "there are page files, but neither manifests nor a control file".to_owned(),
            false => "the control file is missing".to_owned(),
        });
        let faults = lost.into_iter().chain(damaged.map(Candidate::why));
        faults.chain(fault).chain(missing).collect()
    }

    /// That of candidate `index`, if it can be read.
    fn manifest(&self, index: usize) -> Option<&Manifest> {
        self.candidates.get(index)?.manifest.as_ref().ok()
    }
}

/// Decides which checkpoint stays; returns its LSN, 0 for none.
pub(super) fn plan(disk: &Arc<dyn Disk>, dir: &Path, log: &mut Log<'_>, plan: &mut Plan) -> Result<Lsn, ToolError> {
    let found = Found::read(disk.as_ref(), dir)?;
    if found.is_nothing() {
        return Ok(Lsn::ZERO);
    }
    if let Some(newest) = found.candidates.first()
        && let Some(CheckpointError::UnknownVersion { .. }) = newest.manifest.as_ref().err()
    {
        return Err(ToolError::NotDamage(newest.why()));
    }
    let chosen = choose(&found, log)?;
    let faults = found.faults();
    if !faults.is_empty() {
        log.doubt(faults.join("; "));
    }
    let (index, base) = match chosen {
        Choice::Keep(index, base) => (index, base),
        Choice::Replay { .. } => (found.candidates.len(), Lsn::ZERO),
        Choice::DropPages(index) => {
            let lsn = found
                .candidates
                .get(index)
                .and_then(Candidate::lsn)
                .unwrap_or(Lsn::ZERO);
            (index, lsn)
        }
        Choice::Lose(index, base) => {
            log.give_up();
            (index, base)
        }
    };
    plan_newer(&found, index, chosen, plan);
    let kept = plan_kept(&found.candidates, index, plan);
    if !plan.steps.is_empty() || kept.ids.is_empty() {
        unnamed_files(disk.as_ref(), dir, &kept.files, plan)?;
    }
    let of_kept = found.manifest(index);
    let data_set = found.control.as_ref().map(|control| control.data_set);
    let wanted = Control {
        data_set: of_kept
            .map(|manifest| manifest.head.data_set)
            .or(data_set)
            .unwrap_or_else(|| Control::fresh().data_set),
        checkpoint: of_kept.map_or(0, |manifest| manifest.head.id),
        lsn: base,
        pins: found
            .control
            .iter()
            .flat_map(|control| control.pins.intersection(&kept.ids))
            .copied()
            .collect(),
    };
    plan_control(dir, found.control, found.fault, wanted, plan);
    Ok(base)
}

/// Checkpoints newer than the chosen one go.
fn plan_newer(found: &Found, index: usize, chosen: Choice, plan: &mut Plan) {
    let loses = matches!(chosen, Choice::Lose(..) | Choice::Replay { loses: true });
    for newer in found.candidates.iter().take(index) {
        let then = match chosen {
            Choice::Lose(_, base) => {
                let time = found.manifest(index);
                let time = time.map_or_else(String::new, |manifest| format!(" ({})", utc(manifest.head.wall_ms)));
                format!("all changes after LSN {base}{time} are lost, the log does not reach back to it")
            }
            Choice::Replay { loses: true } => "what the log does not have is lost".to_owned(),
            _ => "the log brings an older one up to date, nothing is lost".to_owned(),
        };
        plan.set_aside(newer.path.clone(), loses, &format!("{}; {then}", newer.why()));
    }
    if let (Some((id, lsn)), Choice::Lose(_, base)) = (found.lost, chosen) {
        let text = format!(
            "go on without checkpoint {id} at LSN {lsn}, whose manifest is missing: all changes after LSN {base} are lost"
        );
        plan.add(Action::Nothing, true, text);
    }
    if let Choice::Replay { loses: true } = chosen {
        let why = found.faults().join("; ");
        let text =
            format!("go on without a checkpoint, from the beginning of the log: what it does not have is lost: {why}");
        plan.add(Action::Nothing, true, text);
    }
}

/// What stays.
#[derive(Default)]
struct Kept {
    ids: BTreeSet<u64>,
    /// Page files of each checkpoint.
    files: Vec<Vec<u64>>,
}

/// The chosen checkpoint stays, without its damaged pages, and so do older ones that are whole.
fn plan_kept(candidates: &[Candidate], index: usize, plan: &mut Plan) -> Kept {
    let mut kept = Kept::default();
    for (at, candidate) in candidates.iter().enumerate().skip(index) {
        match &candidate.manifest {
            Ok(manifest) if candidate.damage.is_none() => {
                kept.files.push(manifest.head.files.clone());
                kept.ids.insert(manifest.head.id);
            }
            Ok(manifest) if at == index => {
                let without = without_damage(manifest, &candidate.damage);
                kept.files.push(without.head.files.clone());
                kept.ids.insert(without.head.id);
                rewrite(&candidate.path, manifest, without, &candidate.damage, plan);
            }
            _ => {
                let why = format!("{}; it is an old one, what is served does not need it", candidate.why());
                plan.set_aside(candidate.path.clone(), false, &why);
            }
        }
    }
    kept
}

/// The control file must tell of what stays.
fn plan_control(
    dir: &Path,
    control: Option<Control>,
    fault: Option<CheckpointError>,
    wanted: Control,
    plan: &mut Plan,
) {
    let path = Control::path(dir);
    let why = match (&control, fault) {
        (_, Some(error)) => error.to_string(),
        (None, None) => format!("{} is missing", path.display()),
        // It may be older than the newest manifest: it is written after it.
        (Some(control), None) if control.checkpoint <= wanted.checkpoint && control.pins == wanted.pins => return,
        (Some(_), None) => "it tells of checkpoints that do not stay".to_owned(),
    };
    let pins = "; pins it had are not known";
    let text = format!(
        "write {} anew, for checkpoint {} at LSN {}: {why}{}",
        path.display(),
        wanted.checkpoint,
        wanted.lsn,
        if control.is_none() { pins } else { "" }
    );
    plan.add(Action::Control(dir.to_owned(), wanted), false, text);
}

/// Numbers are of candidates, newest first.
#[derive(Clone, Copy)]
enum Choice {
    /// This one, as it is.
    Keep(usize, Lsn),
    /// None: the log has everything from the beginning, or, with a loss, what is left.
    Replay { loses: bool },
    /// This one, without its damaged pages.
    DropPages(usize),
    /// This one, and nothing after it.
    Lose(usize, Lsn),
}

fn choose(found: &Found, log: &mut Log<'_>) -> Result<Choice, ToolError> {
    let (candidates, target) = (&found.candidates, found.target);
    for (index, candidate) in candidates.iter().enumerate() {
        if let Some(base) = candidate.whole()
            && ((index == 0 && found.lost.is_none()) || log.reaches(base, target)?)
        {
            return Ok(Choice::Keep(index, base));
        }
    }
    let is_from_the_beginning = log.oldest() == Some(Lsn::FIRST);
    if is_from_the_beginning && log.reaches(Lsn::ZERO, target)? {
        let loses = target.is_none() && !log.is_vouched_for();
        return Ok(Choice::Replay { loses });
    }
    if candidates.first().and_then(Candidate::lsn).is_some() && found.lost.is_none() {
        return Ok(Choice::DropPages(0));
    }
    for (index, candidate) in candidates.iter().enumerate() {
        if let Some(base) = candidate.lsn() {
            return Ok(Choice::Lose(index, base));
        }
    }
    if is_from_the_beginning {
        return Ok(Choice::Replay { loses: true });
    }
    if candidates.is_empty() && found.lost.is_none() && !found.has_page_files {
        return Ok(Choice::Replay { loses: false });
    }
    Err(ToolError::Hopeless(found.faults().join("; ")))
}

/// The manifest without what is damaged, and without page files of which nothing is left then.
fn without_damage(manifest: &Manifest, damage: &Damage) -> Manifest {
    let gone: BTreeSet<(CollectionId, PageId)> = damage
        .pages
        .iter()
        .map(|page| (page.collection, page.row.page_id))
        .collect();
    let mut left = manifest.clone();
    for part in &mut left.collections {
        let id = part.row.id;
        part.pages.retain(|row| !gone.contains(&(id, row.page_id)));
        part.row.pages = part.pages.len() as u64;
        part.parts.retain(|row| !gone.contains(&(id, row.page_id)));
        part.row.parts = part.parts.len() as u64;
    }
    let is_gone = |row: &LibraryRow| damage.libraries.iter().any(|library| library.row == *row);
    left.libraries.retain(|row| !is_gone(row));
    let pages = || left.collections.iter().flat_map(|part| &part.pages);
    (left.head.pages, left.head.entries) = (pages().count() as u64, pages().map(|row| u64::from(row.entries)).sum());
    let used: BTreeSet<u32> = left.rows().map(|row| row.file).collect();
    let files = used
        .iter()
        .filter_map(|file| left.head.files.get(*file as usize))
        .copied();
    left.head.files = files.collect();
    left.head.referenced_bytes = left.rows().map(|row| row.len + PAGE_HEADER_BYTES as u64).sum();
    for row in left.rows_mut() {
        row.file = used.range(..row.file).count() as u32;
    }
    left
}

fn rewrite(path: &Path, manifest: &Manifest, without: Manifest, damage: &Damage, plan: &mut Plan) {
    let entries = manifest.head.entries - without.head.entries;
    let pages: Vec<String> = damage
        .pages
        .iter()
        .map(|page| {
            let (id, lost) = (page.row.page_id, page.row.entries);
            format!(
                "page {id} of collection {} ({lost} entries: {})",
                page.collection, page.error
            )
        })
        .collect();
    let libraries = damage.libraries.iter().map(|library| {
        let name = library.row.name.escape_ascii();
        format!("library {name} ({})", library.error)
    });
    let what = pages.into_iter().chain(libraries).collect::<Vec<_>>().join("; ");
    let text = format!(
        "write {} anew without {} damaged pages; {entries} entries{} as of LSN {} are lost: {what}",
        path.display(),
        damage.pages.len(),
        match damage.libraries.len() {
            0 => String::new(),
            libraries => format!(" and {libraries} libraries of functions"),
        },
        manifest.head.lsn,
    );
    let rewriting = Rewriting {
        manifest: without,
        holes: damage.holes.clone(),
    };
    plan.add(Action::Rewrite(path.to_owned(), Box::new(rewriting)), true, text);
}

/// Page files that no manifest names any more would be removed by the next start; they go to the quarantine instead.
fn unnamed_files(disk: &dyn Disk, dir: &Path, kept: &[Vec<u64>], plan: &mut Plan) -> Result<(), ToolError> {
    let named: BTreeSet<String> = kept.iter().flatten().map(|id| catalog::page_file_name(*id)).collect();
    for name in page_files(disk, dir)?.difference(&named) {
        plan.set_aside(dir.join(name), false, "no manifest that stays names it");
    }
    Ok(())
}

/// The names of all page files in a folder; none if there is no such folder.
fn page_files(disk: &dyn Disk, dir: &Path) -> Result<BTreeSet<String>, ToolError> {
    if !disk.exists(dir).map_err(FileError::at("look for", dir))? {
        return Ok(BTreeSet::new());
    }
    let names = disk.list(dir).map_err(FileError::at("list", dir))?;
    let names = names.iter().map(|name| name.to_string_lossy().into_owned());
    Ok(names.filter(|name| name.ends_with(".lkp")).collect())
}

/// Persisted collections: what is damaged in them goes.
pub(super) fn plan_persisted(disk: &Arc<dyn Disk>, dir: &Path, plan: &mut Plan) -> Result<(), ToolError> {
    let found = persisted_manifests(disk.as_ref(), dir)?;
    for (name, path) in found {
        let expected = Expected {
            kind: ManifestKind::Persisted,
            id: None,
        };
        let candidate = Candidate::look(disk.as_ref(), path, expected, None);
        match &candidate.manifest {
            Ok(_) if candidate.damage.is_none() => {}
            Ok(manifest) => {
                let without = without_damage(manifest, &candidate.damage);
                rewrite(&candidate.path, manifest, without, &candidate.damage, plan);
            }
            Err(error @ CheckpointError::UnknownVersion { .. }) => return Err(error.clone().into()),
            Err(error) => {
                let folder = candidate.path.parent().unwrap_or(dir);
                for file in disk.list(folder).map_err(FileError::at("list", folder))? {
                    let why = format!("the persisted collection {name:?} is lost: {error}");
                    plan.set_aside(folder.join(file), true, &why);
                }
            }
        }
    }
    Ok(())
}
