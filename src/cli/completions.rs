//! `statusquo completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Arguments;
use super::output;

/// Prints the script that completes commands in a shell.
pub(super) fn run(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "statusquo", &mut script);
    output::write(&script)
}
