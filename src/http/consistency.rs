//! What a request asks of the state it is answered from: which records that reflects, how fresh it is, whether it
//! may be incomplete, and how long the request would wait for it.

mod prefer;
mod reach;
mod token;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName};

pub(super) use prefer::PREFER;

use self::reach::Target;
pub(super) use self::token::Token;
use super::about;
use super::code::Code;
use super::patience::Patience;
use super::problem::Problem;
use super::query::Query;
use crate::progress::{LogEnds, Unknown};
use crate::store::SlotTable;
use crate::topic_id::TopicTag;
use crate::view::View;

const READ_AFTER: HeaderName = HeaderName::from_static("read-after");
const READ_CONSISTENCY: HeaderName = HeaderName::from_static("read-consistency");

/// How long the brokers are given to tell how far the log reaches, even where nothing is granted to wait: without
/// an answer there is no verdict.
const CHECK: Duration = Duration::from_secs(1);
/// Pause before brokers that did not tell are asked again.
const RETRY: Duration = Duration::from_millis(250);

/// What a request asks of the state it is answered from.
///
/// Paths that take it know the parameters `read_after`, `max_staleness` and `allow`.
#[derive(Debug, Default)]
pub(super) struct Demand {
    after: Option<Token>,
    latest: bool,
    wait: Option<Duration>,
    max_staleness: Option<Duration>,
    allows_restoring: bool,
}

impl Demand {
    /// Reads what the headers and the query ask for.
    ///
    /// # Errors
    /// `bad-position` and `bad-parameter`. A preference that cannot be read is passed over.
    pub(super) fn read(headers: &HeaderMap, query: &Query<'_>) -> Result<Self, Problem> {
        Ok(Self {
            after: read_after(headers, query)?,
            latest: read_latest(headers)?,
            wait: if headers.contains_key(PREFER) { prefer::wait(headers) } else { None },
            max_staleness: read_staleness(query)?,
            allows_restoring: query
                .word("allow", &["restoring"], |word| (word == "restoring").then_some(()))?
                .is_some(),
        })
    }

    /// Returns whether any state will do, and at once.
    pub(super) fn is_none(&self) -> bool {
        let Self { after, latest, wait, max_staleness, allows_restoring } = self;
        after.is_none() && !latest && wait.is_none() && max_staleness.is_none() && !allows_restoring
    }

    /// Leaves out records of another topic than that of the tag.
    pub(super) fn within(mut self, topic: Option<TopicTag>) -> Self {
        self.after = self.after.filter(|after| after.tag.is_none() || after.tag == topic);
        self
    }

    /// Returns how long the request would wait.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// Returns whether the request names records to be reflected, or wants all there are.
    pub(super) fn names_records(&self) -> bool {
        self.after.is_some() || self.latest
    }

    /// Returns whether an answer may come from a view that has not caught up once.
    pub(super) fn allows_restoring(&self) -> bool {
        self.allows_restoring
    }

    /// Waits for a state that meets the demand; returns the table of the slots to answer from.
    ///
    /// An answer from another table does not meet it: a topic may have been recreated meanwhile.
    ///
    /// # Errors
    /// The verdict when there is nothing left to wait, and what no waiting would mend.
    pub(super) async fn meet(
        &self,
        view: &View,
        patience: &mut Patience<'_>,
    ) -> Result<Arc<SlotTable>, Problem> {
        let mut targets: Vec<Target> = self.after.iter().flat_map(Target::of_token).collect();
        let asked_at = Instant::now();
        if self.latest {
            targets.extend(Target::of_ends(&*log_ends(view, patience).await?));
        }
        let table = reach::all(view, &targets, patience).await?;
        let proven = self.latest.then(|| asked_at.elapsed());
        self.check_staleness(view, proven)?;
        Ok(table)
    }

    /// A view that does not answer yet has no staleness; that it restores is what there is to say, unless that is
    /// allowed.
    fn check_staleness(&self, view: &View, proven: Option<Duration>) -> Result<(), Problem> {
        let Some(most) = self.max_staleness else { return Ok(()) };
        let detail = match view.condition().staleness() {
            _ if proven.is_some_and(|proven| proven <= most) => return Ok(()),
            Some(staleness) if staleness <= most.as_secs_f64() => return Ok(()),
            Some(staleness) => format!("the view was last known to be current {staleness:.1} s ago"),
            None if self.allows_restoring => "the view was never known to be current".to_owned(),
            None => return Ok(()),
        };
        Err(about::problem(view, Code::VIEW_STALE, detail)
            .with_header(about::VIEW_STATUS, about::status(view)))
    }
}

fn read_after(headers: &HeaderMap, query: &Query<'_>) -> Result<Option<Token>, Problem> {
    let refuse = |detail: &'static str| Problem::new(Code::BAD_POSITION, detail);
    let mut lines = headers.get_all(READ_AFTER).iter();
    let header = lines.next();
    if lines.next().is_some() {
        return Err(refuse("`Read-After` is given more than once; join the positions with commas"));
    }
    let text = match (header, query.text("read_after")?) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(refuse("`Read-After` and `read_after` are both given; keep one")),
        (None, Some(text)) => text,
        (Some(value), None) => match value.to_str() {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => return Err(refuse(token::FORM)),
        },
    };
    Token::parse(&text).map(Some).map_err(refuse)
}

fn read_latest(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut lines = headers.get_all(READ_CONSISTENCY).iter().peekable();
    if lines.peek().is_none() {
        return Ok(false);
    }
    match lines.all(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"latest")) {
        true => Ok(true),
        false => Err(Problem::new(Code::BAD_PARAMETER, "`Read-Consistency` must be `latest`, or left out")),
    }
}

fn read_staleness(query: &Query<'_>) -> Result<Option<Duration>, Problem> {
    let Some(text) = query.text("max_staleness")? else { return Ok(None) };
    let refuse = |_| {
        let detail = "`max_staleness` must be a number with a unit, such as `5s` or `500ms`";
        Problem::new(Code::BAD_PARAMETER, detail)
    };
    humantime::parse_duration(&text).map(Some).map_err(refuse)
}

/// Asks how far the log reaches, and again while that may be waited for.
async fn log_ends(view: &View, patience: &mut Patience<'_>) -> Result<Arc<LogEnds>, Problem> {
    let lost = |reason: Option<Unknown>| {
        let problem = match reason {
            Some(unknown) => {
                about::problem(view, Code::SOURCE_LOST, unknown.detail).because(unknown.code.as_str())
            }
            None => about::problem(view, Code::SOURCE_LOST, "no broker answered in time"),
        };
        problem.with_header(about::VIEW_STATUS, about::status(view))
    };
    let mut reason = None;
    loop {
        match patience.wait(view.progress().log_ends().ask(), CHECK).await? {
            Some(Ok(ends)) => return Ok(ends),
            Some(Err(unknown)) => reason = Some(unknown),
            None => return Err(lost(reason)),
        }
        if patience.is_over() {
            return Err(lost(reason));
        }
        patience.wait(tokio::time::sleep(RETRY), Duration::ZERO).await?;
    }
}
