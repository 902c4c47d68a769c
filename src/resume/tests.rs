use super::*;

const TOPIC: TopicId = TopicId::new([1; 16]);
const OTHER: TopicId = TopicId::new([2; 16]);

fn stored(position: i64) -> Stored<'static> {
    Stored {
        cluster_id: "c",
        topic_id: TOPIC,
        position: Position::new(position),
        in_time: Position::new(position),
        age: Some(Duration::from_secs(1)),
        filling: None,
        target: None,
        epoch: Some(3),
        rewritten: false,
        refused: false,
        requested: None,
    }
}

fn facts(log_start: i64, end_offset: i64) -> Facts<'static> {
    Facts {
        cluster_id: "c",
        topic_id: TOPIC,
        log_start: Position::new(log_start),
        end_offset: Position::new(end_offset),
        epoch: Some(4),
        tombstones_kept: Duration::from_secs(60),
        followed: false,
    }
}

fn followed(log_start: i64, end_offset: i64) -> Facts<'static> {
    Facts { followed: true, ..facts(log_start, end_offset) }
}

#[test]
fn every_state_of_the_log_has_its_decision() {
    let late = |position| Stored { age: Some(Duration::from_millis(60_001)), ..stored(position) };
    let read_on = |stored| Stored { in_time: Position::new(5), ..stored };
    let requested = Stored { requested: Some(BuildReason::OperatorReset), ..stored(5) };
    let of_that_kind = Stored { filling: Some(BuildReason::TombstonesExpired), ..late(5) };
    let brief = Duration::from_millis(100);
    let rows = [
        (stored(5), facts(0, 9), Decision::Continue),
        (stored(0), facts(0, 0), Decision::Continue),
        (stored(9), facts(9, 9), Decision::Continue),
        (stored(5), facts(5, 9), Decision::Continue),
        (stored(5), facts(6, 9), Decision::Build(BuildReason::Truncated)),
        (stored(10), facts(0, 9), Decision::Build(BuildReason::LogRewritten)),
        (stored(10), Facts { epoch: None, ..facts(0, 9) }, Decision::Build(BuildReason::LogRewritten)),
        (
            Stored { epoch: None, ..stored(10) },
            Facts { epoch: Some(0), ..facts(0, 9) },
            Decision::Build(BuildReason::LogRewritten),
        ),
        (stored(10), Facts { epoch: Some(3), ..facts(0, 9) }, Decision::Continue),
        (stored(10), Facts { epoch: Some(2), ..facts(0, 9) }, Decision::Continue),
        (
            Stored { refused: true, ..stored(10) },
            Facts { epoch: Some(3), ..facts(0, 9) },
            Decision::Build(BuildReason::LogRewritten),
        ),
        (Stored { refused: true, ..stored(9) }, facts(0, 9), Decision::Continue),
        (Stored { target: Some(Position::new(9)), ..stored(5) }, facts(0, 9), Decision::Continue),
        (
            Stored { target: Some(Position::new(10)), ..stored(5) },
            facts(0, 9),
            Decision::Build(BuildReason::LogRewritten),
        ),
        (Stored { rewritten: true, ..stored(5) }, facts(0, 9), Decision::Build(BuildReason::LogRewritten)),
        (
            Stored { rewritten: true, ..stored(5) },
            Facts { topic_id: OTHER, ..facts(0, 9) },
            Decision::Build(BuildReason::TopicRecreated),
        ),
        (stored(5), Facts { topic_id: OTHER, ..facts(0, 3) }, Decision::Build(BuildReason::TopicRecreated)),
        (stored(5), Facts { topic_id: OTHER, ..facts(0, 9) }, Decision::Build(BuildReason::TopicRecreated)),
        (stored(5), Facts { topic_id: OTHER, cluster_id: "d", ..facts(0, 9) }, Decision::Halt),
        (late(5), facts(0, 9), Decision::Build(BuildReason::TombstonesExpired)),
        (late(9), facts(0, 9), Decision::Continue),
        (late(5), followed(0, 9), Decision::Build(BuildReason::TombstonesExpired)),
        (read_on(late(9)), followed(0, 9), Decision::Build(BuildReason::TombstonesExpired)),
        (read_on(late(9)), facts(0, 9), Decision::Build(BuildReason::TombstonesExpired)),
        (read_on(stored(9)), followed(0, 9), Decision::Continue),
        (of_that_kind, followed(0, 9), Decision::Continue),
        (of_that_kind, facts(0, 9), Decision::Build(BuildReason::TombstonesExpired)),
        (Stored { age: None, ..stored(5) }, facts(0, 9), Decision::Continue),
        (
            stored(5),
            Facts { tombstones_kept: brief, ..facts(0, 9) },
            Decision::Build(BuildReason::TombstonesExpired),
        ),
        (stored(5), Facts { tombstones_kept: brief, ..followed(0, 9) }, Decision::Continue),
        (requested, facts(0, 9), Decision::Build(BuildReason::OperatorReset)),
        (requested, facts(6, 9), Decision::Build(BuildReason::Truncated)),
    ];
    for (stored, facts, decision) in rows {
        assert_eq!(decide(Some(stored), &facts), decision, "{stored:?} {facts:?}");
    }
}

#[test]
fn without_a_state_the_log_is_read_from_its_start() {
    assert_eq!(decide(None, &facts(3, 9)), Decision::Build(BuildReason::FirstStart));
}
