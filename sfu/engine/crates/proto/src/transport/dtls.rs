//! What of a peer's DTLS reaches the control side, and how much of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use crate::time::Time;

/// A flight repeated within this while the control side works on the first is the same one: DTLS starts
/// to repeat after 1 s (RFC 9147 section 5.8.2), browsers after 50 ms.
const REPEAT: Duration = Duration::from_millis(500);

/// Datagrams of one handshake that wait for their address to be verified: a server's flight.
const HELD: usize = 8;

/// Packets of media that wait for their keys: 200 ms of 2.5 Mb/s, more than the control side takes.
const EARLY: usize = 64;

/// Content type handshake, epoch 0, message ClientHello (RFC 6347 section 4.2.2).
pub fn is_client_hello(data: &[u8]) -> bool {
    data.len() > 13 && data[0] == 22 && data[3..5] == [0, 0] && data[13] == 1
}

/// Content type alert (RFC 6347 section 4.1) of an epoch that is encrypted.
pub fn is_alert(data: &[u8]) -> bool {
    data.len() > 13 && data[0] == 21 && data[3..5] != [0, 0]
}

#[derive(Debug, Default)]
pub struct Gate {
    started: bool,
    done: bool,
    seen: Vec<(u64, Time)>,
    /// Datagrams that went up, as far as they are not yet forgiven.
    level: u32,
    leaked: Time,
    /// Our datagrams that may not leave yet.
    pub held: Vec<Vec<u8>>,
    /// Media that came before its keys. Where the peer's Finished is the last word of the handshake, a
    /// keyframe may follow at once, and not every peer makes another when asked (FFmpeg).
    early: Vec<(SocketAddr, Vec<u8>)>,
}

impl Gate {
    /// A handshake that has begun and not come to keys.
    pub fn in_flight(&self) -> bool {
        self.started && !self.done
    }

    /// The keys are there: gives back the media that waited for them.
    pub fn finish(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.done = true;
        self.seen = Vec::new();
        std::mem::take(&mut self.early)
    }

    /// Media without keys: kept, as far as there is room, while a handshake is under way.
    pub fn keep(&mut self, remote: SocketAddr, data: &[u8]) {
        if self.in_flight() && self.early.len() < EARLY {
            self.early.push((remote, data.to_vec()));
        }
    }

    /// True if the datagram goes up. `room`: whether another handshake may begin; `per_s`:
    /// `Limits::dtls_per_s`.
    pub fn admit(&mut self, now: Time, data: &[u8], room: bool, per_s: u32) -> bool {
        let hello = is_client_hello(data);
        if hello && self.done {
            return false; // an established association is not started over
        }
        if !self.started {
            if !hello || !room {
                return false;
            }
            self.started = true;
        }
        if hello {
            // The record header differs from repetition to repetition, the message doesn't.
            let mut hasher = DefaultHasher::new();
            data[13..].hash(&mut hasher);
            let digest = hasher.finish();
            self.seen.retain(|&(_, at)| now.since(at) < REPEAT);
            if self.seen.iter().any(|&(seen, _)| seen == digest) || self.seen.len() >= HELD {
                return false;
            }
            self.seen.push((digest, now));
        }
        self.leak(now, per_s)
    }

    /// A leaky bucket; false if it is full.
    fn leak(&mut self, now: Time, per_s: u32) -> bool {
        let forgiven = now.since(self.leaked).as_micros() as u64 * u64::from(per_s) / 1_000_000;
        if forgiven > 0 {
            self.level = self.level.saturating_sub(forgiven.min(u64::from(u32::MAX)) as u32);
            self.leaked = now;
        }
        let room = self.level < per_s;
        self.level += u32::from(room);
        room
    }

    /// Our side sent something. A repetition now means that our answer was lost; a ClientHello of ours
    /// begins the handshake (RFC 5763 section 5: the peer offered to be passive).
    pub fn sent(&mut self, data: &[u8]) {
        self.seen.clear();
        if is_client_hello(data) {
            self.started = true;
        }
    }

    pub fn hold(&mut self, data: Vec<u8>) {
        if self.held.len() < HELD {
            self.held.push(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(record: u8) -> Vec<u8> {
        let mut data = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, record, 0, 60, 1];
        data.extend_from_slice(&[7; 60]);
        data
    }

    #[test]
    fn repeated_client_hellos_are_absorbed_until_answered() {
        let mut gate = Gate::default();
        let now = Time::from_micros(1_000_000);
        assert!(!gate.admit(now, &hello(0), false, 64));
        assert!(gate.admit(now, &hello(0), true, 64));
        assert!(!gate.admit(now, &hello(1), true, 64));
        gate.sent(&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 2]);
        assert!(gate.admit(now, &hello(2), true, 64));
        assert!(
            gate.admit(now + Duration::from_secs(1), &hello(3), false, 64),
            "a handshake under way needs no room"
        );
        gate.finish();
        assert!(!gate.admit(now, &hello(4), true, 64));
        assert!(
            gate.admit(now, &[22, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9], true, 64),
            "a repeated Finished"
        );
    }

    #[test]
    fn a_client_hello_of_ours_lets_the_answer_pass() {
        let mut gate = Gate::default();
        let server_hello = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 2];
        assert!(!gate.admit(Time::ZERO, &server_hello, true, 64));
        gate.sent(&hello(0));
        assert!(gate.in_flight());
        assert!(gate.admit(Time::ZERO, &server_hello, false, 64));
    }

    #[test]
    fn nothing_but_a_client_hello_begins() {
        let mut gate = Gate::default();
        assert!(!gate.admit(Time::ZERO, &[23, 254, 253, 0, 1], true, 64));
        assert!(!gate.admit(Time::ZERO, &[20], true, 64));
        assert!(!gate.admit(Time::ZERO, &[], true, 64));
    }
}
