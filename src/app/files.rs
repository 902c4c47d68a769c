//! `listen.json` in the data directory: where a running service can be reached, which matters with port 0.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Removed when the service ends in order.
pub(super) struct ListenFile(PathBuf);

impl ListenFile {
    pub(super) fn write(data_dir: &Path, http: SocketAddr, ops: SocketAddr) -> anyhow::Result<Self> {
        let path = data_dir.join("listen.json");
        let text = serde_json::json!({"http": http.to_string(), "ops": ops.to_string()}).to_string();
        let fresh = path.with_extension("new");
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for ListenFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
