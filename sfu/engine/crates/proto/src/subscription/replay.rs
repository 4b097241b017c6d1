//! A joiner's replay: the current group of pictures, with its times squeezed until it meets the live edge.

use std::time::Duration;

use super::{Replay, Subscription, Wish};
use crate::egress::Queued;
use crate::message::TrackId;
use crate::time::Time;
use crate::track::Track;

/// At four times its rate a replay of 2.5 s meets the live edge after 0.8 s. One that has not is given up for
/// the next keyframe.
const AT_MOST: Duration = Duration::from_secs(1);

impl Subscription {
    /// The track that is still shown has ended or gone silent: start from the history of the new one.
    pub fn lost_old(&mut self, now: Time, id: TrackId, track: &Track, history: Option<Duration>) -> Wish {
        let target = self.wanted(now, track);
        self.target = Some(target);
        if !self.denied.has_turn() {
            self.retire();
            return Wish::Nothing;
        }
        self.replay(now, id, track, target, history)
    }

    /// Start from the current group of pictures if it is young enough, else ask for a keyframe.
    pub(super) fn replay(
        &mut self,
        now: Time,
        id: TrackId,
        track: &Track,
        target: u8,
        history: Option<Duration>,
    ) -> Wish {
        let Some(encoding) = track.encodings.get(usize::from(target)) else { return Wish::Nothing };
        let start = history.and_then(|age| encoding.ring.group_of_pictures(now, age));
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

    pub(super) fn replay_overdue(&self, now: Time) -> bool {
        self.feed.as_ref().is_some_and(|f| f.replay.is_some() && now.since(f.since) > AT_MOST)
    }

    /// What a replay that begins now comes to: what has gathered since its keyframe, and a third of that
    /// while it lasts.
    pub fn replay_bytes(&self, now: Time, track: &Track) -> usize {
        let Some(feed) = &self.feed else { return 0 };
        let Some(encoding) = track.encodings.get(usize::from(feed.encoding)) else { return 0 };
        let age = encoding.ring.get(feed.first).map_or(Duration::ZERO, |p| now.since(p.arrival));
        (encoding.bitrate_bps as u128 * age.as_micros() / 8 * 4 / 3 / 1_000_000) as usize
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
