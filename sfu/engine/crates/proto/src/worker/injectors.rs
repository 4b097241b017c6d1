//! Injectors: server-side participants in this process that fill a track.

use std::sync::Arc;

use super::Worker;
use crate::message::{CodecSpec, Event, InjectSpec, InjectedPacket, TrackId};
use crate::receive::{Encoding, Incoming};
use crate::stats::TrackStats;
use crate::time::Time;

/// A track filled from this process.
#[derive(Debug)]
pub struct Injector {
    codec: Arc<CodecSpec>,
    encodings: Vec<Encoding>,
    stats: Arc<TrackStats>,
}

impl Worker {
    pub(super) fn open_injector(&mut self, now: Time, spec: InjectSpec) {
        let stats = self.directory.add_track(spec.id);
        let rids = if spec.rids.is_empty() { vec![String::new()] } else { spec.rids.clone() };
        self.injectors.insert(
            spec.id,
            Injector {
                codec: Arc::new(spec.codec),
                encodings: rids.into_iter().map(Encoding::new).collect(),
                stats,
            },
        );
        self.own_track(now, spec.id, spec.kind, &spec.rids, None);
    }

    pub(super) fn inject(&mut self, now: Time, id: TrackId, rid: &str, packets: Vec<InjectedPacket>) {
        for packet in packets {
            let Some(injector) = self.injectors.get_mut(&id) else { return };
            let Some(index) = injector.encodings.iter().position(|e| e.rid() == rid) else { return };
            let incoming = Incoming {
                ssrc: Some(index as u32),
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                marker: packet.marker,
                payload: &packet.payload,
                codec: &injector.codec,
            };
            let encoding = &mut injector.encodings[index];
            let made = encoding.handle(now, incoming, id, index as u8, &injector.stats, &mut self.events);
            if let Some(mut made) = made {
                made.audio_level = packet.audio_level;
                if let Some(level) = packet.audio_level {
                    injector.stats.hear(level);
                }
                self.publish(now, id, Arc::new(made));
            }
        }
    }

    pub(super) fn inject_report(&mut self, now: Time, id: TrackId, rid: &str, ntp: u64, rtp_time: u32) {
        let Some(offset_us) = self.directory.observe_injected(now, ntp) else { return };
        let Some(injector) = self.injectors.get_mut(&id) else { return };
        let Some(index) = injector.encodings.iter().position(|e| e.rid() == rid) else { return };
        let report = injector.encodings[index].report(now, ntp, rtp_time, offset_us);
        self.publish_report(id, index as u8, report);
    }

    pub(super) fn want_injected_keyframe(&mut self, now: Time, id: TrackId, encoding: u8) {
        let Some(injector) = self.injectors.get_mut(&id) else { return };
        if let Some(e) = injector.encodings.get_mut(usize::from(encoding)) {
            e.want_keyframe(now);
        }
        self.tell_injectors(now);
    }

    /// Requests for keyframes that are due, and encodings that went silent.
    pub(super) fn tell_injectors(&mut self, now: Time) {
        for (&track, injector) in &mut self.injectors {
            for encoding in &mut injector.encodings {
                if encoding.keyframe_due(now) {
                    let rid = encoding.rid().to_owned();
                    self.events.push(Event::KeyframeNeeded { track, rid });
                }
                encoding.check_idle(now, track, &mut self.events);
            }
        }
    }
}
