//! Writing to standard output, whose reader may have gone.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Context;

/// Whoever reads the output has gone, as `head` does; there is nothing left to do, and nothing wrong.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("nobody reads the output")]
pub struct Closed;

/// Writes bytes to standard output and flushes it.
///
/// # Errors
/// [`Closed`], or what the operating system says.
pub fn write(bytes: &[u8]) -> anyhow::Result<()> {
    write_to(&mut io::stdout().lock(), bytes)
}

/// Writes bytes as they are; on a terminal a line break follows, so that the prompt starts on its own line.
///
/// # Errors
/// As [`write`].
pub fn write_value(bytes: &[u8]) -> anyhow::Result<()> {
    write(bytes)?;
    if io::stdout().is_terminal() && !bytes.ends_with(b"\n") { write(b"\n") } else { Ok(()) }
}

/// Standard output, for what arrives piece by piece.
#[derive(Debug, Clone, Copy)]
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}

/// Returns the error of an output that cannot be written: [`Closed`], or what the operating system says.
pub fn unwritable(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Closed.into(),
        _ => anyhow::Error::from(error).context("cannot write the output"),
    }
}

/// Writes a line to standard error; where that is closed there is nobody left to tell.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

fn write_to(out: &mut impl Write, bytes: &[u8]) -> anyhow::Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        result => result.context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refuses(ErrorKind);

    impl Write for Refuses {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_told_from_a_full_disk() {
        let pipe = write_to(&mut Refuses(ErrorKind::BrokenPipe), b"x").unwrap_err();
        let disk = write_to(&mut Refuses(ErrorKind::StorageFull), b"x").unwrap_err();

        assert!(pipe.is::<Closed>());
        assert!(!disk.is::<Closed>() && disk.to_string().contains("standard output"), "{disk}");
    }
}
