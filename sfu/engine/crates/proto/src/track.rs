//! A Track on one worker: its encodings' history, clocks and subscribers. The owner fills it from the
//! publisher, other workers mirror it from the owner's messages; subscribers see no difference.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Limits;
use crate::message::{Choice, Kind, TapId};
use crate::packet::{Packet, Report};
use crate::ring::Ring;
use crate::time::Time;
use crate::timeline::CaptureClock;

/// An encoding that has sent nothing for this long is not taken: a browser pauses layers for seconds,
/// and the lowest frame rate worth having sends twice a second.
pub const IDLE: Duration = Duration::from_secs(1);

/// A mirror asks its owner for keyframes at most this often.
const ASK_OWNER: Duration = Duration::from_millis(100);

/// A subscription's place: slot of its transport, index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub transport: u32,
    pub subscription: u16,
}

#[derive(Debug)]
pub struct Track {
    pub kind: Kind,
    /// Names of the encodings, best first; one empty name where there is no simulcast.
    pub rids: Vec<Arc<str>>,
    pub encodings: Vec<EncodingState>,
    pub subscribers: Vec<Place>,
    pub taps: Vec<TapId>,
    /// Which encodings flowed when subscribers last chose.
    flowing: u64,
}

/// One encoding as subscribers need it.
#[derive(Debug, Default)]
pub struct EncodingState {
    pub ring: Ring,
    pub clock: CaptureClock,
    pub last_packet: Option<Time>,
    /// Bits per second, smoothed over about a second.
    pub bitrate_bps: u64,
    window: (Time, u64),
    keyframe_asked: Option<Time>,
    pub generation: u32,
    /// Packets that wait for the rest of their frame, where this worker fills the track; not in `ring` yet.
    pub held: Vec<Arc<Packet>>,
    /// Generation and sequence number of the newest packet that has not waited or waits no more.
    pub released: (u32, u64),
}

impl Track {
    pub fn new(kind: Kind, rids: &[String]) -> Track {
        let mut track = Track {
            kind,
            rids: Vec::new(),
            encodings: Vec::new(),
            subscribers: Vec::new(),
            taps: Vec::new(),
            flowing: 0,
        };
        track.describe(kind, rids);
        track
    }

    /// Name the encodings, when their names become known.
    pub fn describe(&mut self, kind: Kind, rids: &[String]) {
        self.kind = kind;
        self.rids = if rids.is_empty() {
            vec![Arc::from("")]
        } else {
            rids.iter().map(|r| Arc::from(r.as_str())).collect()
        };
        self.encodings.resize_with(self.rids.len(), EncodingState::default);
    }

    pub fn push(&mut self, packet: &Arc<Packet>, limits: &Limits) {
        let Some(encoding) = self.encodings.get_mut(usize::from(packet.encoding)) else { return };
        if encoding.generation != packet.generation {
            encoding.ring.clear();
            encoding.generation = packet.generation;
        }
        encoding.clock.packet(packet);
        encoding.last_packet = Some(packet.arrival);
        encoding.count(packet.arrival, packet.payload.len());
        encoding.ring.push(packet.clone(), limits);
    }

    pub fn report(&mut self, encoding: u8, report: Report) {
        if let Some(encoding) = self.encodings.get_mut(usize::from(encoding)) {
            encoding.clock.report(report);
        }
    }

    /// On a mirror: whether to ask the owner, which has its own, slower rhythm towards the publisher.
    pub fn may_ask_keyframe(&mut self, now: Time, encoding: u8) -> bool {
        let Some(encoding) = self.encodings.get_mut(usize::from(encoding)) else { return false };
        let may = encoding.keyframe_asked.is_none_or(|at| now.since(at) >= ASK_OWNER);
        if may {
            encoding.keyframe_asked = Some(now);
        }
        may
    }

    pub fn flows(&self, now: Time, encoding: u8) -> bool {
        self.encodings
            .get(usize::from(encoding))
            .and_then(|e| e.last_packet)
            .is_some_and(|last| now.since(last) <= IDLE)
    }

    /// True if other encodings flow than at the last call: subscribers should choose again.
    pub fn flow_changed(&mut self, now: Time) -> bool {
        let flowing = (0..self.encodings.len().min(64))
            .fold(0, |bits, i| bits | u64::from(self.flows(now, i as u8)) << i);
        std::mem::replace(&mut self.flowing, flowing) != flowing
    }

    /// The encoding to receive: what was chosen if it flows, else the nearest lower, else the nearest
    /// higher that does; what was chosen if nothing flows.
    pub fn choose(&self, now: Time, choice: &Choice) -> u8 {
        let count = self.encodings.len() as u8;
        let wanted = match choice {
            Choice::Auto => 0,
            Choice::Rid(rid) => self.rids.iter().position(|r| **r == **rid).map_or(0, |i| i as u8),
        };
        (wanted..count).chain((0..wanted).rev()).find(|&i| self.flows(now, i)).unwrap_or(wanted)
    }

    /// The encoding `steps` below `from` among those that flow, as far as there are any.
    pub fn lower(&self, now: Time, from: u8, steps: u8) -> u8 {
        let count = self.encodings.len() as u8;
        let lower = (from.saturating_add(1)..count).filter(|&i| self.flows(now, i));
        lower.take(usize::from(steps)).last().unwrap_or(from)
    }
}

impl EncodingState {
    fn count(&mut self, now: Time, bytes: usize) {
        let (start, sum) = &mut self.window;
        *sum += bytes as u64 * 8;
        let span = now.since(*start);
        if span >= Duration::from_millis(500) {
            if span < Duration::from_secs(2) {
                let rate = *sum * 1_000_000 / span.as_micros() as u64;
                self.bitrate_bps = if self.bitrate_bps == 0 { rate } else { (self.bitrate_bps + rate) / 2 };
            }
            self.window = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::packet;

    fn simulcast() -> Track {
        Track::new(Kind::Video, &["h".into(), "m".into(), "l".into()])
    }

    fn flow(track: &mut Track, encoding: u8, at: Time) {
        let mut p = Arc::into_inner(packet(1, at, true)).unwrap();
        p.encoding = encoding;
        track.push(&Arc::new(p), &Limits::default());
    }

    #[test]
    fn falls_back_to_what_flows() {
        let mut track = simulcast();
        let now = Time::from_micros(5_000_000);
        assert_eq!(track.choose(now, &Choice::Auto), 0);
        flow(&mut track, 1, now);
        assert!(track.flow_changed(now));
        assert!(!track.flow_changed(now));
        assert_eq!(track.choose(now, &Choice::Auto), 1);
        assert_eq!(track.choose(now, &Choice::Rid("l".into())), 1);
        flow(&mut track, 2, now);
        assert_eq!(track.choose(now, &Choice::Rid("h".into())), 1);
        assert_eq!(track.choose(now, &Choice::Rid("l".into())), 2);
        assert_eq!(track.choose(now, &Choice::Rid("unheard-of".into())), 1);
        assert_eq!([0, 1, 2].map(|steps| track.lower(now, 1, steps)), [1, 2, 2]);
        assert_eq!(track.lower(now, 2, 1), 2);
        let later = now + Duration::from_secs(2);
        assert_eq!(track.choose(later, &Choice::Rid("l".into())), 2);
        assert!(track.flow_changed(later));
    }

    #[test]
    fn packets_of_unknown_encodings_are_ignored() {
        let mut track = simulcast();
        flow(&mut track, 200, Time::ZERO);
        assert!(track.encodings.iter().all(|e| e.last_packet.is_none()));
    }
}
