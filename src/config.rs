//! The configuration of the process.

pub mod redaction;
pub mod secret;
pub mod sections;
mod units;
pub mod view_name;
