//! RocksDB settings; the numbers were measured on 256-byte values with two cores.

use std::thread;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, DataBlockIndexType,
    Env, InfoLogger, LogLevel, Options, WriteBufferManager,
};

use super::error::{Error, Result};
use crate::config::sections::{OnCorruption, StoreConfig};
use crate::supervisor;

/// Size of a block. Smaller ones make the index deeper for every look-up, larger ones cost one that misses the cache.
const BLOCK_BYTES: usize = 8 * 1024;
/// One file of deletions is compacted soon, so that a scan does not wade through tombstones.
const DELETION_WINDOW: usize = 10_000;
/// Share of a memtable for the filter that spares most look-ups the walk through it: some 25 bits per small entry.
const MEMTABLE_FILTER: f64 = 0.01;

/// Size of the files of a small store; those of a larger one grow with its levels. A slot that is given up frees whole
/// files, so they are to be small beside a slot.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What all stores of a process share: memory budgets and background threads.
pub struct Resources {
    config: StoreConfig,
    cache: Cache,
    write_buffers: WriteBufferManager,
    env: Env,
}

impl Resources {
    /// Makes the shared budgets for `views` stores.
    ///
    /// # Errors
    /// When RocksDB cannot be set up.
    pub fn new(config: &StoreConfig, views: usize) -> Result<Self> {
        let cache = Cache::new_hyper_clock_cache(bytes(config.block_cache), BLOCK_BYTES);
        let budget = Self::memtable_budget(config, views);
        let env = environment(jobs(config))?;
        // A stall would stop every view of the process; a flush is started instead.
        let write_buffers = WriteBufferManager::new_write_buffer_manager(budget, false);
        Ok(Self { config: config.clone(), cache, write_buffers, env })
    }

    /// Returns the bytes that memtables of all views may take together.
    #[must_use]
    pub fn memtable_budget(config: &StoreConfig, views: usize) -> usize {
        // Not every view is written at full speed at once: two views' worth is the most that is held.
        bytes(config.write_buffer) * config.write_buffers as usize * views.clamp(1, 2)
    }

    /// Returns the bytes of blocks held in the cache.
    #[must_use]
    pub fn cache_bytes(&self) -> usize {
        self.cache.get_usage()
    }

    pub(super) fn on_corruption(&self) -> OnCorruption {
        self.config.on_corruption
    }

    pub(super) fn options(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_env(&self.env);
        options.set_write_buffer_manager(&self.write_buffers);
        options.set_write_buffer_size(bytes(self.config.write_buffer));
        options.set_max_write_buffer_number(self.config.write_buffers.cast_signed());
        options.set_max_background_jobs(jobs(&self.config));
        // One writer thread with sorted batches: plain inserts are cheaper than concurrent ones.
        options.set_allow_concurrent_memtable_write(false);
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_target_file_size_base(FILE_BYTES);
        options.set_target_file_size_multiplier(2);
        options.set_bytes_per_sync(1024 * 1024);
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_max_total_wal_size(bytes(self.config.write_buffer) as u64 * 4);
        options.set_keep_log_file_num(1);
        options.add_compact_on_deletion_collector_factory(DELETION_WINDOW, DELETION_WINDOW / 2, 0.5);
        options.set_block_based_table_factory(&self.table_options());
        options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Warn, log));
        options
    }

    fn table_options(&self) -> BlockBasedOptions {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_block_size(BLOCK_BYTES);
        table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        table.set_data_block_hash_ratio(0.75);
        table.set_index_type(BlockBasedIndexType::BinarySearch);
        table.set_bloom_filter(10.0, false);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_format_version(6);
        table
    }
}

/// Returns the environment with its background threads, which stand back as the thread does that starts them.
fn environment(jobs: i32) -> Result<Env> {
    let start = move || {
        supervisor::stand_back();
        let mut env = Env::new()?;
        env.set_background_threads(jobs);
        env.set_high_priority_background_threads(1);
        Ok::<_, rocksdb::Error>(env)
    };
    let refused = |detail: String| Error::Refused { detail };
    let starter = thread::Builder::new().name("rocksdb-starter".to_owned()).spawn(start);
    let started = starter.map_err(|error| refused(error.to_string()))?.join();
    Ok(started.map_err(|_| refused("its threads do not start".to_owned()))??)
}

fn bytes(size: bytesize::ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

fn jobs(config: &StoreConfig) -> i32 {
    i32::try_from(config.background_jobs).unwrap_or(i32::MAX)
}

/// What RocksDB warns of with every file that was staged, for nothing.
const OF_STAGED_FILES: [&str; 2] =
    ["is calculated based on TailPrefetchStats", "opened without unique ID to verify"];

fn log(level: LogLevel, line: &str) {
    match level {
        LogLevel::Warn if OF_STAGED_FILES.iter().any(|said| line.contains(said)) => {}
        LogLevel::Error | LogLevel::Fatal => tracing::error!(target: "rocksdb", "{}", line.trim_end()),
        LogLevel::Warn => tracing::warn!(target: "rocksdb", "{}", line.trim_end()),
        LogLevel::Debug | LogLevel::Info | LogLevel::Header => {
            tracing::debug!(target: "rocksdb", "{}", line.trim_end());
        }
    }
}
