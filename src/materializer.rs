//! The write side of a view: from the source to the store.
//!
//! Five threads per view. The reader polls the source into batches, and so does the builder for partitions that
//! are built anew beside the slot that serves; the writer applies them; the coordinator asks the cluster, decides
//! where to read, and mirrors positions. They share bounded channels. The fifth asks how far the log reaches when a
//! request wants to know.

mod coordinator;
mod log_ends;
mod mirror;
mod pace;
mod reader;
mod writer;

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use self::coordinator::ReaderPort;
use self::pace::Pace;
use self::reader::{Filled, Reader};
use crate::batch::Batch;
use crate::config::sections::Config;
use crate::kafka::{Cluster, KafkaSource};
use crate::source::Source;
use crate::store::{Stager, Writer};
use crate::supervisor::{self, Supervisor};
use crate::view::View;

/// Batches in being per reader: one is filled while another is on its way.
const ARENAS: usize = 2;
/// Readers of a view: the one that follows and the one that builds.
const READERS: usize = 2;
/// Commands and requests that may wait; each partition causes a few.
const QUEUE: usize = 1024;

/// Starts the threads of one view.
///
/// # Errors
/// When the operating system refuses another thread.
pub fn start(
    view: &Arc<View>,
    store: Writer,
    cluster: &Arc<Cluster>,
    config: &Config,
    supervisor: &Supervisor,
) -> anyhow::Result<()> {
    let name = view.name();
    let (filled_in, filled) = bounded(1);
    let (emptied, empty) = bounded(ARENAS * READERS);
    let (work_in, work) = bounded(QUEUE);
    let arena = usize::try_from(config.batch.bytes_max.as_u64()).unwrap_or(usize::MAX);
    let value_bytes_max = view.config().max_value_bytes.map_or(u64::MAX, |size| size.as_u64());
    for _ in 0..ARENAS * READERS {
        // The memory is taken when it is first needed.
        emptied.send(Batch::new(0, view.config().headers).with_value_bytes_max(value_bytes_max))?;
    }
    let batches = Batches { filled: filled_in, empty };
    let source = |role: &str| KafkaSource::new(&config.kafka, &view.config().topic, role, cluster);
    let live = source(name.as_str());
    let live = start_reader(live, None, &batches, view, config, supervisor)?;
    let builder = source(&format!("{name}-builder"));
    let gathered = usize::try_from(config.store.write_buffer.as_u64()).unwrap_or(usize::MAX);
    let stager = Stager::new(view.store(), gathered)?;
    let builder = start_reader(builder, Some(stager), &batches, view, config, supervisor)?;
    drop(batches);
    let ports = writer::Ports { filled, emptied, work };
    let writer = writer::WriteLoop::new(store, Arc::clone(view.progress()), ports, arena, supervisor.stop());
    supervisor.thread(format!("{name}-writer"), move || writer.run())?;
    let (asking, asked, stop) = (Arc::clone(view), Arc::clone(cluster), supervisor.stop());
    supervisor.thread(format!("{name}-log-ends"), move || log_ends::run(&asking, &asked, &stop))?;
    let ports = coordinator::Ports { live, builder, work: work_in };
    let rhythm = coordinator::Rhythm::new(config);
    let coordinator = coordinator::Coordinator::new(
        Arc::clone(view),
        Arc::clone(cluster),
        ports,
        rhythm,
        supervisor.stop(),
    );
    supervisor.thread(format!("{name}-coordinator"), move || coordinator.run())
}

/// The readers' ends of the channels to the writer.
struct Batches {
    filled: Sender<Filled>,
    empty: Receiver<Batch>,
}

fn start_reader(
    source: impl Source + 'static,
    stager: Option<Stager>,
    batches: &Batches,
    view: &View,
    config: &Config,
    supervisor: &Supervisor,
) -> anyhow::Result<ReaderPort> {
    let (commands, commands_out) = bounded(QUEUE);
    // At most one waits per partition that is read. A reader that waited for the coordinator here could not be waited
    // for by it.
    let (failures_in, failures) = unbounded();
    let ports = reader::Ports {
        commands: commands_out,
        failures: failures_in,
        filled: batches.filled.clone(),
        empty: batches.empty.clone(),
    };
    let pace = Arc::new(Pace::default());
    let reader = Reader::new(source, ports, config.batch.clone(), Arc::clone(&pace), supervisor.stop());
    match stager {
        None => supervisor.thread(format!("{}-reader", view.name()), move || reader.run())?,
        Some(stager) => {
            let reader = reader.with_stager(stager);
            supervisor.thread(format!("{}-builder", view.name()), move || {
                // The threads of the client it reads with stand back as well.
                supervisor::stand_back();
                reader.run()
            })?;
        }
    }
    Ok(ReaderPort { commands, failures, pace })
}

#[cfg(test)]
mod tests;
