//! A worker's thread with finite speed: what comes while it is busy waits.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use proto::worker::Worker;
use proto::Time;

/// As the driver reads: so many datagrams, then what they made is sent.
const BATCH: usize = 32;

#[derive(Default)]
pub struct Busy {
    /// Time that a datagram sent to a peer takes.
    pub cost: Duration,
    until: Time,
    waiting: VecDeque<(Time, SocketAddr, Vec<u8>)>,
}

impl Busy {
    pub fn arrive(&mut self, now: Time, from: SocketAddr, data: Vec<u8>) {
        self.waiting.push_back((now, from, data));
    }

    pub fn is_free(&self, now: Time) -> bool {
        self.until <= now
    }

    /// When the worker comes to what its `timeout` or its socket wants of it.
    pub fn next(&self, timeout: Option<Time>) -> Time {
        let read = (!self.waiting.is_empty()).then_some(self.until);
        let timeout = timeout.map(|at| at.max(self.until));
        [read, timeout].into_iter().flatten().min().unwrap_or(Time::FAR)
    }

    pub fn read(&mut self, now: Time, worker: &mut Worker) {
        if !self.is_free(now) || self.waiting.is_empty() {
            return;
        }
        let batch = if self.cost.is_zero() { usize::MAX } else { BATCH };
        let local = Some("10.0.0.1".parse().unwrap());
        worker.handle_lateness(now.since(self.waiting[0].0));
        for (_, from, mut data) in self.waiting.drain(..batch.min(self.waiting.len())) {
            worker.handle_datagram(now, local, from, &mut data);
        }
    }

    pub fn sent(&mut self, now: Time, datagrams: u32) {
        self.until = self.until.max(now) + self.cost * datagrams;
    }
}
