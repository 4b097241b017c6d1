//! One worker: a share of the node's transports, driven by one thread.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::config::Config;
use crate::directory::Directory;
use crate::message::{Event, Message, WorkerIndex};
use crate::outbound::Outbound;
use crate::time::Time;

pub struct Worker {
    index: WorkerIndex,
}

impl Worker {
    pub fn new(index: WorkerIndex, config: Config, directory: Arc<Directory>) -> Worker {
        let _ = (config, directory);
        Worker { index }
    }

    pub fn index(&self) -> WorkerIndex {
        self.index
    }

    /// A datagram from `remote` that arrived on our address `local`. It may be changed in place.
    pub fn handle_datagram(
        &mut self,
        _now: Time,
        _local: Option<IpAddr>,
        _remote: SocketAddr,
        _data: &mut [u8],
    ) {
    }

    pub fn handle_message(&mut self, _now: Time, _message: Message) {}

    /// Call when `poll_timeout` has passed; harmless at any other time.
    pub fn handle_timeout(&mut self, _now: Time) {}

    /// The next moment at which `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }

    /// Append what may leave now to `out`, as much as fits a send call (about 64 kB, or 64 messages).
    /// Returns true if more waits: send, clear and call again.
    pub fn poll_transmit(&mut self, _now: Time, _out: &mut Outbound) -> bool {
        false
    }

    /// Messages to other workers, each in the order given.
    pub fn poll_message(&mut self) -> Option<(WorkerIndex, Message)> {
        None
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
}
