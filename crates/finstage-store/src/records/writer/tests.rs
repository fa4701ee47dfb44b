use super::*;
use crate::records::Filter;
use crate::suite::journal::DAY;
use crate::suite::records::batch;

fn submit_all(writer: &RecordsWriter, from: u64, to: u64) -> Result<(), Error> {
    (from..to).try_for_each(|n| writer.submit(&mut batch(1, n, n + 1)))
}

fn signals(records: &Records) -> usize {
    records.signals(&Filter::newest(usize::MAX)).unwrap().len()
}

#[test]
fn everything_submitted_is_written_in_order() {
    let records = Records::open_in_memory().unwrap();
    let writer = RecordsWriter::start(records.clone(), 4).unwrap();
    submit_all(&writer, 0, 300).unwrap();
    writer.drain().unwrap();
    assert_eq!((writer.queued(), signals(&records)), (0, 100));
    assert_eq!(records.last_position(DAY, 1).unwrap().unwrap().seq(), 300);
    assert_eq!(writer.applied().bars, 300);
    submit_all(&writer, 300, 303).unwrap();
    drop(writer);
    assert_eq!(signals(&records), 101, "dropping writes what is queued");
}

#[test]
fn a_submitted_batch_is_left_empty_at_its_position() {
    let writer = RecordsWriter::start(Records::open_in_memory().unwrap(), 4).unwrap();
    let mut given = batch(1, 0, 9);
    let empty = Batch::new(given.position, given.run_digest);
    writer.submit(&mut given).unwrap();
    assert_eq!(given, empty);
}

#[test]
fn a_full_disk_loses_no_batch_and_work_goes_on_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(&dir.path().join("records.db")).unwrap();
    records.0.limit_pages(60);
    let writer = RecordsWriter::start(records.clone(), 8).unwrap();
    let mut next = 0;
    let error = loop {
        let mut given = batch(1, next, next + 10);
        if let Err(error) = writer.submit(&mut given) {
            assert_eq!(given, batch(1, next, next + 10), "it is given back");
            break error;
        }
        next += 10;
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert!(error.to_string().contains("free space"), "{error}");
    let again = writer.drain().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Full, "it tried again");
    records.0.limit_pages(100_000);
    writer.submit(&mut batch(1, next, next + 10)).unwrap_or_else(|error| {
        // The failure of one more attempt may have come before the space did.
        assert_eq!(error.kind(), ErrorKind::Full);
        writer.submit(&mut batch(1, next, next + 10)).unwrap();
    });
    writer.drain().unwrap();
    assert_eq!(signals(&records) as u64, (next + 10).div_ceil(3));
}
