//! The fixture itself: what other tests rely on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::app::Connection;
use crate::fold::Fold;
use crate::kafka::{LogRecord, Partitioner, Record, TestKafka, TestTopic};

fn assert_fold_matches_topic(topic: &TestTopic<'_>) {
    let read = Fold::of_topic(topic.kafka(), topic.name());
    assert_eq!(topic.fold().entries(), read.entries());
}

fn with_key<'r>(records: &'r [LogRecord], key: &str) -> Vec<&'r LogRecord> {
    records.iter().filter(|record| record.key.as_deref() == Some(key.as_bytes())).collect()
}

#[test]
fn the_fold_of_what_was_written_is_the_fold_of_the_topic() {
    let topic = TestKafka::shared().topic("fold").partitions(3).create();
    topic.write_all((0..1000).map(|number| Record::put(format!("k{}", number % 300), format!("{number}"))));
    topic.write_all((0..100).map(|number| Record::delete(format!("k{number}"))));
    topic.put("", "the empty key");
    topic.put("empty value", "");

    assert_fold_matches_topic(&topic);
    let fold = topic.fold();
    assert_eq!(fold.entries().len(), 202);
    assert_eq!(fold.absent().len(), 100);
    assert_eq!(fold.entries()[b"empty value".as_slice()].value, b"");
}

#[test]
fn compaction_loses_a_tombstone() {
    let topic = TestKafka::shared().topic("compacted").fast_compaction().create();
    topic.put("a", "1");
    topic.put("b", "1");
    topic.put("b", "2");
    topic.delete("a");
    topic.compact_now();

    let records = topic.kafka().read(topic.name());
    assert_eq!(with_key(&records, "a"), Vec::<&LogRecord>::new());
    assert_eq!(with_key(&records, "b").len(), 1);
    assert_fold_matches_topic(&topic);
}

#[test]
fn a_recreated_topic_has_another_log() {
    let topic = TestKafka::shared().topic("recreated").partitions(2).create();
    topic.put_to(1, "a", "1");
    topic.put_to(1, "a", "2");
    topic.recreate();
    assert_eq!(topic.partition_count(), 2);
    assert_eq!(topic.kafka().read(topic.name()), []);

    assert_eq!(topic.put_to(1, "b", "3").offset, 0);
    assert_fold_matches_topic(&topic);
    assert!(topic.fold().absent().contains(b"a".as_slice()));
}

#[test]
fn an_aborted_transaction_is_invisible() {
    let topic = TestKafka::shared().topic("transactions").create();
    topic.put("a", "1");
    let mut aborted = topic.begin();
    aborted.put("a", "2");
    aborted.put("ghost", "1");
    assert_eq!(aborted.abort().len(), 2);
    let mut committed = topic.begin();
    committed.put("a", "3");
    let committed = committed.commit();

    assert_fold_matches_topic(&topic);
    let fold = topic.fold();
    assert_eq!(fold.entries()[b"a".as_slice()].offset, committed[0].offset);
    assert!(fold.absent().contains(b"ghost".as_slice()));
    // Four records and two markers.
    assert_eq!(topic.kafka().end_offsets(topic.name())[&0], 6);
}

#[test]
fn an_open_transaction_holds_back_the_end() {
    let topic = TestKafka::shared().topic("open").create();
    topic.put("a", "1");
    let mut open = topic.begin();
    open.put("a", "2");
    open.flush();
    topic.put("b", "1");
    assert_eq!(topic.kafka().end_offsets(topic.name())[&0], 1);
    open.commit();
    assert_eq!(topic.kafka().end_offsets(topic.name())[&0], 4);
    assert_fold_matches_topic(&topic);
}

#[test]
fn deleted_records_leave_the_fold() {
    let topic = TestKafka::shared().topic("truncated").create();
    topic.put("a", "1");
    topic.put("b", "1");
    topic.delete_records(0, 1);
    assert_eq!(topic.kafka().log_starts(topic.name())[&0], 1);
    assert_fold_matches_topic(&topic);
    assert_eq!(topic.fold().entries().len(), 1);
    assert!(topic.fold().absent().contains(b"a".as_slice()));
}

#[test]
fn a_key_moves_when_partitions_are_added() {
    for partitioner in [Partitioner::Murmur2, Partitioner::Crc32] {
        let topic = TestKafka::shared().topic("grown").partitioner(partitioner).create();
        let before = topic.write_all((0..50).map(|number| Record::put(format!("k{number}"), "1")));
        topic.add_partitions(4);
        let after = topic.write_all((0..50).map(|number| Record::put(format!("k{number}"), "2")));
        assert!(before.iter().all(|record| record.partition == 0));
        assert!(after.iter().any(|record| record.partition == 3));
        assert_fold_matches_topic(&topic);
    }
}

#[test]
fn a_topic_changed_to_compact_can_hold_null_keys() {
    let topic = TestKafka::shared().topic("keyless").config("cleanup.policy", "delete").create();
    topic.write(Record::without_key("nobody").at(1234).header("trace", Some(b"1")).header("trace", None));
    topic.configure("cleanup.policy", "compact");
    topic.put("a", "1");
    let records = topic.kafka().read(topic.name());
    assert_eq!(records[0].key, None);
    assert_eq!(records[0].timestamp_ms, 1234);
    assert_fold_matches_topic(&topic);
}

#[test]
fn a_stopped_node_comes_back_with_its_data() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("durable").create();
    topic.put("a", "1");
    kafka.stop();
    kafka.start_again();
    topic.put("b", "1");
    kafka.kill();
    kafka.start_again();
    assert_eq!(topic.fold().entries().len(), 2);
    assert_fold_matches_topic(&topic);
}

#[test]
fn a_suspended_node_answers_again_when_resumed() {
    let kafka = TestKafka::start_with(&[("num.partitions", "2")]);
    let topic = kafka.topic("frozen").create();
    kafka.suspend();
    topic.send(Record::put("a", "1"));
    kafka.resume();
    assert_eq!(topic.flush().len(), 1);
    assert_fold_matches_topic(&topic);
}

#[test]
fn an_operator_resets_a_group() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("reset").create();
    topic.put("a", "1");
    let name = topic.name();
    kafka.groups(&["--group", "g-reset", "--topic", name, "--reset-offsets", "--to-latest", "--execute"]);
    assert_eq!(kafka.committed("g-reset", name)[&0], (1, String::new()));
}

#[test]
fn the_http_client_sends_a_target_untouched_and_reads_every_kind_of_body() {
    let answers = concat!(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Name: a: b\r\n\r\nabc",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\nuntil the end",
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(answers.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut sent = Vec::new();
        stream.read_to_end(&mut sent).unwrap();
        sent
    });

    let mut connection = Connection::open(address).unwrap();
    let plain = connection.get(b"/a/../%zz?\xff");
    assert_eq!((plain.status, plain.text(), plain.header("x-name")), (200, "abc".to_owned(), Some("a: b")));
    assert_eq!(connection.get("/").body, b"");
    assert_eq!(connection.get("/").text(), "abc0123456789");
    assert_eq!(connection.get("/").text(), "until the end");
    drop(connection);
    assert!(server.join().unwrap().starts_with(b"GET /a/../%zz?\xff HTTP/1.1\r\n"));
}
