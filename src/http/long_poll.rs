//! Look-ups that may wait: for records to be applied, for the key to change, for the view to be restored.

use std::time::Duration;

use axum::response::Response;
use http::header::IF_NONE_MATCH;

use super::ask::Ask;
use super::lookup;
use super::patience::{Patience, Waiting};
use super::problem::Problem;
use crate::view::{LookUp, LookUpError, View};

/// Answers as soon as there is an answer worth having, at the latest when there is nothing left to wait.
pub(super) async fn look_up(waiting: &Waiting, view: &View, ask: &Ask<'_>) -> Result<Response, Problem> {
    let mut patience = waiting.grant(ask.demand.wait());
    let answer = attend(view, ask, &mut patience).await;
    patience.tell(answer)
}

async fn attend(view: &View, ask: &Ask<'_>, patience: &mut Patience<'_>) -> Result<Response, Problem> {
    loop {
        let table = ask.demand.meet(view, patience).await?;
        // Order matters: in its place before the look-up, no change gets by between the look and the wait.
        let place = view.progress().waiters().at_key(&ask.key);
        let found = match ask.demand.allows_restoring() {
            false => view.look_up(&ask.key),
            true => view.look_up_incomplete(&ask.key),
        };
        // What another table holds was not asked for.
        if !view.store().is_current(&table) {
            continue;
        }
        if is_worth_having(view, ask, &found) || patience.is_over() {
            return lookup::respond(view, ask, found);
        }
        patience.wait(place.rung(), Duration::ZERO).await?;
    }
}

/// Who names records waits for those alone. Who names a version waits for another one, and who names nothing for
/// any.
fn is_worth_having(view: &View, ask: &Ask<'_>, found: &Result<LookUp, LookUpError>) -> bool {
    match found {
        Err(LookUpError::Restoring) => false,
        Err(LookUpError::Store(_)) => true,
        Ok(_) if ask.demand.names_records() => true,
        Ok(LookUp::Found(entry)) => !lookup::is_held(view, ask, entry),
        Ok(LookUp::Absent(_)) => ask.headers.contains_key(IF_NONE_MATCH),
    }
}
