//! The one bounded queue from the workers to the control side.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use proto::Event;

use crate::wake::Wake;

/// Events that wait at most: 16,384 is 100 joins a second that nobody looked at for 30 s.
const CAPACITY: usize = 16_384;
/// Room beyond that for events which are told only once.
const RESERVE: usize = CAPACITY * 3;

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    lost: u64,
}

/// Filled by all workers, emptied by one reader. Its descriptor is readable while events wait.
pub struct Events {
    waiting: Mutex<Waiting>,
    wake: Wake,
}

impl Events {
    pub fn new() -> io::Result<Events> {
        Ok(Events { waiting: Mutex::default(), wake: Wake::new()? })
    }

    /// Take what `events` holds and return how many of them were dropped for lack of room.
    pub fn push(&self, events: &mut Vec<Event>) -> u64 {
        let mut dropped = 0;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let was_quiet = waiting.events.is_empty() && waiting.lost == 0;
        for event in events.drain(..) {
            let room = if comes_again(&event) { CAPACITY } else { CAPACITY + RESERVE };
            if waiting.events.len() < room {
                waiting.events.push_back(event);
            } else {
                dropped += 1;
            }
        }
        waiting.lost += dropped;
        if was_quiet {
            self.wake.notify();
        }
        dropped
    }

    /// Up to `limit` events, and how many were lost since the last call. The descriptor turns quiet
    /// when none is left.
    pub fn take(&self, limit: usize) -> (Vec<Event>, u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = limit.min(waiting.events.len());
        let events = waiting.events.drain(..count).collect();
        if waiting.events.is_empty() {
            self.wake.clear();
        }
        (events, std::mem::take(&mut waiting.lost))
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

/// Peers repeat these by themselves, and they decide how many there are.
fn comes_again(event: &Event) -> bool {
    matches!(event, Event::Dtls { .. } | Event::KeyframeNeeded { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::Poll;
    use std::time::Duration;

    fn readable(events: &Events) -> bool {
        let mut poll = Poll::new().unwrap();
        poll.add(events.as_raw_fd(), 0).unwrap();
        let count = poll.wait(Some(Duration::ZERO)).unwrap().count();
        count > 0
    }

    #[test]
    fn readable_exactly_while_events_wait() {
        let events = Events::new().unwrap();
        assert!(!readable(&events));
        events.push(&mut vec![Event::Connected { transport: 1 }, Event::Connected { transport: 2 }]);
        assert!(readable(&events));
        assert_eq!(events.take(1), (vec![Event::Connected { transport: 1 }], 0));
        assert!(readable(&events), "one is left");
        assert_eq!(events.take(9), (vec![Event::Connected { transport: 2 }], 0));
        assert!(!readable(&events));
    }

    #[test]
    fn overflow_counts_and_spares_what_is_told_once() {
        let events = Events::new().unwrap();
        let mut flood = vec![Event::Dtls { transport: 1, data: vec![] }; CAPACITY + 5];
        assert_eq!(events.push(&mut flood), 5);
        assert_eq!(events.push(&mut vec![Event::Connected { transport: 1 }]), 0);
        let (taken, lost) = events.take(usize::MAX);
        assert_eq!((taken.len(), lost), (CAPACITY + 1, 5));
        assert_eq!(taken.last(), Some(&Event::Connected { transport: 1 }));
        assert_eq!(events.take(1), (vec![], 0));
    }
}
