//! Feeds over a real store, against a fold of everything that was written.

mod shared;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use self::world::{Client, World};
use super::*;

#[derive(Debug, Clone)]
enum Act {
    /// A value for a key, in its own partition, or in another one as another producer would choose.
    Put(u8, bool),
    Delete(u8, bool),
    /// More keys of a partition than are told in one go; they are put, or deleted.
    Many(Partition, bool),
    /// The log goes on with a record that changes nothing.
    Pass(Partition),
    Rebuild(Partition),
    Drop(Partition),
    /// The client is told one piece.
    Read,
    /// The client is told everything there is.
    ReadAll,
    /// The client comes back with what it remembers.
    Reconnect,
    /// The client is cut off amid a piece, and comes back.
    Cut,
    /// Another client is told all there is: it may be ahead of the first, or behind.
    ReadOther,
}

fn act(strays: bool) -> impl Strategy<Value = Act> {
    let stray = if strays { any::<bool>().boxed() } else { Just(false).boxed() };
    prop_oneof![
        12 => (0..24_u8, stray.clone()).prop_map(|(key, stray)| Act::Put(key, stray)),
        5 => (0..24_u8, stray).prop_map(|(key, stray)| Act::Delete(key, stray)),
        1 => (0..3, any::<bool>()).prop_map(|(partition, put)| Act::Many(partition, put)),
        2 => (0..3).prop_map(Act::Pass),
        1 => (0..3).prop_map(Act::Rebuild),
        1 => (0..3).prop_map(Act::Drop),
        4 => Just(Act::Read),
        2 => Just(Act::ReadAll),
        2 => Just(Act::Reconnect),
        3 => Just(Act::Cut),
        3 => Just(Act::ReadOther),
    ]
}

/// Room for nothing, for a few keys, for all.
fn room() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0_usize), Just(500), Just(1 << 20)]
}

fn run(acts: &[Act], changes: usize, room: usize) {
    let mut world = World::new(3, changes);
    world.set_room(room);
    let (mut client, mut other) = (Client::connect(&world), Client::connect(&world));
    for act in acts {
        match act {
            Act::Put(key, stray) => world.put(*key, *stray, true),
            Act::Delete(key, stray) => world.put(*key, *stray, false),
            Act::Many(partition, put) => world.put_many(*partition, UPDATES + 44, *put),
            Act::Pass(partition) => world.pass(*partition),
            Act::Rebuild(partition) => world.rebuild(*partition),
            Act::Drop(partition) => world.drop_and_add(*partition),
            Act::Read => client.read(),
            Act::ReadAll => client.read_all(),
            Act::Reconnect => client.reconnect(&world),
            Act::Cut => {
                client.read_half();
                client.reconnect(&world);
            }
            Act::ReadOther => other.read_all(),
        }
    }
    for client in [&mut client, &mut other] {
        client.read_all();
        assert_eq!(client.map(), world.fold());
        assert!(client.is_settled() && client.ahead() == 0);
    }
    assert_eq!(world.room().left(), room, "all of it is given back");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_client_ends_with_what_there_is_wherever_it_was_cut_off(
        acts in proptest::collection::vec(act(false), 1..80),
        changes in prop_oneof![Just(4_usize), Just(1000)],
        room in room(),
    ) {
        run(&acts, changes, room);
    }

    #[test]
    fn a_client_ends_with_what_there_is_where_keys_lie_in_several_partitions(
        acts in proptest::collection::vec(act(true), 1..80),
        changes in prop_oneof![Just(4_usize), Just(1000)],
        room in room(),
    ) {
        run(&acts, changes, room);
    }
}

/// The client reads and comes back while the writer writes and rebuilds.
fn nothing_is_missed_with(room: usize) {
    let mut world = World::new(3, 200);
    world.set_room(room);
    let (view, room, done) = (world.view(), world.room(), Arc::new(AtomicBool::new(false)));
    let over = Arc::clone(&done);
    let reader = std::thread::spawn(move || {
        let mut client = Client::of(&view, &room);
        let mut rounds = 0;
        while !over.load(Ordering::Acquire) {
            client.read();
            rounds += 1;
            if rounds % 10 == 0 {
                client.read_half();
                client.reconnect_to(&view);
            }
        }
        client.read_all();
        client.map()
    });
    for number in 0..10_000_u32 {
        let key = u8::try_from(fastrand::u32(0..60)).unwrap();
        world.put(key, false, number % 5 != 0);
        if number % 1000 == 999 {
            world.rebuild(fastrand::i32(0..3));
        }
    }
    done.store(true, Ordering::Release);
    assert_eq!(reader.join().unwrap(), world.fold());
}

#[test]
fn nothing_is_missed_while_reads_and_writes_meet() {
    nothing_is_missed_with(1 << 20);
}

#[test]
fn nothing_is_missed_while_reads_and_writes_meet_and_there_is_no_room() {
    nothing_is_missed_with(0);
}

#[test]
fn what_watchers_remember_keeps_to_the_room_they_share_and_who_has_none_is_told_twice() {
    let keys = UPDATES + 44;
    for (bytes, all_are_told_once) in [(1 << 20, true), (5000, false)] {
        let mut world = World::new(1, 10_000);
        world.set_room(bytes);
        let mut clients: Vec<_> = (0..3).map(|_| Client::connect(&world)).collect();
        clients.iter_mut().for_each(Client::read_all);
        // The values of the second write are found with the step of the first, of which a piece is told.
        world.put_many(0, keys, true);
        world.put_many(0, keys, true);
        clients.iter_mut().for_each(Client::read);
        let left = world.room().left();
        assert_eq!(left > 200, all_are_told_once, "{left} of {bytes} bytes are left");
        let told: usize = clients.iter_mut().map(|client| client.read_told().len()).sum();
        assert_eq!(told == 3 * (keys - UPDATES), all_are_told_once, "{told} more changes were told");
        clients.iter().for_each(|client| assert_eq!(client.map(), world.fold()));
        drop(clients);
        assert_eq!(world.room().left(), bytes, "nobody holds any of it");
    }
}

#[test]
fn a_key_that_is_told_twice_and_gone_by_then_does_not_go_back() {
    let mut world = World::new(1, 10_000);
    world.set_room(0);
    let mut client = Client::connect(&world);
    client.read_all();
    (0..3).for_each(|_| world.put_many(0, UPDATES + 44, true));
    client.read();
    // With the step of the second write these are gone; the client was told the third one.
    world.put_many(0, UPDATES + 44, false);
    client.read_all();
    assert_eq!(client.map(), world.fold());
}

#[test]
fn a_key_that_is_gone_is_told_twice_by_a_walk_and_stays_gone() {
    run(&[Act::Drop(0), Act::Many(0, false), Act::Put(1, false)], 1000, 0);
}

#[test]
fn a_rebuilt_partition_resets_that_partition_alone() {
    let mut world = World::new(3, 1000);
    (0..24).for_each(|key| world.put(key, false, true));
    let mut client = Client::connect(&world);
    client.read_all();
    world.rebuild(1);
    let told = client.read_told();
    let Some(Update::Reset { reason, partitions }) = told.first() else { panic!("{told:?}") };
    assert_eq!((*reason, partitions.clone()), (Reason::Rebuilt, Some([1].into())));
    let of = |update: &Update| match update {
        Update::Put { entry, .. } => Some(entry.slot.partition()),
        _ => None,
    };
    let put: BTreeSet<_> = told.iter().filter_map(of).collect();
    assert_eq!(put, [1].into());
    let in_partition = world.fold().values().filter(|(partition, ..)| *partition == 1).count();
    assert!(matches!(told.last(), Some(Update::Synced { count }) if *count == in_partition as u64));
    assert_eq!(client.map(), world.fold());
}

#[test]
fn a_step_that_is_cut_off_by_a_rebuild_takes_nothing_from_the_next() {
    let mut world = World::new(2, 1000);
    let mut client = Client::connect(&world);
    client.read_all();
    world.put_many(0, UPDATES + 44, true);
    client.read();
    assert!(client.map() != world.fold(), "the rest of the step is still to come");
    world.rebuild(0);
    world.put_many(1, 3, true);
    client.read_all();
    assert_eq!(client.map(), world.fold());
}

#[test]
fn a_client_that_is_cut_off_amid_a_step_is_told_that_step_once_more() {
    let mut world = World::new(1, 1000);
    let mut client = Client::connect(&world);
    client.read_all();
    world.put_many(0, UPDATES + 44, true);
    client.read();
    world.put_many(0, UPDATES, false);
    client.reconnect(&world);
    let told = client.read_told();
    assert!(told.iter().all(|update| matches!(update, Update::Put { .. } | Update::Delete { .. })));
    assert_eq!(client.map(), world.fold());
}

#[test]
fn a_slow_client_is_told_the_newest_value_of_a_key_once() {
    let mut world = World::new(1, 1000);
    let mut client = Client::connect(&world);
    client.read_all();
    (0..100).for_each(|_| world.put(7, false, true));
    assert_eq!(client.read_told().len(), 1);
    assert_eq!(client.map(), world.fold());
}

#[test]
fn a_client_that_is_slower_than_the_ring_begins_anew() {
    let mut world = World::new(3, 10);
    let mut client = Client::connect(&world);
    client.read_all();
    (0..24).for_each(|key| world.put(key, false, true));
    let told = client.read_told();
    assert!(matches!(told.first(), Some(Update::Reset { reason: Reason::Overflow, partitions: None })));
    assert_eq!(client.map(), world.fold());
}

#[test]
fn who_was_away_for_a_moment_goes_on_though_the_ring_is_full() {
    let mut world = World::new(3, 10);
    (0..24).for_each(|key| world.put(key, false, true));
    let wanted = Wanted { keys: KeyRange::default(), snapshots: false };
    let mut feed = Feed::new(&world.view(), &world.room(), wanted.clone(), &Before::Nothing).unwrap();
    let known = world::known(&mut feed);
    world.put(1, false, true);
    let mut feed = Feed::new(&world.view(), &world.room(), wanted, &Before::Known(known)).unwrap();
    // The ring lets its oldest step go for this one.
    world.put(2, false, true);
    assert!(matches!(feed.advance().unwrap()[..], [Update::Put { .. }, Update::Put { .. }]));
}

#[test]
fn a_walk_pauses_among_rows_that_tell_nothing() {
    let mut world = World::new(2, 10_000);
    world.put_many(0, 3000, false);
    // A slot that is filled keeps a marker of each.
    world.rebuild(0);
    let wanted = Wanted { keys: KeyRange::default(), snapshots: true };
    let mut feed = Feed::new(&world.view(), &world.room(), wanted, &Before::Nothing).unwrap();
    assert!(feed.advance().unwrap().is_empty() && feed.is_walking());
    assert!(matches!(walked(&mut feed)[..], [Update::Synced { count: 0 }]));
}

#[test]
fn a_walk_pauses_among_deleted_keys_that_are_still_stored() {
    const KEYS: usize = 15_000;
    let mut world = World::new(1, 10);
    world.put_many(0, KEYS, true);
    world.put_many(0, KEYS, false);
    world.put(0, false, true);
    let wanted = Wanted { keys: KeyRange::default(), snapshots: true };
    let mut feed = Feed::new(&world.view(), &world.room(), wanted, &Before::Nothing).unwrap();
    let first = feed.advance().unwrap();
    assert!(first.len() <= 1 && feed.is_walking(), "{first:?}");
    let told: Vec<_> = first.into_iter().chain(walked(&mut feed)).collect();
    assert!(matches!(&told[..], [Update::Put { .. }, Update::Synced { count: 1 }]), "{told:?}");
}

/// What a feed tells until it has told all there is.
fn walked(feed: &mut Feed) -> Vec<Update> {
    let mut told = Vec::new();
    while feed.is_walking() {
        told.extend(feed.advance().unwrap());
    }
    told
}

#[test]
fn only_wanted_keys_are_told() {
    let mut world = World::new(3, 1000);
    (0..12).for_each(|key| world.put(key, false, true));
    let keys = KeyRange::of_key(&world::key(5));
    let mut feed =
        Feed::new(&world.view(), &world.room(), Wanted { keys, snapshots: true }, &Before::Nothing).unwrap();
    let first = walked(&mut feed);
    assert!(
        matches!(&first[..], [Update::Put { key, .. }, Update::Synced { count: 1 }] if *key == world::key(5))
    );
    (0..12).for_each(|key| world.put(key, false, false));
    let then = feed.advance().unwrap();
    assert!(matches!(&then[..], [Update::Delete { key, .. }] if *key == world::key(5)));
    assert!(feed.is_settled() && feed.next() == *world.view().progress().changes().next().borrow());
}

#[test]
fn who_wants_changes_only_is_told_no_snapshot_and_sent_away_where_some_are_lost() {
    let mut world = World::new(3, 10);
    world.put(1, false, true);
    let wanted = Wanted { keys: KeyRange::default(), snapshots: false };
    let mut feed = Feed::new(&world.view(), &world.room(), wanted.clone(), &Before::Nothing).unwrap();
    assert!(feed.advance().unwrap().is_empty() && feed.is_settled());
    let known = world::known(&mut feed);
    world.put(2, false, true);
    assert!(matches!(feed.advance().unwrap()[..], [Update::Put { .. }]));
    assert!(Feed::new(&world.view(), &world.room(), wanted.clone(), &Before::Known(known.clone())).is_ok());
    (0..24).for_each(|key| world.put(key, false, true));
    assert_eq!(
        Feed::new(&world.view(), &world.room(), wanted.clone(), &Before::Known(known)).err(),
        Some(Gone)
    );
    assert_eq!(Feed::new(&world.view(), &world.room(), wanted, &Before::Lost(Reason::Gap)).err(), Some(Gone));
    // One that is there already is told, and goes on.
    assert!(matches!(feed.advance().unwrap()[..], [Update::Reset { reason: Reason::Overflow, .. }]));
    world.put(3, false, true);
    assert!(matches!(feed.advance().unwrap()[..], [Update::Put { .. }]));
}
