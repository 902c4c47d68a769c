//! Conditions the view lives with: said once, while they hold, and once more when they are over.

use super::*;
use crate::progress::WarningCode;

fn kinds(world: &World) -> Vec<&'static str> {
    world.coordinator.view.progress().events().iter().map(|event| event.kind).collect()
}

#[test]
fn a_late_commit_is_a_warning_for_ten_minutes() {
    let mut world = World::new();
    let mut is_warned = |seconds_ago, took| {
        let confirmed = Instant::now() - Duration::from_secs(seconds_ago);
        world.coordinator.mirror.as_mut().unwrap().note_took(confirmed, Duration::from_secs(took));
        world.coordinator.mind_mirror();
        world.coordinator.view.progress().warnings().first() == Some(WarningCode::MirrorLate)
    };
    assert!(!is_warned(0, 1), "in time");
    assert_eq!([0, 590, 601, 601].map(|ago| is_warned(ago, 3)), [true, true, false, false]);
    assert_eq!(kinds(&world), ["mirror-late", "warning-over"]);
}

#[test]
fn a_store_that_was_replaced_is_a_warning_until_it_is_restored_and_for_ten_minutes() {
    let mut world = World::new();
    let detail = "damaged".to_owned();
    world.coordinator.view.progress().warn(WarningCode::StoreQuarantined, None, detail);
    let is_warned = |world: &mut World, seconds_ago| {
        world.coordinator.started = Instant::now() - Duration::from_secs(seconds_ago);
        world.coordinator.mind_quarantine();
        world.coordinator.view.progress().warnings().first() == Some(WarningCode::StoreQuarantined)
    };
    assert!(is_warned(&mut world, 601), "it is not restored");
    let slot = world.build(BuildReason::FirstStart);
    world.reach(&slot, 9);
    assert!(world.writer.promote(0).unwrap());
    world.writer.complete().unwrap();
    assert_eq!([590, 601].map(|ago| is_warned(&mut world, ago)), [true, false]);
    assert_eq!(kinds(&world), ["store-quarantined", "warning-over"]);
}

/// FAULTS row 40.
#[test]
fn another_instance_in_the_group_is_a_warning_until_it_was_not_seen_for_ten_minutes() {
    let mut world = World::new();
    let mut is_warned = |seconds_ago| {
        let seen = Instant::now() - Duration::from_secs(seconds_ago);
        world.coordinator.mirror.as_mut().unwrap().note_conflict(seen);
        world.coordinator.mind_mirror();
        let warning = world.coordinator.view.progress().warnings().first();
        warning == Some(WarningCode::GroupConflict)
    };
    assert_eq!([0, 590, 601, 601, 0].map(&mut is_warned), [true, true, false, false, true]);
    let events = world.coordinator.view.progress().events();
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["group-conflict", "warning-over", "group-conflict"]);
}

#[test]
fn a_warning_about_a_partition_that_is_gone_is_over() {
    let mut world = World::new();
    let slot = world.build(BuildReason::FirstStart);
    world.reach(&slot, 9);
    assert!(world.writer.promote(0).unwrap());
    let partition = [WarningCode::DiskSpace, WarningCode::OpenTransaction];
    partition.iter().for_each(|code| world.coordinator.mind_warning(*code, Some(0), Some("it".to_owned())));
    let warnings = |world: &World| world.coordinator.view.progress().warnings().list().len();
    world.coordinator.drop_gone(&state(9, 0)).unwrap();
    assert_eq!(warnings(&world), 2);
    let log = state(9, 0).partitions[&0];
    let recreated =
        TopicState { topic_id: TopicId::new([2; 16]), partitions: BTreeMap::from([(1, log)]), ..state(9, 0) };
    world.coordinator.drop_gone(&recreated).unwrap();
    assert_eq!(warnings(&world), 0);
}

#[test]
fn trouble_of_the_view_says_nothing_of_the_mirror() {
    let world = World::new();
    let (coordinator, progress) = (&world.coordinator, world.coordinator.view.progress());
    coordinator.mind_warning(WarningCode::MirrorFailing, None, Some("no right".to_owned()));
    progress.set_trouble(TroubleCode::BrokerUnreachable, "nobody".to_owned());
    coordinator.mind_mirror();
    assert_eq!(progress.warnings().first(), Some(WarningCode::MirrorFailing));
    progress.end_source_trouble();
    coordinator.mind_mirror();
    assert_eq!(progress.warnings().first(), None);
}

/// FAULTS row 5.
#[test]
fn a_write_that_is_held_back_because_the_disk_is_full_is_said_until_it_comes_through() {
    let mut world = World::new();
    let store = Arc::clone(world.coordinator.view.store());
    let trouble = |world: &mut World, held_for| {
        world.coordinator.held_since.set(Some(Instant::now() - held_for));
        world.coordinator.mind_held_writes();
        world.coordinator.view.progress().troubles().first().copied()
    };
    let (moment, long) = (Duration::from_secs(1), Duration::from_secs(3));
    store.hold_writes();
    assert_eq!(trouble(&mut world, long), None, "there is room");
    world.coordinator.rhythm.write_buffer = u64::MAX;
    assert_eq!(trouble(&mut world, moment), None);
    assert_eq!([trouble(&mut world, long), trouble(&mut world, long)], [Some(TroubleCode::DiskFull); 2]);
    store.take_writes();
    assert_eq!(trouble(&mut world, long), None);
    assert_eq!(kinds(&world), ["disk-full", "storage-recovered"]);
}

/// FAULTS row 5.
#[test]
fn who_waits_for_a_writer_that_is_held_back_says_so_meanwhile() {
    let mut world = World::new();
    let progress = Arc::clone(world.coordinator.view.progress());
    let (work, asked) = unbounded();
    world.coordinator.ports.work = work;
    world.coordinator.view.store().hold_writes();
    world.coordinator.rhythm.write_buffer = u64::MAX;
    world.coordinator.held_since.set(Some(Instant::now() - Duration::from_secs(3)));
    let writer = std::thread::spawn(move || {
        let Ok(Work::Decide(_, answer)) = asked.recv() else { panic!("nobody asked") };
        let deadline = Instant::now() + Duration::from_secs(20);
        while progress.troubles() != [TroubleCode::DiskFull] {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        answer.send(()).unwrap();
    });
    world.coordinator.decide_rows(vec![(0, RowEdit::Signed)]).unwrap();
    writer.join().unwrap();
}

#[test]
fn a_commit_is_late_that_comes_long_after_the_group_was_read() {
    let mut world = World::new();
    let mirror = world.coordinator.mirror.as_mut().unwrap();
    let mut is_late = |seconds_ago| {
        mirror.commit(1, BTreeMap::new(), Instant::now() - Duration::from_secs(seconds_ago));
        mirror.confirm(BTreeMap::new());
        mirror.late().is_some()
    };
    assert_eq!([0, 3].map(&mut is_late), [false, true]);
}
