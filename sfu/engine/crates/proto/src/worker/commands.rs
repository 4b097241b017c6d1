//! Orders from the control side, carried out.

use std::collections::VecDeque;

use super::{Alias, Known, Worker, CREDENTIALS};
use crate::message::{
    CloseReason, Command, Event, IceCredentials, Message, SubscriptionId, SubscriptionSpec, TrackId,
    TrackSpec, TransportId, TransportSpec,
};
use crate::time::Time;
use crate::track::{Place, Track};

impl Worker {
    pub(super) fn handle_command(&mut self, now: Time, command: Command) {
        match command {
            Command::OpenTransport(spec) => self.open_transport(now, spec),
            Command::RestartIce { transport, local, remote } => {
                self.learn_credentials(transport, &local);
                if let Some(&slot) = self.owned.get(&transport) {
                    if let Some(t) = self.transport_mut(slot) {
                        t.ice_mut().restart(local, remote);
                    }
                } else if let Some(spec) = self.known.get_mut(&transport).and_then(|k| k.spec.as_mut()) {
                    (spec.local, spec.remote) = (local, remote);
                }
            }
            Command::SetKeys { transport, keys } => {
                let max_ssrcs = self.config.limits.ssrcs_per_transport;
                let Some(&slot) = self.owned.get(&transport) else { return };
                let Some(t) = self.transport_mut(slot) else { return };
                let shook = t.handshake_in_flight();
                let Ok(early) = t.set_keys(now, &keys, max_ssrcs) else { return };
                self.handshakes -= usize::from(shook);
                self.start_subscriptions(now, slot);
                for (remote, mut data) in early {
                    self.handle_media(now, slot, remote, &mut data);
                }
                self.reschedule(slot);
            }
            Command::SendDtls { transport, data } => {
                let Some(&slot) = self.owned.get(&transport) else { return };
                if let Some(t) = self.transport_mut(slot) {
                    let before = t.handshake_in_flight();
                    t.send_dtls(data);
                    let began = !before && t.handshake_in_flight();
                    self.handshakes += usize::from(began);
                    self.mark_dirty(slot);
                }
            }
            Command::CloseTransport { transport } => match self.owned.get(&transport) {
                Some(&slot) => self.close_slot(now, slot, None),
                None => self.forget(transport),
            },
            Command::AddTrack { transport, track } => self.add_track(now, transport, track),
            Command::RemoveTrack { track } => self.remove_track(now, track),
            Command::AddSubscription { transport, subscription } => {
                self.add_subscription(now, transport, subscription);
            }
            Command::RemoveSubscription { subscription, .. } => self.remove_subscription(subscription),
            Command::SetSource { subscription, source, .. } => {
                let Some(&place) = self.subscriptions.get(&subscription) else { return };
                let Some(old) = self.source_of(place, Some(source)) else { return };
                self.unfollow(place, old);
                self.follow(now, place, source);
            }
            Command::SetEncoding { subscription, encoding, .. } => {
                let Some(&place) = self.subscriptions.get(&subscription) else { return };
                if let Some(s) =
                    self.transport_mut(place.transport).and_then(|t| t.subscription_mut(place.subscription))
                {
                    s.choice = encoding;
                    self.choose(now, place);
                }
            }
            Command::OpenInjector(spec) => self.open_injector(now, spec),
            Command::Inject { track, rid, packets } => self.inject(now, track, &rid, packets),
            Command::InjectReport { track, rid, ntp, rtp_time } => {
                self.inject_report(now, track, &rid, ntp, rtp_time);
            }
            Command::PointAlias { alias, target, picture, .. } => {
                self.point_alias(now, alias, target, picture);
            }
            Command::RemoveAlias { alias } => self.remove_alias(now, alias),
            Command::OpenTap { tap, source, kind, encoding, queue } => {
                self.open_tap(now, tap, source, kind, encoding, queue);
            }
            Command::SetTapEncoding { tap, encoding } => self.set_tap_encoding(now, tap, encoding),
            Command::CloseTap { tap } => self.close_tap(tap),
            Command::RequestKeyframe { source } => {
                let track = self.aliases.get(&source).map_or(Some(source), |a| a.target);
                let Some(track) = track.filter(|t| self.publishers.contains_key(t)) else { return };
                let encodings = self.tracks.get(&track).map_or(0, |t| t.encodings.len());
                for encoding in 0..encodings {
                    self.want_keyframe_here(now, track, encoding as u8);
                }
            }
        }
    }

    fn open_transport(&mut self, now: Time, spec: TransportSpec) {
        let (id, dials) = (spec.id, spec.dial.is_some());
        // The router made the slot; without it the transport was closed before this worker came to it.
        let Some(slot) = self.directory.transport(id) else { return };
        let local = spec.local.clone();
        self.known.insert(
            id,
            Known { slot, spec: Some(spec), local: Vec::new(), strays: VecDeque::new(), since: now },
        );
        self.learn_credentials(id, &local);
        if dials && id as usize % self.config.workers == self.index {
            self.claim(now, id);
        }
    }

    fn learn_credentials(&mut self, id: TransportId, local: &IceCredentials) {
        let Some(known) = self.known.get_mut(&id) else { return };
        self.ufrags.insert(local.ufrag.clone(), id);
        known.local.push(local.clone());
        if known.local.len() > CREDENTIALS {
            let old = known.local.remove(0);
            self.ufrags.remove(&old.ufrag);
        }
    }

    fn add_track(&mut self, now: Time, transport: TransportId, spec: TrackSpec) {
        let Some(&slot) = self.owned.get(&transport) else { return };
        let stats = self.directory.add_track(spec.id);
        let (id, kind, rids) = (spec.id, spec.kind, spec.rids.clone());
        let Some(t) = self.transport_mut(slot) else { return };
        t.receiver.add_track(spec, stats);
        self.own_track(now, id, kind, &rids, Some(slot));
    }

    pub(super) fn own_track(
        &mut self,
        now: Time,
        id: TrackId,
        kind: crate::message::Kind,
        rids: &[String],
        publisher: Option<u32>,
    ) {
        self.publishers.insert(id, publisher);
        match self.tracks.get_mut(&id) {
            Some(track) => track.describe(kind, rids),
            None => {
                self.tracks.insert(id, Track::new(kind, rids));
            }
        }
        for worker in self.interest.get(&id).cloned().unwrap_or_default() {
            self.send_history(id, worker);
        }
        self.choose_all(now, id);
    }

    pub(super) fn remove_track(&mut self, now: Time, id: TrackId) {
        let Some(publisher) = self.publishers.remove(&id) else { return };
        if let Some(transport) = publisher.and_then(|slot| self.transport_mut(slot)) {
            transport.receiver.remove_track(id);
        }
        self.injectors.remove(&id);
        self.directory.remove_track(id);
        for worker in self.interest.remove(&id).unwrap_or_default() {
            self.messages.push_back((worker, Message::Ended { track: id }));
        }
        self.end_track(now, id);
    }

    fn add_subscription(&mut self, now: Time, transport: TransportId, spec: SubscriptionSpec) {
        let Some(&slot) = self.owned.get(&transport) else { return };
        let stats = self.directory.add_subscription(spec.id);
        let (id, source) = (spec.id, spec.source);
        let Some(t) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let subscription = t.add_subscription(spec, stats, &mut self.rng);
        let place = Place { transport: slot, subscription };
        self.subscriptions.insert(id, place);
        self.follow(now, place, source);
        self.mark_dirty(slot);
    }

    fn remove_subscription(&mut self, id: SubscriptionId) {
        let Some(place) = self.subscriptions.remove(&id) else { return };
        self.directory.remove_subscription(id);
        let Some(removed) =
            self.transport_mut(place.transport).and_then(|t| t.remove_subscription(place.subscription))
        else {
            return;
        };
        self.unfollow(place, removed.source);
        let shown = removed.feed().map(|f| f.track);
        for track in [removed.track, shown].into_iter().flatten() {
            self.detach(place, track);
        }
    }

    /// The source of a subscription, replaced if there is a new one.
    fn source_of(&mut self, place: Place, new: Option<TrackId>) -> Option<TrackId> {
        let s = self.transport_mut(place.transport)?.subscription_mut(place.subscription)?;
        let old = s.source;
        if let Some(new) = new {
            s.source = new;
        }
        Some(old)
    }

    fn remove_alias(&mut self, now: Time, id: TrackId) {
        let Some(Alias { subscribers, taps, .. }) = self.aliases.remove(&id) else { return };
        for place in subscribers {
            self.set_track(now, place, None);
        }
        for tap in taps {
            self.end_tap(tap);
        }
    }

    /// Close an owned transport, with everything it publishes and receives. `reason` is told to the
    /// control side; None where that gave the order.
    pub(super) fn close_slot(&mut self, now: Time, slot: u32, reason: Option<CloseReason>) {
        let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let id = transport.id;
        self.farewells.extend(transport.farewell());
        let tracks: Vec<TrackId> = transport.receiver.track_ids().collect();
        let subscriptions: Vec<SubscriptionId> =
            transport.subscriptions.iter().flatten().map(|s| s.id).collect();
        for subscription in subscriptions {
            self.remove_subscription(subscription);
        }
        for track in tracks {
            self.remove_track(now, track);
        }
        if let Some(gone) = self.transports[slot as usize].take() {
            self.handshakes -= usize::from(gone.handshake_in_flight());
            for remote in gone.ice().remotes() {
                self.drop_route(slot, remote);
            }
        }
        self.free.push(slot);
        self.owned.remove(&id);
        self.directory.remove_transport(id);
        for worker in (0..self.config.workers).filter(|&w| w != self.index) {
            self.messages.push_back((worker, Message::Forget { transport: id }));
        }
        self.forget(id);
        if let Some(reason) = reason {
            self.events.push(Event::Closed { transport: id, reason });
        }
    }

    /// A transport that is gone or somebody else's end: its credentials mean nothing any more.
    pub(super) fn forget(&mut self, id: TransportId) {
        if self.owned.contains_key(&id) {
            return;
        }
        if let Some(known) = self.known.remove(&id) {
            for credentials in known.local {
                if self.ufrags.get(&credentials.ufrag) == Some(&id) {
                    self.ufrags.remove(&credentials.ufrag);
                }
            }
            self.directory.remove_transport(id);
        }
    }
}
