use super::*;

#[test]
fn trouble_of_the_same_kind_is_news_once_and_keeps_its_beginning() {
    let progress = Progress::default();
    assert!(progress.set_trouble(TroubleCode::DiskFull, "a".into()));
    let since = progress.trouble().unwrap().since;
    assert!(!progress.set_trouble(TroubleCode::DiskFull, "b".into()));
    assert_eq!(progress.trouble().unwrap().since, since);
    assert!(progress.clear_trouble(|code| code == TroubleCode::TopicMissing).is_none());
    assert_eq!(progress.clear_trouble(|_| true).unwrap().detail, "b");
}

#[test]
fn only_the_last_events_are_kept() {
    let progress = Progress::default();
    for number in 0..25 {
        progress.record_event("test", None, number.to_string());
    }
    let events = progress.events();
    assert_eq!((events.len(), events[0].detail.as_str()), (20, "5"));
}

#[test]
fn a_wanted_partition_is_the_same_each_time() {
    let progress = Progress::default();
    progress.want(3).set_log(Position::ZERO, Position::new(9));
    assert_eq!(progress.want(3).log(), Some((Position::ZERO, Position::new(9))));
    assert_eq!(progress.partitions().len(), 1);
}
