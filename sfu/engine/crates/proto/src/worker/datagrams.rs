//! A datagram's way in: the first byte decides (RFC 7983), the remote address finds the transport.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Route, Worker};
use crate::directory::Claim;
use crate::ice::{check_slot, Ice};
use crate::message::{CloseReason, Message, TransportId};
use crate::receive::Outcome;
use crate::rtcp;
use crate::stun::{self, Class};
use crate::time::Time;
use crate::transport::{Context, Request, Transport};

impl Worker {
    pub(super) fn demultiplex(
        &mut self,
        now: Time,
        local: Option<IpAddr>,
        remote: SocketAddr,
        data: &mut [u8],
    ) {
        match data.first() {
            Some(0..=3) => {
                self.finish_fan_outs(now);
                self.handle_stun(now, local, remote, data);
            }
            Some(20..=63 | 128..=191) => match self.routes.get_mut(&remote) {
                Some(Route::Own(slot)) => {
                    let slot = *slot;
                    self.handle_media(now, slot, remote, data);
                }
                Some(Route::Foreign(owner, used)) => {
                    let owner = *owner;
                    *used = now;
                    self.hand_over(owner, local, remote, data);
                }
                None => self.stats.unroutable.add(1),
            },
            _ => self.stats.unroutable.add(1),
        }
    }

    fn hand_over(&mut self, owner: usize, local: Option<IpAddr>, remote: SocketAddr, data: &[u8]) {
        self.stats.strays.add(1);
        if owner != self.index {
            self.messages.push_back((owner, Message::Stray { local, remote, data: data.to_vec() }));
        }
    }

    fn handle_stun(&mut self, now: Time, local: Option<IpAddr>, remote: SocketAddr, data: &[u8]) {
        let Ok(message) = stun::Message::parse(data) else {
            self.stats.stun_refused.add(1);
            return;
        };
        match message.class() {
            Class::Request => {
                let id = Ice::local_ufrag(&message).and_then(|ufrag| self.ufrags.get(ufrag)).copied();
                let Some(id) = id else {
                    self.stats.stun_refused.add(1);
                    return;
                };
                self.stats.stun_requests.add(1);
                self.handle_request(now, local, remote, id, &message, data);
            }
            _ => match self.routes.get(&remote) {
                Some(&Route::Foreign(owner, _)) => self.hand_over(owner, local, remote, data),
                // An answer to our check: its transaction says whose, since the route may not be ours yet.
                _ => {
                    let slot = check_slot(message.transaction_id());
                    self.handle_stun_for(now, slot, local, remote, &message, data.len());
                }
            },
        }
    }

    fn handle_request(
        &mut self,
        now: Time,
        local: Option<IpAddr>,
        remote: SocketAddr,
        id: TransportId,
        message: &stun::Message<'_>,
        data: &[u8],
    ) {
        if !self.owned.contains_key(&id) {
            let Some(known) = self.known.get_mut(&id) else { return };
            if !known.local.iter().any(|local| Ice::authentic(local, message)) {
                self.stats.stun_refused.add(1);
                return;
            }
            if let Some(owner) = known.slot.owner() {
                known.spec = None;
                if !self.is_held(remote, None) {
                    self.routes.insert(remote, Route::Foreign(owner, now));
                    self.remember_stray(id, remote);
                }
                self.hand_over(owner, local, remote, data);
                return;
            }
            if !self.claim(now, id) {
                self.handle_request(now, local, remote, id, message, data); // another was faster
                return;
            }
        }
        if let Some(&slot) = self.owned.get(&id) {
            self.handle_stun_for(now, slot, local, remote, message, data.len());
        }
    }

    /// Forget the oldest address where there are too many.
    fn remember_stray(&mut self, id: TransportId, remote: SocketAddr) {
        let Some(known) = self.known.get_mut(&id) else { return };
        if known.strays.contains(&remote) {
            return;
        }
        known.strays.push_back(remote);
        if known.strays.len() > self.config.limits.paths_per_transport.max(1) {
            let oldest = known.strays.pop_front();
            if let Some(oldest) = oldest.filter(|o| matches!(self.routes.get(o), Some(Route::Foreign(..)))) {
                self.routes.remove(&oldest);
            }
        }
    }

    /// Become the owner and carry out what was ordered before there was one. False if somebody else is.
    pub(super) fn claim(&mut self, now: Time, id: TransportId) -> bool {
        let Some(known) = self.known.get_mut(&id) else { return true };
        let slot = known.slot.clone();
        let commands = match slot.claim(self.index) {
            Claim::Owned(_) => return false,
            Claim::Yours(commands) => commands,
        };
        let Some(spec) = known.spec.take() else { return true };
        let dials = spec.dial;
        let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
        let at = self.free.pop().unwrap_or_else(|| {
            self.transports.push(None);
            self.transports.len() as u32 - 1
        });
        self.transports[at as usize] = Some(Transport::new(spec, at, slot.stats.clone(), &mut cx));
        self.owned.insert(id, at);
        if let Some(remote) = dials {
            self.routes.insert(remote, Route::Own(at));
        }
        self.mark_dirty(at);
        for command in commands {
            self.handle_command(now, command);
        }
        true
    }

    fn handle_stun_for(
        &mut self,
        now: Time,
        slot: u32,
        local: Option<IpAddr>,
        remote: SocketAddr,
        message: &stun::Message<'_>,
        size: usize,
    ) {
        let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let could_send = transport.can_send();
        let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
        let ours = transport.handle_stun(&mut cx, local, remote, message, size);
        if !ours {
            self.stats.stun_refused.add(1);
            return;
        }
        let began = transport.can_send() && !could_send;
        let gone: Vec<SocketAddr> = transport.ice_mut().take_evicted().collect();
        for old in gone {
            self.drop_route(slot, old);
        }
        if self.routes.get(&remote) != Some(&Route::Own(slot)) && !self.is_held(remote, Some(slot)) {
            self.routes.insert(remote, Route::Own(slot));
        }
        self.service(now, slot);
        if began {
            self.start_subscriptions(now, slot);
        }
    }

    pub(super) fn handle_media(&mut self, now: Time, slot: u32, remote: SocketAddr, data: &mut [u8]) {
        if data[0] < 128 || rtcp::is_rtcp(data) {
            self.finish_fan_outs(now);
        }
        let room = self.handshakes < self.config.limits.handshakes;
        let tracks = &self.tracks;
        let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
        if data[0] < 128 {
            let before = transport.handshake_in_flight();
            if !transport.handle_dtls(&mut cx, remote, data, room) {
                self.stats.dtls_dropped.add(1);
            }
            self.handshakes += usize::from(!before && transport.handshake_in_flight());
            self.reschedule(slot);
            return;
        }
        if rtcp::is_rtcp(data) {
            let mut requests = Vec::new();
            let find = |feed: &crate::subscription::Feed, seq: u64| {
                let encoding = tracks.get(&feed.track)?.encodings.get(usize::from(feed.encoding))?;
                encoding.ring.get(seq).map(Arc::clone)
            };
            transport.handle_rtcp(&mut cx, remote, data, find, &mut requests);
            for request in requests {
                match request {
                    Request::Keyframe(place) => self.want_keyframe_for(now, slot, place),
                    Request::Report(track, encoding, report) => self.publish_report(track, encoding, report),
                }
            }
            self.mark_dirty(slot);
            return;
        }
        match transport.handle_rtp(&mut cx, remote, data) {
            Outcome::Packet(track, packet) => {
                self.publish(now, track, Arc::new(packet));
                if let Some(transport) = self.transport_mut(slot) {
                    if let Some((track, encoding, report)) = transport.early_report(data) {
                        self.publish_report(track, encoding, report);
                    }
                }
            }
            Outcome::Nothing => {}
            Outcome::TooFast => {
                self.finish_fan_outs(now);
                self.close_slot(now, slot, Some(CloseReason::TooFast));
                return;
            }
        }
        self.reschedule(slot);
    }

    /// Whether an address belongs to a transport of ours that has proved to be there, other than `slot`.
    /// It keeps it until it is stale or proves to be `slot`'s: a request from a spoofed source must not turn
    /// another viewer's packets away.
    fn is_held(&self, remote: SocketAddr, slot: Option<u32>) -> bool {
        let Some(&Route::Own(holder)) = self.routes.get(&remote) else { return false };
        let verified = |slot: u32| {
            let transport = self.transports.get(slot as usize).and_then(Option::as_ref);
            transport.is_some_and(|t| t.ice().is_verified(remote))
        };
        Some(holder) != slot && verified(holder) && !slot.is_some_and(verified)
    }

    pub(super) fn drop_route(&mut self, slot: u32, remote: SocketAddr) {
        if self.routes.get(&remote) == Some(&Route::Own(slot)) {
            self.routes.remove(&remote);
        }
    }
}
