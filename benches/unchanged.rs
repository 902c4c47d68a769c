//! Look-ups against those of an earlier binary, on views of the same topic.

use std::path::Path;

use crate::report::Report;
use crate::service::Service;
use crate::wrk;

const ROUNDS: usize = 7;
const SECONDS: u32 = 6;
/// Until most of the profiles are in the cache.
const WARM_UP_SECONDS: u32 = 15;

/// Restores a view by each, then asks both for the same keys in turn.
pub fn measure(bootstrap: &str, topic: &str, records: u64, before: &Path, report: &mut Report) {
    let restored = |service: Service| {
        service.wait_until_ready();
        service.wait_until_calm();
        service
    };
    let before = restored(Service::start_binary(before, bootstrap, topic));
    let ours = restored(Service::start(bootstrap, topic));
    let look_ups = |service: &Service, seconds| {
        let (dir, http) = (service.dir.path(), service.address("http"));
        let load = wrk::look_ups(dir, &http, "v1", records, service.process.id(), seconds);
        eprintln!("{:>8.0} requests/s, {:.1} us of CPU each", load.per_second, load.cpu_us);
        load
    };
    let _ = (look_ups(&before, WARM_UP_SECONDS), look_ups(&ours, WARM_UP_SECONDS));
    let (before, ours) = wrk::in_turn(ROUNDS, || look_ups(&before, SECONDS), || look_ups(&ours, SECONDS));
    report.at_least(
        "get_unchanged",
        "requests/s of existing keys against the binary before",
        ours.per_second,
        before.per_second,
        0.95,
    );
    // The same allowance, the other way round.
    report.at_most(
        "cpu_unchanged",
        "CPU us/look-up against the binary before",
        ours.cpu_us,
        before.cpu_us,
        1.05,
    );
}
