//! What is wrong with a view is told wherever somebody looks, and nowhere once it is over.

use http::Method;

use super::fixture::{Fixture, send};
use crate::progress::{TroubleCode, WarningCode};
use crate::view::Condition;

/// Whether the status and `View-Status` have the word, and what the metric says.
async fn told(fixture: &Fixture, metric: &str, word: &str) -> (bool, bool, String) {
    let condition = Condition::of(&fixture.view().store().table(), &fixture.progress);
    let in_header = [condition.reason, condition.warning].contains(&Some(word));
    let status = fixture.view().status();
    let in_status = status.reason.as_deref() == Some(word)
        || status.warnings.iter().any(|warning| warning.code.as_str() == word);
    (in_status, in_header, sample(fixture, metric, word).await)
}

async fn sample(fixture: &Fixture, metric: &str, word: &str) -> String {
    let scrape = send(fixture.ops(), Method::GET, "/metrics", &[]).await;
    let series = format!("statusquo_view_{metric}{{view=\"users\",{metric}=\"{word}\"}} ");
    let sample = scrape.text().lines().find_map(|line| line.strip_prefix(&series)).map(str::to_owned);
    sample.unwrap_or_else(|| panic!("{series} is missing in\n{}", scrape.text()))
}

/// Returns the last event.
fn last_event(fixture: &Fixture) -> &'static str {
    fixture.progress.events().last().expect("an event").kind
}

#[tokio::test]
async fn every_trouble_and_every_warning_is_told_everywhere_until_it_is_over() {
    let fixture = Fixture::users();
    let progress = &fixture.progress;
    for code in TroubleCode::ALL {
        let word = code.as_str();
        assert_eq!(serde_json::to_value(code).unwrap(), word, "one word");
        assert!(progress.set_trouble(*code, "it".to_owned()));
        assert_eq!(last_event(&fixture), word);
        assert_eq!(told(&fixture, "trouble", word).await, (true, true, "1".to_owned()));
        // Of the parts of a view each counts.
        progress.want(0).set_trouble(*code, "it".to_owned());
        assert_eq!(told(&fixture, "trouble", word).await, (true, true, "2".to_owned()));
        assert!(progress.end_source_trouble().or_else(|| progress.end_store_trouble()).is_some());
        assert!(progress.want(0).clear_trouble().is_some());
        assert_eq!(told(&fixture, "trouble", word).await, (false, false, "0".to_owned()));
    }
    for code in WarningCode::ALL {
        let word = code.as_str();
        assert_eq!(serde_json::to_value(code).unwrap(), word, "one word");
        assert!(progress.warn(*code, None, "it".to_owned()));
        assert_eq!(last_event(&fixture), word);
        assert_eq!(told(&fixture, "warning", word).await, (true, true, "1".to_owned()));
        assert!(progress.end_warning(*code, None));
        assert_eq!(last_event(&fixture), "warning-over");
        assert_eq!(told(&fixture, "warning", word).await, (false, false, "0".to_owned()));
    }
}

#[tokio::test]
async fn trouble_that_another_one_hides_is_counted_nevertheless() {
    let fixture = Fixture::users();
    let progress = &fixture.progress;
    progress.set_trouble(TroubleCode::BrokerUnreachable, "nobody".to_owned());
    progress.set_trouble(TroubleCode::DiskFull, "no space".to_owned());
    progress.want(1).set_damage("a flipped byte".to_owned());
    for code in [TroubleCode::BrokerUnreachable, TroubleCode::DiskFull, TroubleCode::StorageCorruption] {
        assert_eq!(sample(&fixture, "trouble", code.as_str()).await, "1", "{code:?}");
    }
}
