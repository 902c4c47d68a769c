//! Views and their stores.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue};
use prometheus_client::metrics::counter::Counter;

use super::describe::{Described, Labels};
use super::names;
use crate::metrics::WriteMetrics;
use crate::position::Position;
use crate::progress::{TroubleCode, WarningCode};
use crate::store::{Resources, Sizes};
use crate::view::{PartitionStatus, State, View, ViewStatus, Views};

/// Reads the views at scrape time.
pub(super) struct ViewCollector {
    views: Arc<Views>,
    resources: Arc<Resources>,
}

/// One view at scrape time.
struct Scraped<'a> {
    status: ViewStatus,
    sizes: Sizes,
    troubles: Vec<TroubleCode>,
    written: &'a WriteMetrics,
}

impl ViewCollector {
    pub(super) fn new(views: Arc<Views>, resources: Arc<Resources>) -> Self {
        Self { views, resources }
    }
}

impl fmt::Debug for ViewCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewCollector").finish_non_exhaustive()
    }
}

impl Collector for ViewCollector {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut out;
        let views: Vec<_> = self.views.values().map(|view| Scraped::of(view)).collect();
        by_partition(out, &names::VIEW_POSITION, &views, |one| one.position.map(Position::get))?;
        by_partition(out, &names::VIEW_END_OFFSET, &views, |one| one.end_offset.map(Position::get))?;
        by_partition(out, &names::VIEW_LAG, &views, |one| Some(one.lag))?;
        by_partition(out, &names::VIEW_STALENESS, &views, |one| one.staleness_s)?;
        states(out, &views)?;
        troubles(out, &views)?;
        warnings(out, &views)?;
        by_partition(out, &names::VIEW_WITHHELD_RECORDS, &views, |one| {
            Some(one.withheld.as_ref().map_or(0, |withheld| withheld.records))
        })?;
        by_partition(out, &names::VIEW_WITHHELD, &views, |one| {
            Some(one.withheld.as_ref().map_or(0.0, |withheld| withheld.seconds))
        })?;
        let conflicts = views.iter().filter_map(|one| Some((one.labels(), one.status.conflicts?)));
        names::VIEW_CONFLICTS.gauges(out, conflicts)?;
        by_view(out, &names::VIEW_READY, &views, |one| u64::from(one.status.ready))?;
        by_view(out, &names::VIEW_GENERATION, &views, |one| one.status.generation)?;
        counted(out, &names::VIEW_APPLIED_RECORDS, &views, |written| &written.records)?;
        counted(out, &names::VIEW_APPLIED_BYTES, &views, |written| &written.bytes)?;
        counted(out, &names::VIEW_NULL_KEYS, &views, |written| &written.null_keys)?;
        counted(out, &names::VIEW_VALUES_TOO_LARGE, &views, |written| &written.values_too_large)?;
        counted(out, &names::VIEW_WRITE_ERRORS, &views, |written| &written.write_errors)?;
        resets(out, &views)?;
        let batches = views.iter().map(|one| (one.labels(), &one.written.batch_seconds));
        names::VIEW_BATCH_SECONDS.histograms(out, batches)?;
        by_view(out, &names::VIEW_KEYS, &views, |one| one.status.keys_estimated)?;
        by_view(out, &names::VIEW_DISK_BYTES, &views, |one| one.sizes.disk_bytes)?;
        by_view(out, &names::VIEW_MEMTABLE_BYTES, &views, |one| one.sizes.memtable_bytes)?;
        by_view(out, &names::VIEW_COMPACTION_BYTES, &views, |one| one.sizes.pending_compaction_bytes)?;
        names::BLOCK_CACHE_BYTES.gauge(out, &self.resources.cache_bytes())
    }
}

impl<'a> Scraped<'a> {
    fn of(view: &'a View) -> Self {
        let progress = view.progress();
        let (troubles, written) = (progress.troubles(), progress.metrics());
        Self { status: view.status(), sizes: view.store().sizes(), troubles, written }
    }

    fn labels(&self) -> Labels {
        vec![("view", self.status.view.clone())]
    }

    fn labels_and(&self, name: &'static str, value: impl fmt::Display) -> Labels {
        vec![("view", self.status.view.clone()), (name, format!("{value}"))]
    }
}

fn by_partition<V: EncodeGaugeValue>(
    out: &mut DescriptorEncoder<'_>,
    metric: &Described,
    views: &[Scraped<'_>],
    value: impl Fn(&PartitionStatus) -> Option<V>,
) -> fmt::Result {
    let samples = views.iter().flat_map(|one| {
        let labelled = |partition: &PartitionStatus| {
            Some((one.labels_and("partition", partition.partition), value(partition)?))
        };
        one.status.partitions.iter().filter_map(labelled).collect::<Vec<_>>()
    });
    metric.gauges(out, samples)
}

fn by_view<V: EncodeGaugeValue>(
    out: &mut DescriptorEncoder<'_>,
    metric: &Described,
    views: &[Scraped<'_>],
    value: impl Fn(&Scraped<'_>) -> V,
) -> fmt::Result {
    metric.gauges(out, views.iter().map(|one| (one.labels(), value(one))))
}

fn counted<'a>(
    out: &mut DescriptorEncoder<'_>,
    metric: &Described,
    views: &[Scraped<'a>],
    counter: impl Fn(&'a WriteMetrics) -> &'a Counter,
) -> fmt::Result {
    metric.counters(out, views.iter().map(|one| (one.labels(), counter(one.written).get())))
}

fn resets(out: &mut DescriptorEncoder<'_>, views: &[Scraped<'_>]) -> fmt::Result {
    let samples = views.iter().flat_map(|one| {
        let counted = [("obeyed", &one.written.resets_obeyed), ("refused", &one.written.resets_refused)];
        counted.map(|(outcome, counter)| (one.labels_and("outcome", outcome), counter.get()))
    });
    names::VIEW_RESETS.counters(out, samples)
}

fn troubles(out: &mut DescriptorEncoder<'_>, views: &[Scraped<'_>]) -> fmt::Result {
    let samples = views.iter().flat_map(|one| {
        TroubleCode::ALL.iter().map(|code| {
            let count = one.troubles.iter().filter(|trouble| *trouble == code).count();
            (one.labels_and("trouble", code.as_str()), count as u64)
        })
    });
    names::VIEW_TROUBLE.gauges(out, samples)
}

fn warnings(out: &mut DescriptorEncoder<'_>, views: &[Scraped<'_>]) -> fmt::Result {
    let samples = views.iter().flat_map(|one| {
        WarningCode::ALL.iter().map(|code| {
            let count = one.status.warnings.iter().filter(|warning| warning.code == *code).count();
            (one.labels_and("warning", code.as_str()), count as u64)
        })
    });
    names::VIEW_WARNING.gauges(out, samples)
}

fn states(out: &mut DescriptorEncoder<'_>, views: &[Scraped<'_>]) -> fmt::Result {
    let samples = views.iter().flat_map(|one| {
        State::ALL
            .iter()
            .map(|state| (one.labels_and("state", state.as_str()), u64::from(one.status.state == *state)))
    });
    names::VIEW_STATE.gauges(out, samples)
}
