//! The messages that wait for one worker.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use proto::Message;

use crate::wake::Wake;

/// Media that waits at most: 65,536 packets are 16 hosts that nobody served for 16 s.
const MEDIA_CAPACITY: usize = 65_536;

/// Filled by the control side and the other workers, emptied by its worker; each sender's order is
/// kept. Orders are never dropped (they are few and none comes twice); media is, past its capacity,
/// because a worker that waited for another could wait for itself.
pub struct Inbox {
    messages: Mutex<VecDeque<Message>>,
    wake: Wake,
}

impl Inbox {
    pub fn new() -> io::Result<Inbox> {
        Ok(Inbox { messages: Mutex::default(), wake: Wake::new()? })
    }

    /// Take what `batch` holds and return how many messages were dropped.
    pub fn push(&self, batch: &mut Vec<Message>) -> u64 {
        let mut dropped = 0;
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = messages.is_empty();
        for message in batch.drain(..) {
            if is_media(&message) && messages.len() >= MEDIA_CAPACITY {
                dropped += 1;
            } else {
                messages.push_back(message);
            }
        }
        drop(messages);
        if was_empty {
            self.wake.notify();
        }
        dropped
    }

    /// Everything that waits, in exchange for an empty queue.
    pub fn take(&self, empty: &mut VecDeque<Message>) {
        self.wake.clear();
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *messages, empty);
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
