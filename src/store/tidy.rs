//! What a first restore leaves behind, brought in order.

use rocksdb::FlushOptions;

use super::error::Result;
use super::writer::Writer;

/// Files of the first level that start their compaction.
const TRIGGER: &str = "level0_file_num_compaction_trigger";
/// What RocksDB has by itself.
const USUALLY: &str = "4";

impl Writer {
    /// Has the files of the first level compacted, however few they are: what was restored record by record is in files
    /// that span all slots. Look-ups ask each of them, and the next rebuild would compact them, and with them the whole
    /// of a small store, while it needs room for itself.
    pub(super) fn begin_to_tidy(&mut self) -> Result<()> {
        let mut flush = FlushOptions::default();
        flush.set_wait(false);
        self.store.db.flush_opt(&flush)?;
        self.store.db.set_options(&[(TRIGGER, "1")])?;
        self.tidies = true;
        Ok(())
    }

    /// Lets files gather again once that is done.
    pub(super) fn end_tidying(&mut self) -> Result<()> {
        if !self.tidies {
            return Ok(());
        }
        let left =
            |name| Ok::<_, rocksdb::Error>(self.store.db.property_int_value(name)?.unwrap_or_default());
        if left("rocksdb.num-files-at-level0")? == 0 && left("rocksdb.num-immutable-mem-table")? == 0 {
            self.store.db.set_options(&[(TRIGGER, USUALLY)])?;
            self.tidies = false;
        }
        Ok(())
    }
}
