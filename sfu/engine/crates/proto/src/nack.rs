//! Which packets of one source to ask for again (RFC 4585 section 6.2.1).

use crate::time::Time;
use std::time::Duration;

#[derive(Debug, Default)]
pub struct NackGenerator {}

impl NackGenerator {
    /// A packet came, by whatever way; `seq` is unwrapped.
    pub fn received(&mut self, _seq: u64, _now: Time) {
        todo!()
    }

    /// Appends the sequence numbers to ask for now, rising in wrap order.
    pub fn poll(&mut self, _now: Time, _rtt: Duration, _out: &mut Vec<u16>) {
        todo!()
    }

    /// When `poll` will have something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        todo!()
    }

    /// Forget everything: the source's numbers start anew.
    pub fn reset(&mut self) {
        todo!()
    }
}
