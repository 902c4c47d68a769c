//! Shows how far restoring views are: bars on a terminal, a log line now and then elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use indicatif::{ProgressBar, ProgressStyle};

use super::restoration::Restoration;
use super::terminal::Terminal;
use crate::config::ViewName;
use crate::view::Views;

/// How often bars move: fast enough for the eye.
const BAR_INTERVAL: Duration = Duration::from_millis(150);
/// How often a log line is due where there are no bars.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// A bar is this long in its own units, since only shares are known of a compacted log.
const BAR_LENGTH: u64 = 1000;
/// `{msg}` carries what a bar of a compacted log cannot know itself: records, rate and time left.
const BAR_TEMPLATE: &str = "{prefix} [{bar:28}] {percent:>3} %  {msg}";

/// Shows progress for as long as it lives.
#[derive(Debug)]
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts to show how far the views are.
///
/// # Errors
/// When the operating system refuses another thread.
pub fn watch(views: Arc<Views>, terminal: Terminal) -> std::io::Result<Watch> {
    let (stop, stopped) = bounded(0);
    let run = move || {
        if terminal.is_interactive() {
            every(BAR_INTERVAL, &stopped, Bars::new(terminal).update(&views));
        } else {
            every(LINE_INTERVAL, &stopped, lines(&views));
        }
    };
    let thread = thread::Builder::new().name("restore-bar".to_owned()).spawn(run)?;
    Ok(Watch { stop: Some(stop), thread: Some(thread) })
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Order matters: the thread ends when the sender is gone.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported; nothing depends on this thread.
            let _ = thread.join();
        }
    }
}

fn every(interval: Duration, stopped: &Receiver<()>, mut step: impl FnMut()) {
    while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        step();
    }
}

/// Views and how far their builds are; a view without a build has none.
fn restorations(views: &Views) -> impl Iterator<Item = (&ViewName, Option<Restoration>)> {
    views.iter().map(|(name, view)| (name, Restoration::of_view(&view.status())))
}

fn lines(views: &Views) -> impl FnMut() {
    let views = views.clone();
    move || {
        for (name, restoration) in restorations(&views) {
            let Some(restoration) = restoration else { continue };
            let Restoration { records, rate, eta, .. } = restoration;
            let (percent, eta_s_max) = (restoration.percent(), eta.map(|eta| eta.as_secs()));
            let records_per_second = rate.round();
            tracing::info!(view = %name, records, records_per_second, percent, eta_s_max, "restoring");
        }
    }
}

/// The bars on a terminal, by view.
struct Bars {
    terminal: Terminal,
    shown: BTreeMap<ViewName, (ProgressBar, Instant)>,
}

impl Bars {
    fn new(terminal: Terminal) -> Self {
        Self { terminal, shown: BTreeMap::new() }
    }

    fn update(mut self, views: &Views) -> impl FnMut() {
        let views = views.clone();
        move || {
            for (name, restoration) in restorations(&views) {
                match restoration {
                    Some(restoration) => self.show(name, &restoration),
                    None => self.end(name),
                }
            }
        }
    }

    fn show(&mut self, name: &ViewName, restoration: &Restoration) {
        let terminal = &self.terminal;
        let (bar, _) = self.shown.entry(name.clone()).or_insert_with(|| {
            let bar = new_bar(terminal, BAR_TEMPLATE);
            bar.set_prefix(name.to_string());
            (bar, Instant::now())
        });
        bar.set_position(units(restoration.share));
        bar.set_message(format!("{} records, {}", restoration.records, restoration.pace()));
    }

    fn end(&mut self, name: &ViewName) {
        if let Some((bar, since)) = self.shown.remove(name) {
            bar.finish_and_clear();
            self.terminal.bars().remove(&bar);
            self.terminal.note(&format!("{name}: caught up after {:.1} s", since.elapsed().as_secs_f64()));
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for (bar, _) in self.shown.values() {
            bar.finish_and_clear();
        }
    }
}

/// Makes a bar of [`BAR_LENGTH`] units, shown on a terminal only.
pub(super) fn new_bar(terminal: &Terminal, template: &str) -> ProgressBar {
    let bar = terminal.bars().add(ProgressBar::new(BAR_LENGTH));
    // Invariant: the template is correct; should it not be, the default style is shown.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Returns how much of a bar a share from 0 to 1 fills.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between 0 and the length"
)]
pub(super) fn units(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * BAR_LENGTH as f64) as u64
}
