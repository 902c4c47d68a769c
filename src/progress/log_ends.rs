//! How far the log reaches, asked by requests that want the latest state.
//!
//! One question serves everybody who came before it began. Who comes while one is under way gets the next one:
//! its answer could be older than a record that was written before the request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::TroubleCode;
use crate::position::{Partition, Position};
use crate::topic_id::TopicId;

/// Where the log of every partition ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnds {
    /// Incarnation of the topic.
    pub topic_id: TopicId,
    /// The ends by partition.
    pub partitions: BTreeMap<Partition, LogEnd>,
}

/// Where the log of one partition ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEnd {
    /// Next offset a view will get to see: behind it lie transactions that are open.
    pub visible: Position,
    /// Next offset a producer will get.
    pub written: Position,
}

/// Why nobody could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What kind of trouble it is.
    pub code: TroubleCode,
    /// For people.
    pub detail: String,
}

/// Outcome of a question; those who share it share the answer.
pub type Answer = Result<Arc<LogEnds>, Unknown>;

/// Where those who ask meet the one that answers.
#[derive(Debug, Default)]
pub struct Questions {
    state: Mutex<State>,
    asked: Condvar,
    /// The last answer and the number of its question.
    answers: watch::Sender<(u64, Option<Answer>)>,
}

#[derive(Debug, Default)]
struct State {
    wanted: bool,
    begun: u64,
}

/// A question that has begun; answered once.
#[derive(Debug)]
pub struct Question<'q> {
    questions: &'q Questions,
    number: u64,
}

impl Questions {
    /// Asks, and waits for the answer to a question that begins after this call.
    ///
    /// # Errors
    /// [`Unknown`] when no broker could tell.
    pub async fn ask(&self) -> Answer {
        let mut answers = self.answers.subscribe();
        let number = {
            let mut state = self.state.lock();
            state.wanted = true;
            state.begun + 1
        };
        self.asked.notify_one();
        let answer = match answers.wait_for(|(answered, _)| *answered >= number).await {
            Ok(answer) => answer.1.clone(),
            // Cannot be: the sender lives as long as `self`.
            Err(_) => None,
        };
        answer.unwrap_or_else(|| Err(Unknown::nobody()))
    }

    /// Blocks until somebody asks, at most for `patience`, and begins the question.
    #[must_use]
    pub fn next(&self, patience: Duration) -> Option<Question<'_>> {
        let mut state = self.state.lock();
        if !state.wanted {
            self.asked.wait_for(&mut state, patience);
        }
        if !std::mem::take(&mut state.wanted) {
            return None;
        }
        state.begun += 1;
        Some(Question { questions: self, number: state.begun })
    }
}

impl Question<'_> {
    /// Hands the answer to everybody who came before the question began.
    pub fn answer(self, answer: Result<LogEnds, Unknown>) {
        self.questions.answers.send_replace((self.number, Some(answer.map(Arc::new))));
    }
}

impl Unknown {
    fn nobody() -> Self {
        Self { code: TroubleCode::BrokerUnreachable, detail: "nobody asks the brokers any more".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn ends(end: i64) -> LogEnds {
        let end = LogEnd { visible: Position::new(end), written: Position::new(end) };
        LogEnds { topic_id: TopicId::new([0; 16]), partitions: [(0, end)].into() }
    }

    #[test]
    fn one_question_serves_all_who_came_before_it_and_nobody_who_came_later() {
        let questions = Questions::default();
        assert!(questions.next(NOW).is_none(), "nobody has asked");
        let (mut one, mut two) = (Box::pin(questions.ask()), Box::pin(questions.ask()));
        assert!((&mut one).now_or_never().is_none() && (&mut two).now_or_never().is_none());
        let question = questions.next(NOW).unwrap();
        assert!(questions.next(NOW).is_none(), "one question for both");
        let mut late = Box::pin(questions.ask());
        assert!((&mut late).now_or_never().is_none());
        question.answer(Ok(ends(7)));
        let [one, two] = [one, two].map(|asker| asker.now_or_never().unwrap().unwrap());
        assert!(Arc::ptr_eq(&one, &two));
        assert!((&mut late).now_or_never().is_none(), "its question has not begun");
        let trouble = Unknown { code: TroubleCode::TopicMissing, detail: "gone".to_owned() };
        questions.next(NOW).unwrap().answer(Err(trouble.clone()));
        assert_eq!(late.now_or_never().unwrap(), Err(trouble));
        assert!(questions.next(NOW).is_none());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn everybody_is_answered_by_a_question_that_began_later() {
        const ASKERS: i64 = 64;
        let questions = Arc::new(Questions::default());
        let log = Arc::new(std::sync::atomic::AtomicI64::new(0));
        let (answering, written) = (Arc::clone(&questions), Arc::clone(&log));
        let stop = tokio_util::sync::CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        std::thread::spawn(move || {
            while !stop.is_cancelled() {
                if let Some(question) = answering.next(Duration::from_millis(5)) {
                    question.answer(Ok(ends(written.load(std::sync::atomic::Ordering::SeqCst))));
                }
            }
        });
        let ask = |_| {
            let (questions, log) = (Arc::clone(&questions), Arc::clone(&log));
            tokio::spawn(async move {
                for _ in 0..50 {
                    let own = log.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    let seen = questions.ask().await.unwrap().partitions[&0].visible.get();
                    assert!(seen >= own, "{seen} is older than {own}");
                }
            })
        };
        for task in (0..ASKERS).map(ask).collect::<Vec<_>>() {
            tokio::time::timeout(Duration::from_secs(30), task).await.unwrap().unwrap();
        }
    }
}
