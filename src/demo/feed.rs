//! The thread that lets things happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::generator::Generator;
use crate::kafka::demo_topic::DemoProducer;
use crate::time::Millis;

/// Any number does; the same one makes every demo the same.
const SEED: u64 = 0x5747_5155;
/// How often events are due: often enough to look steady.
const TICK: Duration = Duration::from_millis(20);
/// After a pause, such as a laptop's, at most this much is made up for.
const BACKLOG_MAX: Duration = Duration::from_secs(1);

/// Produces events for as long as it lives.
#[derive(Debug)]
pub(super) struct Feed {
    goes_on: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Starts with the sign-ups of `users` users as fast as they are taken, then goes on with `rate` events
    /// per second.
    ///
    /// # Errors
    /// When the operating system refuses another thread.
    pub(super) fn start(producer: DemoProducer, users: u32, rate: u32) -> std::io::Result<Self> {
        let goes_on = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&goes_on);
        let run = move || {
            let outcome = run(&producer, users, rate, || flag.load(Ordering::Acquire));
            if let Err(error) = outcome {
                tracing::error!(
                    error = format!("{error:#}"),
                    "nothing changes any more: the producer failed"
                );
            }
        };
        let thread = thread::Builder::new().name("demo-feed".to_owned()).spawn(run)?;
        Ok(Self { goes_on, thread: Some(thread) })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.goes_on.store(false, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported; the demo ends anyway.
            let _ = thread.join();
        }
    }
}

fn run(producer: &DemoProducer, users: u32, rate: u32, goes_on: impl Fn() -> bool) -> anyhow::Result<()> {
    let mut generator = Generator::new(SEED, users);
    let mut emit = |now: &str| -> anyhow::Result<bool> {
        let event = generator.next(now)?;
        producer.send(&event.key, event.value.as_deref(), &goes_on)?;
        Ok(generator.is_settled())
    };
    let now = now();
    while goes_on() && !emit(&now)? {
        producer.poll(Duration::ZERO);
    }
    let mut pace = Pace::new(rate, Instant::now());
    while goes_on() {
        producer.poll(TICK);
        let now = self::now();
        for _ in 0..pace.due(Instant::now()) {
            emit(&now)?;
        }
    }
    Ok(())
}

fn now() -> String {
    Millis::now().rfc3339().unwrap_or_default()
}

/// Says how many events are due.
#[derive(Debug)]
struct Pace {
    rate: u32,
    paid_until: Instant,
}

impl Pace {
    fn new(rate: u32, start: Instant) -> Self {
        Self { rate, paid_until: start }
    }

    fn due(&mut self, now: Instant) -> u32 {
        if let Some(oldest) = now.checked_sub(BACKLOG_MAX) {
            self.paid_until = self.paid_until.max(oldest);
        }
        let owed = now.saturating_duration_since(self.paid_until);
        let due = u32::try_from(owed.as_micros() * u128::from(self.rate) / 1_000_000).unwrap_or(u32::MAX);
        if due > 0 {
            self.paid_until += Duration::from_secs(1) / self.rate * due;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_many_short_ticks() {
        let start = Instant::now();
        let mut pace = Pace::new(200, start);
        let due: u32 = (1..=1000).map(|tick| pace.due(start + Duration::from_millis(tick * 3))).sum();

        assert!((598..=600).contains(&due), "{due}");
    }

    #[test]
    fn a_rate_of_zero_means_that_nothing_happens() {
        let start = Instant::now();
        assert_eq!(Pace::new(0, start).due(start + Duration::from_secs(9)), 0);
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let start = Instant::now() + Duration::from_secs(3600);
        assert_eq!(Pace::new(200, start).due(start + Duration::from_secs(600)), 200);
    }
}
