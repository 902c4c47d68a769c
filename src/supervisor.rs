//! Every thread and task has a name and an owner; the first that ends, ends the process.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a join that is bounded in time looks again; the standard library has no timed join.
const JOIN_INTERVAL: Duration = Duration::from_millis(5);

/// How much nicer than the others a thread is that stands back: a third of their share of a busy processor.
#[cfg(target_os = "linux")]
const STANDING_BACK: i32 = 5;

/// How one component ended.
#[derive(Debug)]
pub struct Ended {
    /// Name of the thread or task.
    pub name: String,
    /// What it returned; a panic is an error too.
    pub outcome: anyhow::Result<()>,
}

/// Owner of all threads and tasks.
#[derive(Clone)]
pub struct Supervisor {
    stop: CancellationToken,
    ended: mpsc::UnboundedSender<Ended>,
    threads: Arc<Mutex<Vec<Thread>>>,
    tasks: TaskTracker,
}

type Thread = (String, JoinHandle<()>);

/// Receives the end of components; there are few, so the queue is short.
pub type Endings = mpsc::UnboundedReceiver<Ended>;

impl Supervisor {
    /// Makes an owner of nothing yet.
    #[must_use]
    pub fn new() -> (Self, Endings) {
        let (ended, endings) = mpsc::unbounded_channel();
        let (stop, threads, tasks) = (CancellationToken::new(), Arc::default(), TaskTracker::new());
        (Self { stop, ended, threads, tasks }, endings)
    }

    /// Returns the signal that asks every component to end.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a named thread.
    ///
    /// # Errors
    /// When the operating system refuses another thread.
    pub fn thread(
        &self,
        name: impl Into<String>,
        run: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let name = name.into();
        let (ended, owned) = (self.ended.clone(), name.clone());
        let body = move || {
            let outcome =
                catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(anyhow::anyhow!("panicked")));
            // The receiver is gone only when the process is ending anyway.
            let _ = ended.send(Ended { name: owned, outcome });
        };
        let handle = thread::Builder::new().name(name.clone()).spawn(body)?;
        self.threads.lock().push((name, handle));
        Ok(())
    }

    /// Starts a named task on the current runtime.
    pub fn task(
        &self,
        name: impl Into<String>,
        run: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let (name, ended) = (name.into(), self.ended.clone());
        let task = tokio::spawn(run);
        self.tasks.spawn(async move {
            let outcome = task.await.unwrap_or_else(|_| Err(anyhow::anyhow!("panicked")));
            let _ = ended.send(Ended { name, outcome });
        });
    }

    /// Waits for all tasks, at most until `deadline`; returns whether all have ended.
    pub async fn finish(&self, deadline: Instant) -> bool {
        self.tasks.close();
        tokio::time::timeout_at(deadline.into(), self.tasks.wait()).await.is_ok()
    }

    /// Waits for all threads, at most until `deadline`; returns the names of those that are still running.
    #[must_use]
    pub fn join(&self, deadline: Instant) -> Vec<String> {
        let mut threads = std::mem::take(&mut *self.threads.lock());
        loop {
            let (done, running): (Vec<_>, Vec<_>) =
                threads.into_iter().partition(|(_, handle)| handle.is_finished());
            for (_, handle) in done {
                let _ = handle.join();
            }
            if running.is_empty() || Instant::now() >= deadline {
                return running.into_iter().map(|(name, _)| name).collect();
            }
            threads = running;
            thread::sleep(JOIN_INTERVAL);
        }
    }
}

/// Has the calling thread stand back, and those it starts from now on: look-ups come first where the processor is
/// short. Not so far back that it could starve: what it does has to be done.
pub fn stand_back() {
    // Elsewhere the priority is one of the whole process. What is refused is a wish: everything works as well.
    #[cfg(target_os = "linux")]
    {
        if let Ok(now) = rustix::process::getpriority_process(None) {
            let _ = rustix::process::setpriority_process(None, now.saturating_add(STANDING_BACK));
        }
        leave_one_processor();
    }
}

/// Keeps the calling thread off one of several processors. On a busy one even a thread of higher priority waits, often
/// until the next tick of the kernel's clock, some milliseconds: here it finds one that is not.
#[cfg(target_os = "linux")]
fn leave_one_processor() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(mut allowed) = sched_getaffinity(None) else { return };
    let first = (0..CpuSet::MAX_CPU).find(|processor| allowed.is_set(*processor));
    if let Some(first) = first.filter(|_| allowed.count() > 1) {
        allowed.unset(first);
        let _ = sched_setaffinity(None, &allowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_its_thread_with_an_error_that_names_it() {
        let (supervisor, mut endings) = Supervisor::new();
        supervisor.thread("doomed", || panic!("on purpose")).unwrap();
        let ended = endings.blocking_recv().unwrap();
        assert_eq!(ended.name, "doomed");
        assert!(ended.outcome.is_err());
        assert!(supervisor.join(Instant::now() + Duration::from_secs(5)).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_stands_back_leaves_one_of_several_processors_and_so_do_the_threads_it_starts() {
        let processors = || rustix::thread::sched_getaffinity(None).unwrap().count();
        let stand_back = move || {
            let before = processors();
            stand_back();
            (before, thread::spawn(processors).join().unwrap())
        };
        let (before, after) = thread::spawn(stand_back).join().unwrap();
        assert_eq!(after, before.saturating_sub(1).max(1));
    }

    #[test]
    fn a_thread_that_does_not_end_is_named_at_the_deadline() {
        let (supervisor, _endings) = Supervisor::new();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let wait = move || {
            let _ = held.recv();
            Ok(())
        };
        supervisor.thread("slow", wait).unwrap();
        assert_eq!(supervisor.join(Instant::now()), ["slow"]);
        drop(hold);
    }
}
