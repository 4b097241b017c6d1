use crate::rtcp::TransportCcRaw;

/// Reads the chunks and deltas of a feedback packet. Stops at what is malformed.
pub fn parse_feedback<'a>(raw: &TransportCcRaw<'a>) -> Feedback<'a> {
    Feedback { raw: *raw }
}

/// (transport-wide sequence, microseconds from the reference time to the arrival, or `None` if the
/// packet has not arrived).
#[derive(Debug, Clone)]
pub struct Feedback<'a> {
    raw: TransportCcRaw<'a>,
}

impl Feedback<'_> {
    /// In microseconds of the receiver's clock; wraps after 2^24 x 64 ms.
    pub fn reference_time_us(&self) -> i64 {
        i64::from(self.raw.reference_time) * 64_000
    }
}

impl Iterator for Feedback<'_> {
    type Item = (u16, Option<i64>);
    fn next(&mut self) -> Option<(u16, Option<i64>)> {
        todo!()
    }
}
