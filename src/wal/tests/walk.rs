//! A segment walked frame by frame.

use super::*;

const MARK_BYTES: u64 = RECORD_HEADER_BYTES as u64;

/// Where a fault is, and where the walk went on.
type Fault = (u64, Option<u64>);

/// LSNs of records, count of marks, and faults.
fn walk(disk: &FaultDisk, path: &Path) -> (Vec<Lsn>, usize, Vec<Fault>) {
    let mut walk = Walk::open(disk, path).unwrap();
    let (mut lsns, mut marks, mut faults) = (Vec::new(), 0, Vec::new());
    while let Some(found) = walk.next().unwrap() {
        match found {
            Found::Record(record) => {
                assert_eq!(record.payload, payload(record.lsn));
                lsns.push(record.lsn);
            }
            Found::Mark { .. } => marks += 1,
            Found::Fault { offset, resumes_at, .. } => faults.push((offset, resumes_at)),
        }
    }
    (lsns, marks, faults)
}

#[test]
fn whole_segments_have_no_faults() {
    let disk = written(3, 200, 3000);
    let (mut all, mut all_marks) = (Vec::new(), 0);
    let names = shared(&disk).list(Path::new(DIR)).unwrap();
    assert!(names.len() > 2);
    for name in names {
        let path = Path::new(DIR).join(name);
        let summary = Walk::open(&disk, &path).unwrap().summary();
        assert_eq!(summary.first_lsn, Lsn::new(all.len() as u64 + 1));
        let (lsns, marks, faults) = walk(&disk, &path);
        assert!(faults.is_empty(), "{faults:?}");
        all_marks += marks;
        all.extend(lsns);
    }
    assert_eq!(all, (1..=200).map(Lsn::new).collect::<Vec<_>>());
    assert!(all_marks > 0);
}

#[test]
fn it_goes_on_behind_damage() {
    let disk = written(3, 100, 1 << 20);
    let path = segment_path(Lsn::FIRST);
    let whole = shared(&disk).read(&path).unwrap();
    for at in (40..whole.len() - 200).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        disk.put(&path, &bytes);
        let (lsns, _, faults) = walk(&disk, &path);
        let [(offset, Some(resumes_at)), ref others @ ..] = faults[..] else {
            panic!("byte {at}: {faults:?}")
        };
        assert!(offset <= at as u64 && resumes_at > at as u64, "byte {at}: {faults:?}");
        // A mark may follow, of the record that is not there any more, and what is behind it is out of order.
        let near = resumes_at..=resumes_at + MARK_BYTES;
        assert!(
            others.len() < 2 && others.iter().all(|(offset, _)| near.contains(offset)),
            "byte {at}: {faults:?}"
        );
        assert!(lsns.len() >= 99 && lsns.is_sorted(), "one record at most is lost");
    }
    disk.put(&path, &whole[..whole.len() - 3]);
    let (lsns, _, faults) = walk(&disk, &path);
    assert!(lsns.len() >= 99 && matches!(faults[..], [(_, None)]), "{faults:?}");
    disk.put(&path, &whole[..20]);
    assert!(matches!(Walk::open(&disk, &path), Err(WalError::Damaged { .. })));
}
