//! Builds that may have missed something, and the room that another takes.

use super::*;
use crate::resume::Decision;
use crate::view::{Condition, State};

/// A partition of 20 records that serves and was begun to be built anew two days ago; and what time it is.
fn built_for_days(reason: BuildReason) -> (World, Arc<Slot>, Moment) {
    let mut world = World::new();
    let serving = world.build(BuildReason::FirstStart);
    world.reach(&serving, 20);
    assert!(world.writer.promote(0).unwrap());
    let now = Moment::now();
    serving.set_current(now);
    let days_ago = Moment { at: Millis::new(now.at.get() - 200_000_000), ..now };
    let build = world.build_since(reason, days_ago);
    world.reach(&build, 19);
    // No disk has room for another.
    world.coordinator.rhythm.write_buffer = u64::MAX / 4;
    // Nobody waits for the readers when all end.
    world.coordinator.stop.cancel();
    (world, build, now)
}

/// FAULTS row 24: the process was away meanwhile.
#[test]
fn a_build_that_may_have_missed_tombstones_is_not_read_on_nor_handed_over_while_another_waits_for_room() {
    let (mut world, build, observed_at) = built_for_days(BuildReason::Requested);
    let before = world.positions();
    world.coordinator.steer(&TopicState { observed_at, ..state(20, 0) }, &before).unwrap();
    assert!(world.coordinator.builder.is_empty());

    world.reach(&build, 20);
    let _ = world.commands.try_iter().count();
    // The builder has something else to do.
    world.coordinator.builder.insert(1, Reading::Into(SlotNumber(9)));
    world.coordinator.finish_builds().unwrap();
    assert_eq!(world.commands.try_iter().count(), 0);
}

/// FAULTS row 24: Kafka was away meanwhile.
#[test]
fn a_build_made_for_missed_tombstones_that_may_have_missed_more_is_not_read_on() {
    let (mut world, build, observed_at) = built_for_days(BuildReason::TombstonesExpired);
    let before = world.positions();
    world.coordinator.follow(Role::Builder, &build, Decision::Continue, Moment::now()).unwrap();
    let mut is_read_on = |observed_at| {
        world.coordinator.steer(&TopicState { observed_at, ..state(20, 0) }, &before).unwrap();
        world.coordinator.builder.contains_key(&0)
    };
    assert!(is_read_on(observed_at), "it would never end");
    let days_later = observed_at.measured + Duration::from_secs(200_000);
    assert!(!is_read_on(Moment { measured: days_later, ..observed_at }));
    assert!(!is_read_on(Moment { measured: days_later + Duration::from_secs(1), ..observed_at }));
}

/// FAULTS row 24: Kafka was away meanwhile, and the builder read on before anybody had asked.
#[test]
fn a_build_made_for_missed_tombstones_that_outran_the_next_look_is_not_taken_for_whole() {
    let (mut world, build, observed_at) = built_for_days(BuildReason::TombstonesExpired);
    world.coordinator.follow(Role::Builder, &build, Decision::Continue, Moment::now()).unwrap();
    world.coordinator.followed.insert(build.number(), Moment { at: build.build().started_at, ..observed_at });
    world.reach(&build, 20);
    let look = TopicState { observed_at, ..state(20, 0) };
    let before = world.positions();
    world.coordinator.steer(&look, &before).unwrap();
    assert!(world.coordinator.builder.is_empty());

    // As after a hand-over between two looks.
    assert!(world.writer.promote(0).unwrap());
    world.coordinator.read(Role::Live, 0, &build).unwrap();
    let before = world.positions();
    assert!(world.coordinator.steer(&look, &before).is_err(), "there is no writer to note a wanted build");
}

/// FAULTS row 24: it was young enough when it was looked at last.
#[test]
fn a_build_that_got_too_old_between_two_looks_is_judged_before_it_answers_or_is_taken_for_current() {
    let (mut world, build, now) = built_for_days(BuildReason::Requested);
    let serving = world.coordinator.view.store().table().serving()[&0].number();
    world.coordinator.live.insert(0, Reading::Into(serving));
    world.coordinator.builder.insert(0, Reading::Into(build.number()));
    world.coordinator.settings.tombstones_kept = Some(Duration::from_secs(150_000));
    let young = Moment { at: Millis::new(build.build().started_at.get() + 140_000_000), ..now };
    let mut is_handed_over = |judged| {
        world.coordinator.follow(Role::Builder, &build, Decision::Continue, judged).unwrap();
        world.coordinator.hand_over_after = Instant::now();
        world.coordinator.finish_builds().unwrap();
        world.commands.try_iter().count() > 0
    };
    assert!(!is_handed_over(young));
    assert!(is_handed_over(now), "whoever judged it then let it go on");

    // The first build of a partition answers as soon as it is far enough.
    world.reach(&build, 20);
    assert!(world.writer.promote(0).unwrap());
    world.coordinator.live.insert(0, Reading::Into(build.number()));
    let mut is_current = |judged| {
        world.coordinator.followed.insert(build.number(), judged);
        world.coordinator.ahead.insert(0, (young, build.position()));
        world.coordinator.compare_positions();
        build.caught_up_at() != Some(build.build().started_at)
    };
    assert!(!is_current(young));
    assert!(is_current(now));
}

#[test]
fn nobody_rests_for_a_hand_over_that_cannot_come_about() {
    let mut world = World::new();
    let serving = world.build(BuildReason::FirstStart);
    world.reach(&serving, 20);
    assert!(world.writer.promote(0).unwrap());
    let build = world.build(BuildReason::Requested);
    // With what the log held when it began it is through, and it is close behind.
    world.reach(&build, 19);
    world.coordinator.followed.insert(build.number(), Moment::now());
    // Nobody waits for the readers when all end.
    world.coordinator.stop.cancel();
    let (read, resting) = (Reading::Into, Reading::Resting(Instant::now()));
    let mut is_begun = |live, builder| {
        world.coordinator.live.insert(0, live);
        world.coordinator.builder.insert(0, builder);
        world.coordinator.hand_over_after = Instant::now();
        world.coordinator.finish_builds().unwrap();
        world.commands.try_iter().count() > 0
    };
    assert!(!is_begun(read(serving.number()), resting));
    assert!(!is_begun(resting, read(build.number())));
    assert!(!is_begun(read(serving.number()), read(serving.number())));
    assert!(is_begun(read(serving.number()), read(build.number())));
}

#[test]
fn a_build_that_is_replaced_makes_room_for_the_next() {
    const BYTES: u64 = 6 << 20;
    let (mut world, build, _) = built_for_days(BuildReason::Requested);
    let store = Arc::clone(world.coordinator.view.store());
    // What cannot be compressed.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    for offset in 20.. {
        if store.slot_bytes(&build) >= BYTES {
            break;
        }
        assert!(Instant::now() < deadline);
        let value: Vec<u8> = (0..1 << 20).map(|_| noise()).collect();
        world.read_value(&build, offset, 0, Some(&value));
    }
    // Others write to the disk meanwhile.
    let mut has_room = |more| {
        (0..10).any(|_| {
            world.coordinator.rhythm.write_buffer = store.free_bytes().unwrap() + more;
            world.coordinator.has_space(0, true, &store.table(), &mut 0)
        })
    };
    assert!(has_room(BYTES / 2));
    assert!(!has_room(BYTES * 100));
}

#[test]
fn a_view_that_is_rebuilt_says_why() {
    let mut world = World::new();
    for partition in [0, 1] {
        let serving = world.build_of(partition, BuildReason::FirstStart, Moment::now());
        world.reach(&serving, 20);
        assert!(world.writer.promote(partition).unwrap());
        world.build_of(partition, BuildReason::TopicRecreated, Moment::now());
    }
    world.writer.complete().unwrap();
    let (view, progress) = (&world.coordinator.view, world.coordinator.view.progress());
    for partition in [0, 1] {
        progress.want(partition);
    }
    let told = || {
        let condition = Condition::of(&view.store().table(), progress);
        (condition.state, condition.reason)
    };
    assert_eq!(told(), (State::Rebuilding, Some("topic-recreated")));
    progress.want(1).set_damage("a flipped byte".to_owned());
    assert_eq!(told(), (State::Rebuilding, Some("storage-corruption")), "in another partition");
    progress.want(0).set_damage("a flipped byte".to_owned());
    assert_eq!(told(), (State::Rebuilding, Some("storage-corruption")), "what is worse");
}
