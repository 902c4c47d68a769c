use super::*;

#[test]
fn trouble_of_the_same_kind_is_news_once_and_keeps_its_beginning() {
    let progress = Progress::default();
    assert!(progress.set_trouble(TroubleCode::DiskFull, "a".into()));
    let since = progress.trouble().unwrap().since;
    assert!(!progress.set_trouble(TroubleCode::DiskFull, "b".into()));
    assert_eq!(progress.trouble().unwrap().since, since);
    assert_eq!(progress.end_store_trouble().unwrap().detail, "b");
    assert_eq!(progress.trouble(), None);
}

#[test]
fn trouble_of_the_topic_and_of_the_store_are_news_once_each_and_end_apart() {
    let progress = Progress::default();
    let (source, store) = (TroubleCode::BrokerUnreachable, TroubleCode::DiskFull);
    let tell = |code| progress.set_trouble(code, String::new());
    assert_eq!([source, store, source, store].map(tell), [true, true, false, false]);
    let shown = || progress.trouble().map(|trouble| trouble.code);
    assert_eq!(shown(), Some(store));
    assert_eq!(progress.end_store_trouble().unwrap().code, store);
    assert_eq!((progress.end_store_trouble(), shown()), (None, Some(source)));
    assert!(progress.end_source_trouble().is_some());
    assert_eq!(shown(), None);
}

#[test]
fn a_full_disk_does_not_hide_that_there_is_nothing_to_write() {
    let progress = Progress::default();
    progress.set_trouble(TroubleCode::DiskFull, String::new());
    let shown = |code| {
        progress.set_trouble(code, String::new());
        progress.trouble().unwrap().code
    };
    for code in [TroubleCode::TopicMissing, TroubleCode::WrongCluster, TroubleCode::PolicyMismatch] {
        assert_eq!(shown(code), code);
    }
    assert_eq!(shown(TroubleCode::BrokerUnreachable), TroubleCode::DiskFull);
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
