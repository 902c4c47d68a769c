//! Positions that the serving slots have to pass before an answer is given.

use std::sync::Arc;
use std::time::Duration;

use super::token::Token;
use super::{CHECK, about};
use crate::http::code::Code;
use crate::http::header_text::HeaderText;
use crate::http::patience::Patience;
use crate::http::problem::Problem;
use crate::position::{Partition, Position};
use crate::progress::{LogEnds, Place};
use crate::store::SlotTable;
use crate::topic_id::TopicTag;
use crate::view::{Positions, View};

/// Offsets by which a position may lie beyond the end of the log: what a leader has acknowledged alone is not
/// part of the log before other replicas have it too.
const BEYOND: i64 = 100_000;

/// A position to be passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    partition: Partition,
    /// Everything below is to be applied.
    position: Position,
    /// Incarnation of the topic in which it is; none where that is not said: then the one that is known.
    topic: Option<TopicTag>,
    /// A client says so; it may be wrong.
    claimed: bool,
}

/// A target that the slots which answer have not passed.
struct Missing<'t> {
    target: &'t Target,
    /// How far its partition answers in that topic; none where it does not.
    at: Option<Position>,
}

impl Target {
    pub(super) fn of_token(token: &Token) -> impl Iterator<Item = Self> + '_ {
        token.offsets.iter().map(|(partition, offset)| Self {
            partition: *partition,
            position: offset.next(),
            topic: token.tag,
            claimed: true,
        })
    }

    pub(super) fn of_ends(ends: &LogEnds) -> impl Iterator<Item = Self> + '_ {
        let topic = Some(ends.topic_id.tag());
        ends.partitions.iter().map(move |(partition, end)| Self {
            partition: *partition,
            position: end.visible,
            topic,
            claimed: false,
        })
    }

    fn missing(&self, view: &View, table: &SlotTable) -> Option<Missing<'_>> {
        let topic = self.topic.or_else(|| known_topic(view));
        let slot = table.serving().get(&self.partition);
        let slot = slot.filter(|slot| topic.is_none_or(|topic| topic == slot.topic_id().tag()));
        let at = slot.map(|slot| slot.position());
        (at < Some(self.position)).then_some(Missing { target: self, at })
    }
}

/// Waits until every target is passed; returns the table of the slots that have passed them.
pub(super) async fn all(
    view: &View,
    targets: &[Target],
    patience: &mut Patience<'_>,
) -> Result<Arc<SlotTable>, Problem> {
    // The topic as the view knew it when the log was looked at.
    let mut looked = None;
    loop {
        let table = view.store().table();
        let Some(missing) = targets.iter().find_map(|target| target.missing(view, &table)) else {
            return Ok(table);
        };
        let known = known_topic(view);
        if looked != Some(known) && missing.is_doubtful(view, known) {
            looked = Some(known);
            refuse_impossible(view, targets, patience).await?;
            continue;
        }
        if patience.is_over() {
            return Err(missing.not_reached(view, &table));
        }
        if let Some(place) = missing.enter(view) {
            patience.wait(place.rung(), Duration::ZERO).await?;
        }
    }
}

/// One look at the log tells a position that cannot be from one that is still to come.
///
/// A view that is behind knows neither how far the log reaches nor that its topic was recreated, and another replica
/// may have told the position.
async fn refuse_impossible(
    view: &View,
    targets: &[Target],
    patience: &mut Patience<'_>,
) -> Result<(), Problem> {
    let answer = patience.wait(view.progress().log_ends().ask(), CHECK).await?;
    // Without an answer it is waited for: it may be right.
    let Some(Ok(ends)) = answer else { return Ok(()) };
    let (known, current) = (known_topic(view), ends.topic_id.tag());
    for target in targets.iter().filter(|target| target.claimed) {
        match target.topic {
            Some(topic) if topic != current => return Err(foreign(view)),
            // It was written to the topic before that, and who knows to which; the view is about to find out.
            None if known.is_some_and(|known| known != current) => {}
            _ => refuse_beyond(view, target, &ends)?,
        }
    }
    Ok(())
}

fn refuse_beyond(view: &View, target: &Target, ends: &LogEnds) -> Result<(), Problem> {
    let partition = target.partition;
    let detail = match ends.partitions.get(&partition) {
        None => format!("the topic has no partition {partition}"),
        Some(end) if is_beyond(target.position, end.written) => {
            format!("the log of partition {partition} ends at {}, far below the position", end.written)
        }
        Some(_) => return Ok(()),
    };
    Err(about::problem(view, Code::BAD_POSITION, detail))
}

fn foreign(view: &View) -> Problem {
    about::problem(
        view,
        Code::POSITION_FOREIGN,
        "the position is of another topic, or of this one before it was deleted and created again",
    )
}

fn known_topic(view: &View) -> Option<TopicTag> {
    view.progress().topic().map(|topic| topic.topic_id.tag())
}

fn is_beyond(position: Position, end: Position) -> bool {
    position.get().saturating_sub(end.get()) > BEYOND
}

impl Missing<'_> {
    /// A position of the topic as it is known, and below the end of its log as it was seen last, needs no look at it.
    fn is_doubtful(&self, view: &View, known: Option<TopicTag>) -> bool {
        let wanted = view.progress().partitions();
        let end = wanted.get(&self.target.partition).and_then(|known| known.log()).map(|(_, end)| end);
        let is_foreign = self.target.topic.is_some_and(|topic| known.is_some_and(|known| known != topic));
        self.target.claimed && (is_foreign || end.is_none_or(|end| is_beyond(self.target.position, end)))
    }

    /// A slot that is to be replaced cannot reach the position, however far it gets: then only another one can.
    fn enter<'v>(&self, view: &'v View) -> Option<Place<'v, (Partition, Position)>> {
        let position = if self.at.is_some() { self.target.position } else { Position::new(i64::MAX) };
        // A slot that has begun to answer since is waited for in another place.
        let is_over = || {
            let missing = self.target.missing(view, &view.store().table());
            missing.is_none_or(|now| now.at.is_some() != self.at.is_some())
        };
        view.progress().waiters().at_position(self.target.partition, position, is_over)
    }

    fn not_reached(&self, view: &View, table: &SlotTable) -> Problem {
        let partition = self.target.partition;
        let mut detail = match self.at.map(Position::last) {
            Some(Some(last)) => format!("partition {partition} is applied up to offset {last}"),
            Some(None) => format!("nothing of partition {partition} is applied"),
            None => format!("partition {partition} does not answer yet"),
        };
        // Offsets of records, as clients name them.
        if let Some(wanted) = self.target.position.last() {
            detail += &format!("; the request wants offset {wanted}");
        }
        let problem = about::problem(view, Code::POSITION_NOT_REACHED, detail)
            .with_header(about::VIEW_STATUS, about::status(view));
        match HeaderText::new().positions(&Positions::of(table)) {
            Some(position) => problem.with_header(about::VIEW_POSITION, position),
            None => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sections::{KeyFormat, ValueFormat};
    use crate::http::tests::fixture::Fixture;

    #[tokio::test]
    async fn a_slot_that_begins_to_answer_before_the_place_is_entered_is_waited_for_itself() {
        let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
        let target = Target { partition: 0, position: Position::new(1), topic: None, claimed: true };
        let missing = |fixture: &Fixture| target.missing(fixture.view(), &fixture.view().store().table());
        let before = missing(&fixture).unwrap();
        fixture.catch_up();
        assert!(before.enter(fixture.view()).is_none(), "nobody rings for another slot again");
        let now = missing(&fixture).unwrap();
        fixture.put(b"u1", Some(b"1"));
        assert!(now.enter(fixture.view()).is_none());
        assert!(missing(&fixture).is_none());
    }
}
