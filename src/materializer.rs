//! The write side of a view: from the source to the store.
//!
//! Three threads per view. The reader polls the source into batches; the writer applies them; the coordinator
//! asks the cluster, decides where to read, and mirrors positions. They share bounded channels.

mod coordinator;
mod mirror;
mod reader;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::bounded;

use crate::batch::Batch;
use crate::config::sections::Config;
use crate::kafka::{Cluster, KafkaSource};
use crate::store::Writer;
use crate::supervisor::Supervisor;
use crate::view::View;

/// Batches in being: one is filled while the other is applied.
const ARENAS: usize = 2;
/// Commands and requests that may wait; each partition causes a few.
const QUEUE: usize = 1024;

/// Starts the threads of one view.
///
/// # Errors
/// When librdkafka refuses the configuration or the operating system another thread.
pub fn start(
    view: &Arc<View>,
    store: Writer,
    cluster: &Arc<Cluster>,
    config: &Config,
    supervisor: &Supervisor,
) -> anyhow::Result<()> {
    let name = view.name();
    let source = KafkaSource::new(&config.kafka, &view.config().topic, name.as_str())?;
    let (filled_in, filled) = bounded(1);
    let (emptied, empty) = bounded(ARENAS);
    let (commands_in, commands) = bounded(QUEUE);
    let (failures_in, failures) = bounded(QUEUE);
    let (work_in, work) = bounded(QUEUE);
    let arena = usize::try_from(config.batch.bytes_max.as_u64()).unwrap_or(usize::MAX);
    for _ in 0..ARENAS {
        emptied.send(Batch::new(arena, view.config().headers))?;
    }
    let following = Arc::new(AtomicBool::new(false));
    let reader = reader::Reader::new(
        source,
        reader::Ports { commands, failures: failures_in, filled: filled_in, empty },
        config.batch.clone(),
        Arc::clone(&following),
        supervisor.stop(),
    );
    let writer = writer::WriteLoop::new(
        store,
        Arc::clone(view.progress()),
        writer::Ports { filled, emptied, work },
        arena,
        supervisor.stop(),
    );
    let coordinator = coordinator::Coordinator::new(
        Arc::clone(view),
        Arc::clone(cluster),
        coordinator::Ports { commands: commands_in, failures, work: work_in },
        coordinator::Rhythm {
            poll: config.kafka.poll_interval,
            mirror: config.mirror.enabled.then_some(config.mirror.interval),
        },
        following,
        supervisor.stop(),
    );
    supervisor.thread(format!("{name}-writer"), move || writer.run())?;
    supervisor.thread(format!("{name}-reader"), move || reader.run())?;
    supervisor.thread(format!("{name}-coordinator"), move || coordinator.run())
}

#[cfg(test)]
mod tests;
