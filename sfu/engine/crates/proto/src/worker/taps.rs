//! Taps: server-side participants in this process that read a source.

use std::sync::Arc;

use super::Worker;
use crate::message::{Choice, Event, Kind, TapId, TrackId};
use crate::packet::{Packet, Report};
use crate::tap::{TapQueue, Tapped};
use crate::time::Time;
use crate::track::Track;

#[derive(Debug)]
pub struct Tap {
    source: TrackId,
    kind: Kind,
    track: Option<TrackId>,
    choice: Choice,
    queue: Arc<TapQueue>,
    /// Track, encoding and its generation that are being read.
    feed: Option<(TrackId, u8, u32)>,
    generation: u64,
}

impl Tap {
    /// Returns true if the reader should be told, and the encoding of which a keyframe is wanted.
    fn choose(&mut self, now: Time, id: TrackId, track: &Track) -> (bool, Option<u8>) {
        let target = track.choose(now, &self.choice);
        if self.kind == Kind::Audio {
            return (false, None);
        }
        let Some(encoding) = track.encodings.get(usize::from(target)) else { return (false, None) };
        if self.feed == Some((id, target, encoding.generation)) {
            return (false, None);
        }
        let seen = self.feed.is_some_and(|(t, e, _)| t == id && track.flows(now, e));
        let start = encoding.ring.group_of_pictures(now, std::time::Duration::MAX);
        let Some(start) = start.filter(|_| !seen) else { return (false, Some(target)) };
        self.begin(id, target, encoding.generation);
        let mut tell = self.tell_report(track, target);
        for packet in encoding.ring.from(start) {
            tell |= self.push(track, packet);
        }
        (tell, None)
    }

    fn begin(&mut self, id: TrackId, encoding: u8, generation: u32) {
        self.feed = Some((id, encoding, generation));
        self.generation += 1;
    }

    fn tell_report(&self, track: &Track, encoding: u8) -> bool {
        let report = track.encodings.get(usize::from(encoding)).and_then(|e| e.clock.last_report());
        report.is_some_and(|report| {
            let rid = track.rids[usize::from(encoding)].clone();
            self.queue.push(Tapped::Report { rid, generation: self.generation, report })
        })
    }

    fn push(&mut self, track: &Track, packet: &Arc<Packet>) -> bool {
        if packet.empty {
            return false;
        }
        let rid = track.rids[usize::from(packet.encoding)].clone();
        self.queue.push(Tapped::Packet { rid, generation: self.generation, packet: packet.clone() })
    }

    fn forward(&mut self, now: Time, id: TrackId, track: &Track, packet: &Arc<Packet>) -> (bool, Option<u8>) {
        if self.track != Some(id) {
            return (false, None);
        }
        if self.feed == Some((id, packet.encoding, packet.generation)) {
            return (self.push(track, packet), None);
        }
        let target = track.choose(now, &self.choice);
        if packet.encoding != target {
            return (false, None);
        }
        if self.kind == Kind::Video && !packet.keyframe_start {
            return (false, Some(target));
        }
        self.begin(id, packet.encoding, packet.generation);
        let told = self.tell_report(track, packet.encoding);
        (self.push(track, packet) | told, None)
    }
}

impl Worker {
    pub(super) fn open_tap(
        &mut self,
        now: Time,
        id: TapId,
        source: TrackId,
        kind: Kind,
        choice: Choice,
        queue: Arc<TapQueue>,
    ) {
        let tap = Tap { source, kind, track: None, choice, queue, feed: None, generation: 0 };
        self.taps.insert(id, tap);
        let track = match self.aliases.get_mut(&source) {
            Some(alias) => {
                alias.taps.push(id);
                alias.target
            }
            None => Some(source),
        };
        self.set_tap_track(now, id, track);
    }

    pub(super) fn set_tap_track(&mut self, now: Time, id: TapId, new: Option<TrackId>) {
        let Some(tap) = self.taps.get_mut(&id) else { return };
        let (old, kind) = (tap.track, tap.kind);
        if old == new {
            return;
        }
        tap.track = new;
        tap.feed = None;
        if let Some(old) = old {
            if let Some(track) = self.tracks.get_mut(&old) {
                track.taps.retain(|&t| t != id);
            }
            self.drop_unused_mirror(old);
        }
        if let Some(new) = new {
            let track = self.track_or_mirror(new, kind);
            track.taps.push(id);
            self.choose_for_tap(now, id);
        }
    }

    pub(super) fn choose_for_tap(&mut self, now: Time, id: TapId) {
        let Some(tap) = self.taps.get_mut(&id) else { return };
        let Some(track_id) = tap.track else { return };
        let Some(track) = self.tracks.get(&track_id) else { return };
        let (tell, keyframe) = tap.choose(now, track_id, track);
        if tell {
            self.events.push(Event::TapReadable { tap: id });
        }
        if let Some(encoding) = keyframe {
            self.request_keyframe(now, track_id, encoding);
        }
    }

    /// Returns the encodings of which keyframes are wanted, as bits.
    pub(super) fn deliver_to_taps(&mut self, now: Time, id: TrackId, packet: &Arc<Packet>) -> u64 {
        let Some(track) = self.tracks.get(&id) else { return 0 };
        let mut keyframes = 0;
        for tap_id in &track.taps {
            let Some(tap) = self.taps.get_mut(tap_id) else { continue };
            let (tell, keyframe) = tap.forward(now, id, track, packet);
            if tell {
                self.events.push(Event::TapReadable { tap: *tap_id });
            }
            if let Some(encoding) = keyframe {
                keyframes |= 1 << (encoding & 63);
            }
        }
        keyframes
    }

    pub(super) fn report_to_taps(&mut self, id: TrackId, encoding: u8, report: Report) {
        let Some(track) = self.tracks.get(&id) else { return };
        for tap_id in &track.taps {
            let Some(tap) = self.taps.get(tap_id) else { continue };
            if tap.feed == Some((id, encoding, report.generation)) {
                let rid = track.rids[usize::from(encoding)].clone();
                if tap.queue.push(Tapped::Report { rid, generation: tap.generation, report }) {
                    self.events.push(Event::TapReadable { tap: *tap_id });
                }
            }
        }
    }

    pub(super) fn set_tap_encoding(&mut self, now: Time, id: TapId, choice: Choice) {
        if let Some(tap) = self.taps.get_mut(&id) {
            tap.choice = choice;
            self.choose_for_tap(now, id);
        }
    }

    pub(super) fn close_tap(&mut self, id: TapId) {
        let Some(tap) = self.taps.remove(&id) else { return };
        if let Some(alias) = self.aliases.get_mut(&tap.source) {
            alias.taps.retain(|&t| t != id);
        }
        if let Some(track) = tap.track {
            if let Some(track) = self.tracks.get_mut(&track) {
                track.taps.retain(|&t| t != id);
            }
            self.drop_unused_mirror(track);
        }
    }

    /// The source is gone for good: the reader is told after everything that waits.
    pub(super) fn end_tap(&mut self, id: TapId) {
        if let Some(tap) = self.taps.get(&id) {
            tap.queue.push(Tapped::Ended);
            self.events.push(Event::TapReadable { tap: id });
        }
        self.close_tap(id);
    }

    pub(super) fn tap_lost_track(&mut self, id: TapId, track: TrackId) {
        let Some(tap) = self.taps.get_mut(&id) else { return };
        if tap.source == track {
            self.end_tap(id);
        } else if tap.track == Some(track) {
            (tap.track, tap.feed) = (None, None); // its alias may point elsewhere any time
        }
    }
}
