//! A directory that goes when the demo ends.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Where the view is kept.
#[derive(Debug)]
pub(super) enum DataDir {
    /// Named by the user, and left alone.
    Kept(PathBuf),
    /// Removed with the value.
    Scratch(PathBuf),
}

impl DataDir {
    /// Takes the directory that was named, or makes one among the temporary files.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn choose(named: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = named {
            return Ok(Self::Kept(path));
        }
        let name = format!("statusquo-demo-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        // One that exists is somebody else's: it fails.
        make(&path)
            .with_context(|| format!("cannot make {}; name a directory with --data-dir", path.display()))?;
        Ok(Self::Scratch(path))
    }

    /// Returns the directory.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Scratch(path) => path,
        }
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Self::Scratch(path) = self
            && let Err(error) = fs::remove_dir_all(&*path)
        {
            tracing::warn!(path = %path.display(), error = %error, "the directory of the demo could not be removed");
        }
    }
}

/// Others on the machine need not read it.
#[cfg(unix)]
fn make(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_goes_with_everything_in_it() {
        let dir = DataDir::choose(None).unwrap();
        let path = dir.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        drop(dir);

        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_was_named_stays() {
        let parent = tempfile::tempdir().unwrap();
        drop(DataDir::choose(Some(parent.path().to_owned())).unwrap());

        assert!(parent.path().exists());
    }
}
