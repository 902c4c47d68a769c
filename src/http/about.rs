//! What every answer about a view says of it, problems included.

use std::borrow::Cow;

use http::header::{RETRY_AFTER, VARY};
use http::{HeaderName, HeaderValue};

use super::code::Code;
use super::header_text::HeaderText;
use super::problem::Problem;
use super::representation::VARY_ON;
use crate::store;
use crate::view::View;

pub(super) const VIEW_POSITION: HeaderName = HeaderName::from_static("view-position");
pub(super) const VIEW_STATUS: HeaderName = HeaderName::from_static("view-status");

/// Bound on the seconds after which a view that restores is to be asked again: the estimate is an upper bound itself.
const RESTORE_SECONDS_MAX: f64 = 30.0;

/// Returns the value of `View-Status`.
pub(super) fn status(view: &View) -> HeaderValue {
    HeaderText::new().status(&view.condition())
}

/// Makes a problem of a view.
pub(super) fn problem(view: &View, code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(code, detail).of_view(view.name().as_str()).with_header(VARY, VARY_ON)
}

/// Makes the problem of a view that has not caught up once.
pub(super) fn restoring(view: &View) -> Problem {
    restoring_still(view, "")
}

/// The same, for who was ready to take what there is.
pub(super) fn not_restored_yet(view: &View) -> Problem {
    restoring_still(view, "no value of this key was restored so far; ")
}

fn restoring_still(view: &View, first: &str) -> Problem {
    let (reason, detail) = match view.unserved() {
        Some(not_ready) => (not_ready.reason, not_ready.detail),
        None => ("restoring", "the view has caught up just now".to_owned()),
    };
    problem(view, Code::VIEW_RESTORING, format!("{first}{detail}"))
        .because(reason)
        .restored(view.restored())
        .with_header(RETRY_AFTER, retry_after(view))
        .with_header(VIEW_STATUS, status(view))
}

/// Returns when the restore will be over, as far as is known.
fn retry_after(view: &View) -> HeaderValue {
    let seconds = view.restore_s_max().unwrap_or_default().ceil().clamp(1.0, RESTORE_SECONDS_MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    HeaderValue::from(seconds as u16)
}

/// Makes the problem of a read the store refused.
pub(super) fn failed(view: &View, error: &store::Error) -> Problem {
    // One failure, one line: damage is told when it is found, however many look-ups meet it.
    let is_damage = matches!(error, store::Error::Corrupt { slot: Some(_), .. });
    if is_damage {
        view.note_damage(error);
    } else {
        tracing::error!(view = %view.name(), %error, "look-up failed");
    }
    match error {
        store::Error::Corrupt { .. } => {
            problem(view, Code::STORAGE_CORRUPTION, "the stored entry is damaged")
        }
        _ => problem(view, Code::STORAGE_ERROR, "the store refused to read the entry"),
    }
}

/// Returns the value of `Cache-Control`.
///
/// The configuration was checked when it was loaded; a view made by hand may still hold an illegal value.
pub(super) fn cache_control(view: &View) -> HeaderValue {
    HeaderValue::from_str(&view.config().cache_control)
        .unwrap_or_else(|_| HeaderValue::from_static("private, no-cache"))
}
