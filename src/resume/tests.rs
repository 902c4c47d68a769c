use super::*;

const TOPIC: TopicId = TopicId::new([1; 16]);
const OTHER: TopicId = TopicId::new([2; 16]);

fn stored(position: i64) -> Stored<'static> {
    Stored {
        cluster_id: "c",
        topic_id: TOPIC,
        position: Position::new(position),
        current_at: Some(Millis::new(1_000_000)),
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
        now: Millis::new(1_001_000),
        followed: false,
    }
}

#[test]
fn every_state_of_the_log_has_its_decision() {
    let late = Facts { now: Millis::new(1_000_000 + 60_001), ..facts(0, 9) };
    let early = Facts { now: Millis::new(0), ..facts(0, 9) };
    let requested = Stored { requested: Some(BuildReason::OperatorReset), ..stored(5) };
    let of_that_kind = Stored { filling: Some(BuildReason::TombstonesExpired), ..stored(5) };
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
        (stored(5), late, Decision::Build(BuildReason::TombstonesExpired)),
        (stored(9), late, Decision::Continue),
        (stored(5), Facts { followed: true, ..late }, Decision::Build(BuildReason::TombstonesExpired)),
        (of_that_kind, Facts { followed: true, ..late }, Decision::Continue),
        (of_that_kind, late, Decision::Build(BuildReason::TombstonesExpired)),
        (Stored { current_at: None, ..stored(5) }, late, Decision::Continue),
        (stored(5), early, Decision::Continue),
        (
            stored(5),
            Facts { tombstones_kept: brief, ..facts(0, 9) },
            Decision::Build(BuildReason::TombstonesExpired),
        ),
        (stored(5), Facts { tombstones_kept: brief, followed: true, ..facts(0, 9) }, Decision::Continue),
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

/// FAULTS row 13.
#[test]
fn a_clock_that_jumps_by_a_year_costs_a_rebuild_at_most() {
    const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;
    let (back, ahead) = (Millis::new(1_000_000 - YEAR), Millis::new(1_000_000 + YEAR));
    for followed in [false, true] {
        let at = |now, end| Facts { now, followed, ..facts(0, end) };
        assert_eq!(decide(Some(stored(5)), &at(back, 9)), Decision::Continue);
        // For all that is known a year has passed: records were missed, unless there are none.
        let expired = Decision::Build(BuildReason::TombstonesExpired);
        assert_eq!(decide(Some(stored(5)), &at(ahead, 9)), expired);
        assert_eq!(decide(Some(stored(9)), &at(ahead, 9)), Decision::Continue);
    }
}
