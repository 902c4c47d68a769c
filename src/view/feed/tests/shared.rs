//! What one feed has read, told by the others.

use bytes::Bytes;

use super::world::{self, Client, World};
use super::*;

#[test]
fn what_one_client_is_told_the_others_are_told_without_another_read() {
    let mut world = World::new(3, 1000);
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(&world)).collect();
    clients.iter_mut().for_each(Client::read_all);
    let mut told = |world: &World| -> Vec<Bytes> {
        let told = clients.iter_mut().map(|client| match &client.read_told()[..] {
            [Update::Put { entry, .. }] => entry.value().unwrap(),
            other => panic!("{other:?}"),
        });
        let told = told.collect();
        clients.iter().for_each(|client| assert_eq!(client.map(), world.fold()));
        told
    };
    let are_one = |values: &[Bytes]| values.iter().all(|value| value.as_ptr() == values[0].as_ptr());
    world.put(1, false, true);
    assert!(are_one(&told(&world)), "the same bytes in memory");
    // A key with a place in two partitions is read each time.
    world.put(1, true, true);
    assert!(!are_one(&told(&world)));
}

#[test]
fn what_is_kept_for_other_clients_is_bounded() {
    let mut world = World::new(1, 1000);
    world.put(1, false, true);
    let view = world.view();
    let entry = view.store().find(&view.store().table(), &world::key(1)).unwrap().unwrap();
    for number in 0..20_000_u32 {
        view.recent.note(&number.to_be_bytes().repeat(100), &entry);
        assert!(view.recent.bytes() <= recent::BYTES_MAX);
    }
    assert!(view.recent.bytes() > 0);
    view.recent.note(&[0; recent::ENTRY_BYTES_MAX], &entry);
    let slot = Arc::clone(&entry.slot);
    assert!(view.recent.get(&19_999_u32.to_be_bytes().repeat(100), &slot, entry.header.offset).is_some());
    assert!(view.recent.get(&[0; recent::ENTRY_BYTES_MAX], &slot, entry.header.offset).is_none());
}

fn stored(world: &World) -> Entry {
    let view = world.view();
    view.store().find(&view.store().table(), &world::key(1)).unwrap().unwrap()
}

/// A feed may remember what it has read only after another one has read something newer.
fn remember_late(world: &World, entry: &Entry) {
    world.view().recent.note(&world::key(1), entry);
}

#[test]
fn a_client_that_comes_back_is_told_nothing_older_than_before_however_late_another_one_remembers() {
    let mut world = World::new(1, 1000);
    let mut client = Client::connect(&world);
    client.read_all();
    world.put(1, false, true);
    let older = stored(&world);
    world.put(1, false, true);
    // With the first step it is told what is newer than that.
    client.read_half();
    remember_late(&world, &older);
    client.reconnect(&world);
    client.read_all();
    assert_eq!(client.map(), world.fold());
}

#[test]
fn a_client_that_finds_no_room_is_told_nothing_older_than_before_however_late_another_one_remembers() {
    let mut world = World::new(1, 1000);
    world.set_room(0);
    let mut client = Client::connect(&world);
    client.read_all();
    world.put(1, false, true);
    client.reconnect(&world);
    world.put(1, false, true);
    let older = stored(&world);
    world.put(1, false, true);
    remember_late(&world, &older);
    // With the first step it is told what the third one made, which it does not keep in mind.
    client.read_all();
    assert_eq!(client.map(), world.fold());
}
