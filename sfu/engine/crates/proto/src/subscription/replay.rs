//! A joiner's replay: the current group of pictures, with its times squeezed until it meets the live edge.

use super::{Replay, Subscription, Wish};
use crate::config::Limits;
use crate::egress::Queued;
use crate::message::TrackId;
use crate::time::Time;
use crate::track::Track;

impl Subscription {
    /// The track that is still shown has ended or gone silent: start from the history of the new one.
    pub fn lost_old(&mut self, now: Time, id: TrackId, track: &Track, limits: &Limits) -> Wish {
        let target = self.wanted(now, track);
        self.target = Some(target);
        if self.denied.paused {
            self.retire();
            return Wish::Nothing;
        }
        self.replay(now, id, track, target, limits)
    }

    /// Start from the current group of pictures if it is young enough, else ask for a keyframe.
    pub(super) fn replay(
        &mut self,
        now: Time,
        id: TrackId,
        track: &Track,
        target: u8,
        limits: &Limits,
    ) -> Wish {
        let Some(encoding) = track.encodings.get(usize::from(target)) else { return Wish::Nothing };
        let start = encoding.ring.group_of_pictures(now, limits.replay_age);
        let Some(first) = start.and_then(|s| encoding.ring.get(s)) else { return Wish::Keyframe(target) };
        let Some(last) = encoding.ring.last() else { return Wish::Keyframe(target) };
        let first = first.clone();
        let live_capture = encoding.clock.capture_us(last.rtp_time, last.codec.clock_rate);
        let lag_us = (last.arrival.micros() as i64 - live_capture).max(0);
        let wish = self.switch(now, id, track, &first);
        if wish == Wish::Switched {
            if let Some(feed) = &mut self.feed {
                feed.replay = Some(Replay { cursor: first.seq, lag_us });
            }
            self.next_report = Time::FAR; // reports of the picture begin at the live edge
            self.stats.replayed.add(1);
        }
        wish
    }

    /// The next packet of the replay; None when it has met the live edge.
    pub fn replay_next(&mut self, now: Time, place: u16, track: &Track) -> Option<Queued> {
        let feed = self.feed.as_mut()?;
        let replay = feed.replay.as_mut()?;
        let encoding = track.encodings.get(usize::from(feed.encoding))?;
        let found = if encoding.generation == feed.generation {
            encoding.ring.from(replay.cursor).next().cloned()
        } else {
            None
        };
        let Some(packet) = found else {
            self.meet_live(now, track);
            return None;
        };
        replay.cursor = packet.seq + 1;
        let fresh = feed.retimed.back().is_none_or(|&(t, _)| packet.rtp_time > t);
        if fresh {
            // As if captured just now, less what live packets lag: arrival and RTP time advance together,
            // so that the receiver's delay estimate stays small.
            let rate = packet.codec.clock_rate;
            let shown = now.micros() as i64 - replay.lag_us;
            let (capture_base, time_base) = self.numbers.base?;
            let ticks = i128::from(shown - capture_base) * i128::from(rate) / 1_000_000;
            let ours = time_base.wrapping_add_signed(ticks as i64).max(self.numbers.last_time + 1);
            feed.retime(packet.rtp_time, ours);
        }
        self.queue(place, &packet)
    }

    fn meet_live(&mut self, now: Time, track: &Track) {
        let Some(feed) = &mut self.feed else { return };
        feed.replay = None;
        let Some(last) = track.encodings.get(usize::from(feed.encoding)).and_then(|e| e.ring.last()).cloned()
        else {
            return;
        };
        let (Some((capture_base, time_base)), rate) = (self.numbers.base, last.codec.clock_rate) else {
            return;
        };
        let capture = self.capture_us(track, &last);
        let ticks = i128::from(capture - capture_base) * i128::from(rate) / 1_000_000;
        let live = time_base.wrapping_add_signed(ticks as i64);
        if let Some(feed) = &mut self.feed {
            feed.time_shift = live.wrapping_sub(last.rtp_time) as i64;
        }
        self.next_report = now;
    }
}
