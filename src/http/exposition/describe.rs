//! Writing samples under a name, a unit and a description.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric as _, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

/// Labels of one sample.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Name, unit and description of a metric.
#[derive(Debug)]
pub(in crate::http) struct Described {
    pub(super) name: &'static str,
    pub(super) unit: Option<Unit>,
    pub(super) help: &'static str,
}

impl Described {
    /// Registers a metric that is counted as things happen.
    pub(in crate::http) fn register(self, registry: &mut Registry, metric: impl Metric) {
        match self.unit {
            Some(unit) => registry.register_with_unit(self.name, self.help, unit, metric),
            None => registry.register(self.name, self.help, metric),
        }
    }

    /// Writes gauges.
    pub(super) fn gauges<V: EncodeGaugeValue>(
        &self,
        out: &mut DescriptorEncoder<'_>,
        samples: impl IntoIterator<Item = (Labels, V)>,
    ) -> fmt::Result {
        let mut family = self.start(out, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// Writes one gauge without labels.
    pub(super) fn gauge<V: EncodeGaugeValue>(
        &self,
        out: &mut DescriptorEncoder<'_>,
        value: &V,
    ) -> fmt::Result {
        self.start(out, MetricType::Gauge)?.encode_gauge(value)
    }

    /// Writes counters.
    pub(super) fn counters<V: EncodeCounterValue>(
        &self,
        out: &mut DescriptorEncoder<'_>,
        samples: impl IntoIterator<Item = (Labels, V)>,
    ) -> fmt::Result {
        let mut family = self.start(out, MetricType::Counter)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// Writes histograms.
    pub(super) fn histograms<'a>(
        &self,
        out: &mut DescriptorEncoder<'_>,
        samples: impl IntoIterator<Item = (Labels, &'a Histogram)>,
    ) -> fmt::Result {
        let mut family = self.start(out, MetricType::Histogram)?;
        for (labels, histogram) in samples {
            histogram.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn start<'s>(
        &'s self,
        out: &'s mut DescriptorEncoder<'_>,
        kind: MetricType,
    ) -> Result<prometheus_client::encoding::MetricEncoder<'s>, fmt::Error> {
        // The registry ends its descriptions with a full stop; so do these.
        out.encode_descriptor(self.name, &format!("{}.", self.help), self.unit.as_ref(), kind)
    }
}
