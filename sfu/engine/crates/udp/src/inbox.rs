//! The messages that wait for one worker.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use proto::{Message, Time};

use crate::wake::Wake;

/// Media that waits at most: 65,536 packets are 16 hosts that nobody served for 16 s.
const MEDIA_CAPACITY: usize = 65_536;

/// Filled by the control side and the other workers, emptied by its worker; each sender's order is
/// kept. Orders are never dropped (they are few and none comes twice); media is, past its capacity,
/// because a worker that waited for another could wait for itself.
pub struct Inbox {
    waiting: Mutex<Waiting>,
    wake: Wake,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    /// When the oldest came.
    since: Time,
}

impl Inbox {
    pub fn new() -> io::Result<Inbox> {
        Ok(Inbox { waiting: Mutex::default(), wake: Wake::new()? })
    }

    /// Take what `batch` holds and return how many messages were dropped.
    pub fn push(&self, now: Time, batch: &mut Vec<Message>) -> u64 {
        let mut dropped = 0;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = waiting.messages.is_empty();
        if was_empty {
            waiting.since = now;
        }
        for message in batch.drain(..) {
            if is_media(&message) && waiting.messages.len() >= MEDIA_CAPACITY {
                dropped += 1;
            } else {
                waiting.messages.push_back(message);
            }
        }
        drop(waiting);
        if was_empty {
            self.wake.notify();
        }
        dropped
    }

    /// Everything that waits, in exchange for an empty queue; and since when the oldest has waited.
    pub fn take(&self, empty: &mut VecDeque<Message>) -> Option<Time> {
        self.wake.clear();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.messages, empty);
        (!empty.is_empty()).then_some(waiting.since)
    }

    /// Whether `take` has something.
    pub fn has_mail(&self) -> bool {
        !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).messages.is_empty()
    }

    /// Wake the worker although nothing waits.
    pub fn wake(&self) {
        self.wake.notify();
    }
}

impl AsRawFd for Inbox {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

fn is_media(message: &Message) -> bool {
    matches!(message, Message::Published { .. } | Message::Reported { .. } | Message::Stray { .. })
}
