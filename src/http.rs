//! The read side: look-ups and status on the data listener, probes and metrics on the ops listener.
//!
//! Handlers are pure in (request, view). An error is a [`Problem`]; [`Code`] is the one table of what can go
//! wrong and of the statuses it is told with. Keys and values never appear in an error, a log line or a label.

mod code;
mod condition;
mod header_text;
mod key;
mod percent;
mod problem;
mod query;
mod representation;

pub use code::Code;
pub use problem::Problem;
