//! Ctrl-C in commands that have something to do then.

use std::io;
use std::process;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;

/// Has Ctrl-C end the process at once, whatever it waits for: `clear` tidies up, then it ends with `exit`.
///
/// # Errors
/// What the operating system says.
pub(super) fn ends_with(exit: Exit, clear: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut interrupts = {
        let _within = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    let wait = move || {
        if runtime.block_on(interrupts.recv()).is_some() {
            clear();
            process::exit(exit.code().into());
        }
    };
    thread::Builder::new().name("interrupt".to_owned()).spawn(wait).map(drop)
}
