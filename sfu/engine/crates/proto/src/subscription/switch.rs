//! Which encoding of which track a subscription shows, and where its numbers go on when that changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Feed, Subscription, Wish};
use crate::codec_match::{match_codec, match_primary};
use crate::message::{Kind, TrackId};
use crate::packet::Packet;
use crate::time::Time;
use crate::track::Track;

/// Feeds before the current one that retransmissions may still ask for.
const OLD_FEEDS: usize = 3;

/// The control side is told of a mismatch at most this often: a publisher may alternate.
const MISMATCH: Duration = Duration::from_secs(5);

impl Subscription {
    /// Choose the encoding of `track` again: after a subscription, a choice, or a change of what flows.
    /// `history`: how old a group of pictures may be to be replayed, None for no replay.
    pub fn choose(&mut self, now: Time, id: TrackId, track: &Track, history: Option<Duration>) -> Wish {
        let target = self.wanted(now, track);
        self.target = Some(target);
        if self.kind == Kind::Audio {
            return Wish::Nothing; // sound starts with its next packet
        }
        match &self.feed {
            Some(feed) if feed.track == id && feed.encoding == target && self.is_current(feed, track) => {
                Wish::Nothing
            }
            // What is being seen goes on until the keyframe comes.
            Some(feed) if feed.track == id && track.flows(now, feed.encoding) => Wish::Keyframe(target),
            // So does the track that is left, until the worker says that it was lost.
            Some(feed) if feed.track != id => Wish::Keyframe(target),
            _ if !self.denied.has_turn() => Wish::Nothing,
            _ => self.replay(now, id, track, target, history),
        }
    }

    fn is_current(&self, feed: &Feed, track: &Track) -> bool {
        track.encodings.get(usize::from(feed.encoding)).is_some_and(|e| e.generation == feed.generation)
    }

    /// Take `packet` as the first of a new feed.
    pub(super) fn switch(&mut self, now: Time, id: TrackId, track: &Track, packet: &Arc<Packet>) -> Wish {
        let whole = match_codec(&packet.codec, &self.codecs);
        let matched = whole.or_else(|| match_primary(&packet.codec, &self.codecs));
        let Some(codec) = matched.map(|at| &self.codecs[at]) else {
            self.retire();
            self.mismatch = Some(packet.codec.clone());
            if self.mismatch_told.is_some_and(|at| now.since(at) < MISMATCH) {
                return Wish::Nothing;
            }
            self.mismatch_told = Some(now);
            return Wish::Mismatch;
        };
        let (payload_type, rtx_payload_type) = (codec.payload_type, codec.rtx_payload_type);
        self.mismatch = None;
        let ours = self.time_of(track, packet);
        let picture_shift = match packet.vp8.as_ref() {
            Some(vp8) => (
                vp8.picture_id
                    .map_or(0, |(id, _, _)| self.numbers.last_picture.0.wrapping_add(1).wrapping_sub(id)),
                vp8.tl0picidx.map_or(0, |(i, _)| self.numbers.last_picture.1.wrapping_add(1).wrapping_sub(i)),
            ),
            None => (0, 0),
        };
        self.retire();
        self.feed = Some(Feed {
            track: id,
            encoding: packet.encoding,
            generation: packet.generation,
            first: packet.seq,
            first_index: self.numbers.next_index,
            codec: packet.codec.clone(),
            payload_type,
            rtx_payload_type,
            strip_red: whole.is_none(),
            since: now,
            time_shift: ours.wrapping_sub(packet.rtp_time) as i64,
            picture_shift,
            replay: None,
            retimed: VecDeque::new(),
        });
        self.next_report = now;
        self.stats.switches.add(1);
        self.stats.encoding.set(u64::from(packet.encoding) + 1);
        Wish::Switched
    }

    pub(super) fn retire(&mut self) {
        if let Some(feed) = self.feed.take() {
            self.old.push_back(feed);
            if self.old.len() > OLD_FEEDS {
                self.old.pop_front();
            }
        }
        self.stats.encoding.set(0);
    }

    /// RTP time on this subscription's clock for a packet of any source, by its capture time; later than
    /// all that was sent.
    fn time_of(&mut self, track: &Track, packet: &Packet) -> u64 {
        let rate = packet.codec.clock_rate;
        let capture = self.capture_us(track, packet);
        let (capture_base, time_base) = *self.numbers.base.get_or_insert((capture, self.numbers.first_time));
        let ticks = i128::from(capture - capture_base) * i128::from(rate) / 1_000_000;
        let ours = time_base.wrapping_add_signed(ticks as i64);
        if self.numbers.last_time != 0 && ours <= self.numbers.last_time {
            self.numbers.last_time + u64::from(rate / 1_000) // a millisecond on
        } else {
            ours
        }
    }

    pub(super) fn capture_us(&self, track: &Track, packet: &Packet) -> i64 {
        track.encodings.get(usize::from(packet.encoding)).map_or(packet.arrival.micros() as i64, |e| {
            e.clock.capture_us(packet.rtp_time, packet.codec.clock_rate)
        })
    }
}
