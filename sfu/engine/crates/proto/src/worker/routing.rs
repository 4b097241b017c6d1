//! Tracks to subscribers: choice of encodings, aliases, and mirrors on other workers.

use std::sync::Arc;

use super::{Alias, Worker};
use crate::message::{Event, Kind, Message, TrackId, WorkerIndex};
use crate::packet::{Packet, Report};
use crate::subscription::{Subscription, Wish};
use crate::time::Time;
use crate::track::{Place, Track};

impl Worker {
    /// Do what a subscription wishes.
    pub(super) fn grant(&mut self, now: Time, place: Place, wish: Wish) {
        let Some(transport) = self.transports.get_mut(place.transport as usize).and_then(Option::as_mut)
        else {
            return;
        };
        let id = transport.id;
        let Some(subscription) = transport.subscription_mut(place.subscription) else { return };
        match wish {
            Wish::Nothing => {}
            Wish::Keyframe(encoding) => {
                if let Some(track) = subscription.track {
                    self.request_keyframe(now, track, encoding);
                }
            }
            Wish::Switched => {
                let track = subscription.track;
                let left = subscription.take_left();
                for old in left.into_iter().filter(|&old| Some(old) != track) {
                    self.detach(place, old);
                }
                self.mark_dirty(place.transport);
                self.reschedule(place.transport);
            }
            Wish::Mismatch => {
                let codec = subscription.mismatched().unwrap_or_default();
                let subscription = subscription.id;
                self.events.push(Event::CodecMismatch { transport: id, subscription, codec });
            }
        }
    }

    /// Point a subscription at a track; what it shows goes on until the new one's keyframe.
    pub(super) fn set_track(&mut self, now: Time, place: Place, id: Option<TrackId>) {
        let Some(subscription) = self.subscription_mut(place) else { return };
        let (old, kind) = (subscription.track, subscription.kind);
        if old == id {
            return;
        }
        subscription.track = id;
        let shown = subscription.feed().map(|f| f.track);
        if let Some(old) = old.filter(|&old| shown != Some(old) || id.is_none()) {
            self.detach(place, old);
        }
        if id.is_none() {
            // Nothing is to be seen: not what was still being left either.
            if let Some(subscription) = self.subscription_mut(place) {
                subscription.stop();
            }
            if let Some(shown) = shown.filter(|&shown| Some(shown) != old) {
                self.detach(place, shown);
            }
        }
        if let Some(id) = id {
            self.attach(place, id, kind);
            self.choose(now, place);
        }
    }

    fn subscription_mut(&mut self, place: Place) -> Option<&mut Subscription> {
        self.transport_mut(place.transport)?.subscription_mut(place.subscription)
    }

    pub(super) fn attach(&mut self, place: Place, id: TrackId, kind: Kind) {
        let track = self.track_or_mirror(id, kind);
        if !track.subscribers.contains(&place) {
            track.subscribers.push(place);
        }
    }

    /// The track, mirrored from its owner if it is not ours.
    pub(super) fn track_or_mirror(&mut self, id: TrackId, kind: Kind) -> &mut Track {
        if !self.tracks.contains_key(&id) {
            for worker in (0..self.config.workers).filter(|&w| w != self.index) {
                self.messages.push_back((worker, Message::Interest { track: id, from: self.index }));
            }
        }
        self.tracks.entry(id).or_insert_with(|| Track::new(kind, &[]))
    }

    pub(super) fn detach(&mut self, place: Place, id: TrackId) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.subscribers.retain(|&p| p != place);
        }
        self.drop_unused_mirror(id);
    }

    pub(super) fn drop_unused_mirror(&mut self, id: TrackId) {
        let unused = self.tracks.get(&id).is_some_and(|t| t.subscribers.is_empty() && t.taps.is_empty());
        if unused && !self.publishers.contains_key(&id) {
            self.tracks.remove(&id);
            for worker in (0..self.config.workers).filter(|&w| w != self.index) {
                self.messages.push_back((worker, Message::Disinterest { track: id, from: self.index }));
            }
        }
    }

    pub(super) fn add_interest(&mut self, id: TrackId, from: WorkerIndex) {
        let workers = self.interest.entry(id).or_default();
        if !workers.contains(&from) {
            workers.push(from);
        }
        if self.publishers.contains_key(&id) {
            self.send_history(id, from);
        }
    }

    pub(super) fn remove_interest(&mut self, id: TrackId, from: WorkerIndex) {
        if let Some(workers) = self.interest.get_mut(&id) {
            workers.retain(|&w| w != from);
            if workers.is_empty() {
                self.interest.remove(&id);
            }
        }
    }

    pub(super) fn send_history(&mut self, id: TrackId, to: WorkerIndex) {
        let Some(track) = self.tracks.get(&id) else { return };
        let mut reports = Vec::new();
        let mut packets = Vec::new();
        for (index, encoding) in track.encodings.iter().enumerate() {
            packets.extend(encoding.ring.from(0).cloned());
            reports.extend(encoding.clock.last_report().map(|r| (index as u8, r)));
        }
        let rids = track.rids.iter().map(|r| r.to_string()).collect();
        self.messages
            .push_back((to, Message::History { track: id, kind: track.kind, rids, packets, reports }));
    }

    pub(super) fn take_history(
        &mut self,
        now: Time,
        id: TrackId,
        kind: Kind,
        rids: &[String],
        packets: &[Arc<Packet>],
        reports: &[(u8, Report)],
    ) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.describe(kind, rids);
        for packet in packets {
            track.push(&Arc::new(Packet::clone(packet)), &self.config.limits);
        }
        for &(encoding, report) in reports {
            track.report(encoding, report);
        }
        self.choose_all(now, id);
    }

    /// Everybody on this track chooses again.
    pub(super) fn choose_all(&mut self, now: Time, id: TrackId) {
        let Some(track) = self.tracks.get(&id) else { return };
        let (places, taps) = (track.subscribers.clone(), track.taps.clone());
        for place in places {
            self.choose(now, place);
        }
        for tap in taps {
            self.choose_for_tap(now, tap);
        }
    }

    pub(super) fn choose(&mut self, now: Time, place: Place) {
        let Some(transport) = self.transports.get_mut(place.transport as usize).and_then(Option::as_mut)
        else {
            return;
        };
        if !transport.can_send() {
            return;
        }
        let Some(subscription) = transport.subscription_mut(place.subscription) else { return };
        let Some(id) = subscription.track else { return };
        let Some(track) = self.tracks.get(&id) else { return };
        let shown = subscription.feed().filter(|f| f.track != id).map(|f| (f.track, f.encoding));
        // Without it, the next keyframe.
        let limits = &self.config.limits;
        let history = self.budget.admits(now).then_some(limits.replay_age);
        let replayed = subscription.replays();
        let lost = shown.is_some_and(|(old, e)| !self.tracks.get(&old).is_some_and(|t| t.flows(now, e)));
        if lost {
            subscription.wait_no_longer();
        }
        let wish = if lost && subscription.kind == Kind::Video {
            subscription.lost_old(now, id, track, history)
        } else {
            subscription.choose(now, id, track, history)
        };
        if !replayed && subscription.replays() {
            self.budget.admit(now, subscription.replay_bytes(now, track), limits.replay_bps);
        }
        self.grant(now, place, wish);
    }

    pub(super) fn start_subscriptions(&mut self, now: Time, slot: u32) {
        let count = self.transport_mut(slot).map_or(0, |t| t.subscriptions.len());
        for subscription in 0..count {
            self.choose(now, Place { transport: slot, subscription: subscription as u16 });
        }
        self.mark_dirty(slot);
    }

    pub(super) fn want_keyframe_for(&mut self, now: Time, slot: u32, place: u16) {
        let Some(subscription) = self.subscription_mut(Place { transport: slot, subscription: place }) else {
            return;
        };
        // A replay comes to the live edge by itself; who is paused gets no picture yet.
        if subscription.replays() || !subscription.denied().has_turn() {
            return;
        }
        let shown = subscription.feed().map(|f| (f.track, f.encoding));
        if let Some((track, encoding)) = shown.or(subscription.track.map(|t| (t, 0))) {
            self.request_keyframe(now, track, encoding);
        }
    }

    pub(super) fn request_keyframe(&mut self, now: Time, id: TrackId, encoding: u8) {
        if self.publishers.contains_key(&id) {
            self.want_keyframe_here(now, id, encoding);
            return;
        }
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if track.may_ask_keyframe(now, encoding) {
            for worker in (0..self.config.workers).filter(|&w| w != self.index) {
                self.messages.push_back((worker, Message::KeyframeWanted { track: id, encoding }));
            }
        }
    }

    pub(super) fn want_keyframe_here(&mut self, now: Time, id: TrackId, encoding: u8) {
        match self.publishers.get(&id) {
            Some(&Some(slot)) => {
                let news =
                    self.transport_mut(slot).is_some_and(|t| t.receiver.want_keyframe(now, id, encoding));
                if news {
                    self.service(now, slot);
                }
            }
            Some(None) => self.want_injected_keyframe(now, id, encoding),
            None => {}
        }
    }

    /// The track is gone for good.
    pub(super) fn end_track(&mut self, now: Time, id: TrackId) {
        let Some(track) = self.tracks.remove(&id) else { return };
        for place in track.subscribers {
            let Some(subscription) = self.subscription_mut(place) else { continue };
            if subscription.track == Some(id) {
                subscription.track = None;
            } else {
                self.choose(now, place); // it still showed this one
            }
        }
        for tap in track.taps {
            self.tap_lost_track(tap, id);
        }
    }

    pub(super) fn point_alias(
        &mut self,
        now: Time,
        id: TrackId,
        target: Option<TrackId>,
        picture: Option<TrackId>,
    ) {
        let alias = self.aliases.entry(id).or_insert_with(|| Alias {
            target: None,
            subscribers: Vec::new(),
            taps: Vec::new(),
        });
        alias.target = target;
        let (subscribers, taps) = (alias.subscribers.clone(), alias.taps.clone());
        for place in subscribers {
            self.set_track(now, place, target);
            if let Some((transport, picture)) = self.transport_mut(place.transport).zip(picture) {
                transport.let_sound_wait(now, place.subscription, picture);
            }
        }
        for tap in taps {
            self.set_tap_track(now, tap, target);
        }
    }

    /// Follow a source: an alias and what it points at, or a track.
    pub(super) fn follow(&mut self, now: Time, place: Place, source: TrackId) {
        let track = match self.aliases.get_mut(&source) {
            Some(alias) => {
                if !alias.subscribers.contains(&place) {
                    alias.subscribers.push(place);
                }
                alias.target
            }
            None => Some(source),
        };
        self.set_track(now, place, track);
    }

    pub(super) fn unfollow(&mut self, place: Place, source: TrackId) {
        if let Some(alias) = self.aliases.get_mut(&source) {
            alias.subscribers.retain(|&p| p != place);
        }
    }
}
