//! What disks do to a store, and what the next start makes of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::sections::OnCorruption;

const RECORDS: i64 = 400;

/// Does something to the directory of a store.
type Harm = fn(&Path);

/// A store in which record `n` is the only one of key `n`; closed in order, or left as a killed process would.
fn filled(dir: &Path, closed: bool) {
    let Opened { store, mut writer, .. } = Store::open(dir, TOPIC, &resources(), 2).unwrap();
    let slot = writer.start_build(&plan(0, 0)).unwrap().number();
    writer.promote(0).unwrap();
    for offset in 0..RECORDS {
        let mut batch = Batch::new(0, true);
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1000).collect();
        put(&mut batch, slot, offset, offset.to_string().as_bytes(), Some(&noise));
        writer.apply(&mut batch).unwrap();
    }
    drop(store);
    if closed { writer.close().unwrap() } else { drop(writer) }
}

/// Files of a database, the biggest first.
fn files(dir: &Path, is_it: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("db")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| is_it(path.file_name().unwrap().to_str().unwrap())).collect();
    files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    files
}

fn flip(path: &Path, at: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// Asserts that the store was moved aside, and that an empty one is there instead, also at the start after.
fn assert_quarantined(dir: &Path, what: &str) {
    let opened = Store::open(dir, TOPIC, &resources(), 2).unwrap();
    let (aside, _) = opened.quarantined.unwrap_or_else(|| panic!("{what} went unnoticed"));
    assert!(aside.join("db").exists(), "{what}");
    assert!(opened.store.table().slots().next().is_none(), "{what}");
    drop((opened.store, opened.writer));
    assert!(Store::open(dir, TOPIC, &resources(), 2).unwrap().quarantined.is_none(), "{what}");
}

/// FAULTS rows 4, 7 and 8.
#[test]
fn a_damaged_file_of_the_database_has_the_store_moved_aside() {
    let cases: [(&str, Harm); 7] = [
        ("MANIFEST cut to a third, which opens empty", |dir| {
            let manifest = &files(dir, |name| name.starts_with("MANIFEST"))[0];
            truncate(manifest, fs::metadata(manifest).unwrap().len() / 3);
        }),
        ("CURRENT emptied", |dir| fs::write(dir.join("db/CURRENT"), "").unwrap()),
        ("CURRENT dangling", |dir| fs::write(dir.join("db/CURRENT"), "MANIFEST-999999\n").unwrap()),
        ("a data file deleted", |dir| {
            fs::remove_file(&files(dir, |name| name.ends_with(".sst"))[0]).unwrap();
        }),
        ("IDENTITY garbled", |dir| fs::write(dir.join("IDENTITY"), b"\0\xff{").unwrap()),
        ("IDENTITY emptied", |dir| fs::write(dir.join("IDENTITY"), "").unwrap()),
        ("a process marked it", |dir| fs::write(dir.join("DAMAGED"), "block checksum mismatch").unwrap()),
    ];
    for (what, harm) in cases {
        let dir = TempDir::new().unwrap();
        filled(dir.path(), true);
        harm(dir.path());
        assert_quarantined(dir.path(), what);
    }
}

/// FAULTS row 7.
#[test]
fn damage_waits_for_a_person_where_that_is_configured() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), true);
    fs::write(dir.path().join("DAMAGED"), "block checksum mismatch").unwrap();
    let config = StoreConfig { on_corruption: OnCorruption::Halt, ..StoreConfig::default() };
    let halting = Resources::new(&config, 1).unwrap();
    let error = Store::open(dir.path(), TOPIC, &halting, 2).unwrap_err();
    assert!(matches!(error, Error::Halted { .. }), "{error}");
    assert!(error.to_string().contains("block checksum mismatch") && dir.path().join("db").exists());
}

/// FAULTS row 6.
#[test]
fn a_flipped_block_is_an_error_that_names_its_slot_and_never_a_miss() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), true);
    let biggest = &files(dir.path(), |name| name.ends_with(".sst"))[0];
    flip(biggest, fs::metadata(biggest).unwrap().len() / 2);
    let Opened { store, quarantined, .. } = Store::open(dir.path(), TOPIC, &resources(), 2).unwrap();
    assert!(quarantined.is_none());
    let mut damaged = 0;
    for key in 0..RECORDS {
        match store.find(&store.table(), key.to_string().as_bytes()) {
            Ok(found) => assert!(found.is_some(), "key {key} is missing without an error"),
            Err(Error::Corrupt { slot, .. }) => {
                assert_eq!(slot, Some(SlotNumber(0)));
                damaged += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..RECORDS).contains(&damaged), "{damaged} of {RECORDS}");
}

/// FAULTS row 6.
#[test]
fn a_flipped_block_ends_a_walk_with_an_error_and_never_early() {
    for order in [Order::Ascending, Order::Descending] {
        let dir = TempDir::new().unwrap();
        filled(dir.path(), true);
        let biggest = &files(dir.path(), |name| name.ends_with(".sst"))[0];
        flip(biggest, fs::metadata(biggest).unwrap().len() / 2);
        let Opened { store, .. } = Store::open(dir.path(), TOPIC, &resources(), 2).unwrap();
        let snapshot = store.snapshot().unwrap();
        let mut entries = snapshot.entries(&KeyRange::default(), order, Extent::Whole).unwrap();
        let mut walked = 0;
        let error = loop {
            match entries.step() {
                Ok(Step::Entry(..)) => walked += 1,
                Ok(Step::Passed(_)) => {}
                Ok(Step::End) => {
                    panic!("the walk ended after {walked} of {RECORDS} entries without an error")
                }
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Corrupt { slot: Some(SlotNumber(0)), .. }), "{error}");
        let mut visited = 0;
        let error = snapshot.visit(&KeyRange::default(), order, |entry| {
            visited += usize::from(entry.is_some());
            Ok::<_, Error>(())
        });
        let error = error.unwrap_err();
        assert_eq!(visited, walked);
        assert!(matches!(error, Error::Corrupt { slot: Some(SlotNumber(0)), .. }), "{error}");
        let keys: Vec<_> = (0..RECORDS).map(|key| key.to_string()).collect();
        let error = snapshot.find_all(&keys).unwrap_err();
        assert!(matches!(error, Error::Corrupt { slot: Some(SlotNumber(0)), .. }), "{error}");
    }
}

/// FAULTS rows 2 and 3.
#[test]
fn a_torn_or_flipped_log_tail_takes_the_position_back_with_the_data() {
    for round in 0..12 {
        let dir = TempDir::new().unwrap();
        filled(dir.path(), false);
        let log = &files(dir.path(), |name| name.ends_with(".log"))[0];
        let length = fs::metadata(log).unwrap().len();
        let at = fastrand::u64(length / 2..length);
        if round % 2 == 0 {
            truncate(log, at);
        } else {
            flip(log, at);
        }
        let Opened { store, quarantined, .. } = Store::open(dir.path(), TOPIC, &resources(), 2).unwrap();
        assert!(quarantined.is_none(), "{quarantined:?}");
        let position = store.table().serving()[&0].position().get();
        assert!((1..=RECORDS).contains(&position), "{position}");
        for key in 0..RECORDS {
            assert_eq!(
                value(&store, key.to_string().as_bytes()).is_some(),
                key < position,
                "{key} {position}"
            );
        }
    }
}

/// FAULTS row 11.
#[test]
fn an_old_copy_of_the_directory_opens_at_the_position_of_its_data() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), true);
    let copy = TempDir::new().unwrap();
    fs::create_dir(copy.path().join("db")).unwrap();
    fs::copy(dir.path().join("IDENTITY"), copy.path().join("IDENTITY")).unwrap();
    for file in files(dir.path(), |name| name != "LOCK") {
        fs::copy(&file, copy.path().join("db").join(file.file_name().unwrap())).unwrap();
    }
    let Opened { mut writer, .. } = open(&dir);
    let mut batch = Batch::new(0, true);
    put(&mut batch, SlotNumber(0), RECORDS, b"0", None);
    writer.apply(&mut batch).unwrap();
    let Opened { store, quarantined, .. } = open(&copy);
    assert!(quarantined.is_none());
    assert_eq!(store.table().serving()[&0].position(), Position::new(RECORDS));
    assert!(value(&store, b"0").is_some());
}

#[test]
fn what_the_write_side_meets_is_found_by_the_next_start() {
    let dir = TempDir::new().unwrap();
    let Opened { store, writer, .. } = open(&dir);
    store.mark_damaged("block checksum mismatch").unwrap();
    drop((store, writer));
    let (aside, detail) = open(&dir).quarantined.unwrap();
    assert!(detail.contains("block checksum mismatch"), "{detail}");
    assert!(aside.join("DAMAGED").exists() && !dir.path().join("DAMAGED").exists());
}
