//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).

mod feedback;
mod history;
mod recorder;
#[cfg(test)]
mod tests;

pub use feedback::{parse_feedback, Feedback};
pub use history::{SendHistory, SendKind, Sent};
pub use recorder::ArrivalRecorder;
