//! The bounded queue between a worker and a server-side participant that reads a source.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::packet::{Packet, Report};

/// What a tap reads, in order.
#[derive(Debug, Clone)]
pub enum Tapped {
    Packet {
        rid: Arc<str>,
        generation: u64,
        packet: Arc<Packet>,
    },
    Report {
        rid: Arc<str>,
        generation: u64,
        report: Report,
    },
    /// The source ended for good.
    Ended,
}

/// Filled by one worker, emptied by one reader. The lock is held for a push or a swap, never while
/// anything is computed; a tap is one per stream, not one per viewer.
#[derive(Debug)]
pub struct TapQueue {
    items: Mutex<VecDeque<Tapped>>,
    capacity: usize,
    dropped: AtomicU64,
}

impl TapQueue {
    pub fn new(capacity: usize) -> TapQueue {
        TapQueue { items: Mutex::new(VecDeque::new()), capacity: capacity.max(1), dropped: AtomicU64::new(0) }
    }

    /// Returns true if the queue was empty: the reader wants to be told. A full queue drops the item.
    pub fn push(&self, item: Tapped) -> bool {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() >= self.capacity && !matches!(item, Tapped::Ended) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        items.push_back(item);
        items.len() == 1
    }

    /// Everything that waits, and how many packets were dropped since the last call.
    pub fn drain(&self) -> (VecDeque<Tapped>, u64) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut *items), self.dropped.swap(0, Ordering::Relaxed))
    }
}
