//! Log segments: header, records with their effects, marks.

use std::io;
use std::path::Path;

use super::Inspector;
use crate::engine::effect::decode_all;
use crate::engine::field::{Field, of_effect};
use crate::fields;
use crate::time::utc;
use crate::tools::report::Fields;
use crate::wal::{Found, Lsn, Record, Walk};

/// Bytes between two looks at the progress bar.
const PROGRESS_BYTES: u64 = 1 << 20;

impl Inspector<'_, '_> {
    pub(super) fn segment(&mut self, path: &Path) -> io::Result<()> {
        let mut walk = match Walk::open(self.disk.as_ref(), path) {
            Ok(walk) => walk,
            Err(error) => return self.fault(path, 0, &error.to_string()),
        };
        let summary = walk.summary();
        self.report.show(
            "segment",
            fields![
                "path" => path,
                "bytes" => summary.bytes,
                "first-lsn" => summary.first_lsn.get(),
                "salt" => summary.salt,
                "identity" => summary.identity,
            ],
        )?;
        let (mut records, mut marks, mut effects, mut shown_at) = (0_u64, 0_u64, 0_u64, 0);
        loop {
            if walk.offset() - shown_at >= PROGRESS_BYTES {
                shown_at = walk.offset();
                self.progress.show("segment", shown_at, summary.bytes);
            }
            match walk.next() {
                Ok(None) => break,
                Ok(Some(Found::Record(record))) => {
                    records += 1;
                    effects += self.record(path, &record)?;
                }
                Ok(Some(Found::Mark { offset, lsn, wall_ms })) => {
                    marks += 1;
                    if self.wants(lsn) && self.may_show() {
                        let fields = fields!["offset" => offset, "lsn" => lsn.get(), "wall" => utc(wall_ms)];
                        self.report.show("mark", fields)?;
                    }
                }
                Ok(Some(Found::Fault {
                    offset,
                    reason,
                    resumes_at,
                })) => self.bad_frame(path, offset, &reason, resumes_at)?,
                Err(error) => {
                    self.fault(path, walk.offset(), &error.to_string())?;
                    break;
                }
            }
        }
        self.report.show(
            "segment-end",
            fields![
                "path" => path,
                "next-lsn" => walk.next_lsn().get(),
                "records" => records,
                "effects" => effects,
                "marks" => marks,
            ],
        )
    }

    fn bad_frame(&mut self, path: &Path, offset: u64, reason: &str, resumes_at: Option<u64>) -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        if resumes_at.is_none() && self.is_last(dir, path) {
            let text = format!("the log ends torn, as a crash leaves it; the next start cuts the rest off ({reason})");
            return self
                .report
                .show("torn-end", fields!["path" => path, "offset" => offset, "text" => text]);
        }
        let resumes_at = resumes_at.map_or(Field::Null, Field::Uint);
        self.report.fault(fields![
            "path" => path,
            "offset" => offset,
            "reason" => reason,
            "resumes-at" => resumes_at,
        ])
    }

    fn wants(&self, lsn: Lsn) -> bool {
        self.options
            .lsn
            .is_none_or(|(first, last)| (first..=last).contains(&lsn))
    }

    /// Shows a record if it is asked for; returns how many effects it has.
    fn record(&mut self, path: &Path, record: &Record<'_>) -> io::Result<u64> {
        let mut effects = Vec::new();
        let mut count = 0;
        let shows = self.wants(record.lsn) && self.may_show();
        for effect in decode_all(record.payload) {
            count += 1;
            match effect {
                Ok(_) if !shows => {}
                Ok((collection, effect)) => match of_effect(&effect) {
                    Ok((kind, fields)) => {
                        let mut all = fields!["effect" => kind, "collection-id" => collection.get()];
                        all.extend(fields);
                        effects.push(Field::Map(all));
                    }
                    Err(unfit) => self.fault(path, record.offset, &unfit.to_string())?,
                },
                Err(reason) => {
                    let reason = format!("record {} is intact and not understood: {reason}", record.lsn);
                    self.fault(path, record.offset, &reason)?;
                }
            }
        }
        if shows {
            self.report.show("record", header(record, effects))?;
        }
        Ok(count)
    }
}

fn header(record: &Record<'_>, effects: Vec<Field>) -> Fields {
    fields![
        "lsn" => record.lsn.get(),
        "offset" => record.offset,
        "bytes" => record.payload.len(),
        "wall" => utc(record.wall_ms),
        "wall-ms" => record.wall_ms,
        "term" => record.term,
        "group" => u32::from(record.group),
        "batch-end" => record.batch_end,
        "effects" => Field::List(effects),
    ]
}
