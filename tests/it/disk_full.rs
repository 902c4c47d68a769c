//! A disk that fills up.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka};
use crate::process::scratch;

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(90);

const MIB: usize = 1024 * 1024;

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

    // Values that cannot be compressed: more than is left beside the pad, less than is left without it.
    let mut state = 1_u64;
    let mut noise = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let mut value = || (0..16 * 1024).map(&mut noise).collect::<Vec<u8>>();
    for number in 0..1600 {
        topic.send(Record::put(format!("k{}", number % 400), value()));
    }
    topic.flush();
    eventually(DEADLINE, "the reason disk-full", || {
        let status = app.status("v");
        (status["reason"] == "disk-full").then_some(())
    });
    assert_eq!(app.get("v", "a").text(), "1");
    assert_eq!(app.get_ops("/livez").status, 200);
    let before = app.log().matches("cannot write, will try again").count();
    assert_eq!(before, 1, "one failure, one line");

    fs::remove_file(&pad).unwrap();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.get("v", "a").text(), "1");
}
