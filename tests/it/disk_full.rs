//! A disk that fills up.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::app::{Connection, TestApp};
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::metrics::sample;
use crate::process::scratch;

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(90);

const MIB: usize = 1024 * 1024;

/// Asks for everything.
const EXPORT: &[u8] = b"GET /v1/views/v/entries HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n";

/// A disk of 48 MiB for as long as the value lives; none where mounting is not permitted.
struct SmallDisk<'d>(&'d Path);

impl<'d> SmallDisk<'d> {
    fn mount(path: &'d Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(path).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: mounting is not permitted here");
            return None;
        }
        Some(Self(path))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: the service may still be on its way out.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Values that cannot be compressed, of 16 KiB each.
fn write_noise(topic: &TestTopic<'_>, keys: impl IntoIterator<Item = usize>) {
    let mut state = 1_u64;
    let mut noise = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    for key in keys {
        let value: Vec<u8> = (0..16 * 1024).map(&mut noise).collect();
        topic.send(Record::put(format!("k{key:04}"), value));
    }
    topic.flush();
}

#[test]
fn a_rebuild_waits_for_room_while_the_view_serves_and_follows() {
    let directory = scratch("disk-");
    let Some(_disk) = SmallDisk::mount(directory.path()) else { return };
    let topic = TestKafka::shared().topic("tight").create();
    write_noise(&topic, (0..800).map(|number| number % 400));
    let mut app = TestApp::builder(TestKafka::shared())
        .view("v", &topic)
        .data_dir(&directory.path().join("data"))
        .set("kafka.poll_interval", "100ms")
        .set("store.write_buffer", "1MiB")
        .set("ops.admin", true)
        .start()
        .restored();
    // After a restart everything is out of the memory, so that the share of the partition is known.
    app.terminate();
    app.start_again();
    app.wait_until_restored();
    let pad = directory.path().join("pad");
    take_all_but(4 * MIB as u64, &pad);
    let generation = app.generation("v");
    let asked = app.request_ops("POST", "/admin/v1/views/v/rebuild", b"{}");
    assert_eq!(asked.status, 202, "{}", asked.text());
    let waits = |status: &serde_json::Value| {
        status["warnings"][0]["code"] == "disk-space" && status["warnings"][0]["partition"] == 0
    };
    app.wait_for_status("v", "a rebuild that waits for room", waits);
    assert_eq!(app.status("v")["state"], "live");
    let late = topic.put("late", "1");
    app.wait_until_applied("v", &late);
    assert_eq!((app.generation("v"), app.status("v")["rebuild"].is_null()), (generation, true));

    fs::remove_file(&pad).unwrap();
    app.wait_for_generation("v", generation + 1);
    assert_eq!(app.status("v")["warnings"].as_array().map(Vec::len), Some(0));
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// Makes a file that leaves so much of its disk free.
fn take_all_but(left: u64, pad: &Path) {
    let file = fs::File::create(pad).unwrap();
    let disk = rustix::fs::fstatvfs(&file).unwrap();
    let bytes = disk.f_bavail * disk.f_frsize - left;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).unwrap();
}

/// FAULTS row 5.
#[test]
fn a_full_disk_stops_ingest_but_not_reads_until_there_is_space() {
    let directory = scratch("disk-");
    let Some(_disk) = SmallDisk::mount(directory.path()) else { return };
    let topic = TestKafka::shared().topic("full").create();
    topic.put("a", "1");
    let pad = directory.path().join("pad");
    fs::write(&pad, vec![0; 28 * MIB]).unwrap();
    let app = TestApp::builder(TestKafka::shared())
        .view("v", &topic)
        .data_dir(&directory.path().join("data"))
        .set("store.write_buffer", "1MiB")
        .start()
        .restored();

    // More than is left beside the pad, less than is left without it. No key comes twice: on a slow machine compactions
    // would keep up with what is overwritten.
    write_noise(&topic, 0..1600);
    eventually(DEADLINE, "the reason disk-full", || {
        let status = app.status("v");
        (status["reason"] == "disk-full").then_some(())
    });
    assert_eq!(app.get("v", "a").text(), "1");
    assert_eq!(app.get_ops("/livez").status, 200);
    // Now and then a flush makes room for a moment.
    let told = || {
        let (lines, events) =
            (app.log().matches("cannot write, will try again").count(), app.count_events("v", "disk-full"));
        (lines > 0 && lines == events).then_some(())
    };
    eventually(DEADLINE, "one failure, one line and one event", told);
    assert!(sample(&app, "statusquo_view_write_errors_total{view=\"v\"}") > 0);

    fs::remove_file(&pad).unwrap();
    app.wait_for_event("v", "storage-recovered");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!((&app.status("v")["state"], app.get("v", "a").text()), (&"live".into(), "1".to_owned()));
}

/// FAULTS row 5.
#[test]
fn the_end_of_an_export_that_holds_a_replaced_slot_ends_the_shortage() {
    let directory = scratch("disk-");
    let Some(_disk) = SmallDisk::mount(directory.path()) else { return };
    let topic = TestKafka::shared().topic("held").create();
    write_noise(&topic, 0..800);
    let mut app = TestApp::builder(TestKafka::shared())
        .view("v", &topic)
        .data_dir(&directory.path().join("data"))
        .set("store.write_buffer", "1MiB")
        // A write that waits inside RocksDB for a memtable comes to no end while the disk is full.
        .set("store.write_buffers", 64)
        .set("http.write_timeout", "10m")
        .set("ops.admin", true)
        .start()
        .restored();
    // After a first restore small files are merged for a while, and only what lies in files of its own can be given back.
    app.terminate();
    app.start_again();
    app.wait_until_restored();
    let mut export = Connection::open(app.http_address()).unwrap();
    export.send_raw(EXPORT).unwrap();
    assert_eq!(export.receive_head().unwrap().status, 200);
    let generation = app.generation("v");
    assert_eq!(app.request_ops("POST", "/admin/v1/views/v/rebuild", b"{}").status, 202);
    app.wait_for_generation("v", generation + 1);

    // No more than the log takes before a memtable is full, so that nothing is merged. Compactions that go on may give
    // something back now and then.
    take_all_but(MIB as u64, &directory.path().join("pad"));
    // Less than the export gives back.
    let mut rounds = (800..1400).step_by(100);
    eventually(DEADLINE, "a full disk", || {
        rounds.next().into_iter().for_each(|first| write_noise(&topic, first..first + 100));
        (app.count_events("v", "disk-full") > 0).then_some(())
    });
    eventually(DEADLINE, "writes that fail again and again", || {
        (sample(&app, "statusquo_view_write_errors_total{view=\"v\"}") > 5).then_some(())
    });
    drop(export);
    app.wait_until_restored();
    assert_eq!(app.status("v")["state"], "live");
    app.assert_view_equals("v", &topic.fold());
}
