//! Facts about a view that tests wait for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::TestApp;
use crate::eventually::within;
use crate::metrics::sample;

/// Bound on anything a view does by itself; generous, for machines that compile meanwhile.
const DEADLINE: Duration = Duration::from_secs(90);

impl TestApp<'_> {
    /// Returns how many swaps readers could see so far.
    pub fn generation(&self, view: &str) -> u64 {
        self.status(view)["generation"].as_u64().expect("a generation")
    }

    /// Returns a sample of the metrics of watches, all labels together; 0 while there is none.
    pub fn watch_metric(&self, name: &str) -> u64 {
        let (metrics, name) = (self.get_ops("/metrics").text(), format!("statusquo_watch_{name}{{"));
        let samples = metrics.lines().filter(|line| line.starts_with(&name));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Returns how often an event of a kind is among the last events of a view.
    pub fn count_events(&self, view: &str, kind: &str) -> usize {
        let status = self.status(view);
        let events = status["events"].as_array().expect("events");
        events.iter().filter(|event| event["kind"] == kind).count()
    }

    /// Waits until the status of a view is as wanted.
    pub fn wait_for_status(&self, view: &str, what: &str, wanted: impl Fn(&Value) -> bool) {
        let seen = within(DEADLINE, Duration::from_millis(20), || wanted(&self.status(view)).then_some(()));
        assert!(seen.is_some(), "{what}: not within {DEADLINE:?}\n{}", self.describe());
    }

    /// Asserts that a trouble is in status, answers and metrics, and was told by one event and one line of the log.
    pub fn assert_told(&self, view: &str, state: &str, code: &str, line: &str) {
        let status = self.status(view);
        assert_eq!(
            (status["state"].as_str(), status["reason"].as_str()),
            (Some(state), Some(code)),
            "{status}"
        );
        let told = [format!("state={state}"), format!("reason={code}")];
        // An answer may name a condition of a moment ago.
        let shown = within(DEADLINE, Duration::from_millis(20), || {
            let answer = self.get(view, "any");
            let shown = answer.header("view-status").expect("a status");
            told.iter().all(|word| shown.contains(word)).then_some(())
        });
        assert!(shown.is_some(), "answers name no {told:?}");
        let series = format!("statusquo_view_state{{view=\"{view}\",state=\"{state}\"}}");
        assert_eq!(sample(self, &series), 1, "{series}");
        assert_eq!(self.count_events(view, code), 1, "{}", status["events"]);
        assert_eq!(self.log().matches(line).count(), 1, "one failure, one line\n{}", self.log());
    }

    /// Waits until readers could see this many swaps.
    pub fn wait_for_generation(&self, view: &str, generation: u64) {
        self.wait_for_status(view, &format!("generation {generation}"), |status| {
            status["generation"].as_u64().is_some_and(|known| known >= generation)
        });
    }

    /// Waits until an event of a kind is among the last events of a view.
    pub fn wait_for_event(&self, view: &str, kind: &str) {
        self.wait_for_status(view, kind, |status| {
            status["events"].as_array().is_some_and(|events| events.iter().any(|event| event["kind"] == kind))
        });
    }

    /// Waits until the group holds the view's positions under the service's own signature.
    pub fn wait_until_signed(&self, view: &str, group: &str) {
        let topic = &self.views[view];
        let signed = within(DEADLINE, Duration::from_millis(50), || {
            let committed = self.kafka.committed(group, topic);
            let ends: BTreeMap<i32, i64> = self.kafka.end_offsets(topic);
            let signed = |(partition, end): (&i32, &i64)| {
                committed.get(partition).is_some_and(|(at, text)| at == end && text.starts_with("sq1;"))
            };
            ends.iter().all(signed).then_some(())
        });
        let committed = self.kafka.committed(group, topic);
        assert!(signed.is_some(), "not signed within {DEADLINE:?}: {committed:?}\n{}", self.describe());
    }
}
