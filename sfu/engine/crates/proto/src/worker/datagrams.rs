//! A datagram's way in: the first byte decides (RFC 7983), the remote address finds the transport.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Route, Worker};
use crate::directory::Claim;
use crate::ice::Ice;
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
            Some(0..=3) => self.handle_stun(now, local, remote, data),
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
                Some(&Route::Own(slot)) => {
                    self.handle_stun_for(now, slot, local, remote, &message, data.len());
                }
                Some(&Route::Foreign(owner, _)) => self.hand_over(owner, local, remote, data),
                None => self.stats.stun_refused.add(1),
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
            if let Some(owner) = known.slot.owner() {
                known.spec = None;
                self.routes.insert(remote, Route::Foreign(owner, now));
                self.hand_over(owner, local, remote, data);
                return;
            }
            if !known.spec.as_ref().is_some_and(|spec| Ice::authentic(&spec.local, message)) {
                self.stats.stun_refused.add(1);
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
        let transport = Transport::new(spec, slot.stats.clone(), &mut cx);
        let at = match self.transports.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.transports.push(None);
                self.transports.len() - 1
            }
        };
        self.transports[at] = Some(transport);
        self.owned.insert(id, at as u32);
        if let Some(remote) = dials {
            self.routes.insert(remote, Route::Own(at as u32));
        }
        self.mark_dirty(at as u32);
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
        if self.routes.get(&remote) != Some(&Route::Own(slot)) {
            self.routes.insert(remote, Route::Own(slot));
        }
        self.service(now, slot);
        if began {
            self.start_subscriptions(now, slot);
        }
    }

    fn handle_media(&mut self, now: Time, slot: u32, remote: SocketAddr, data: &mut [u8]) {
        let room = data[0] < 128 && self.handshakes_in_flight() < self.config.limits.handshakes;
        let tracks = &self.tracks;
        let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
        if data[0] < 128 {
            if !transport.handle_dtls(&mut cx, remote, data, room) {
                self.stats.dtls_dropped.add(1);
            }
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
            if self.transport_mut(slot).is_some_and(|t| t.is_closing()) {
                self.close_slot(now, slot, Some(CloseReason::Bye));
            }
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
                self.close_slot(now, slot, Some(CloseReason::TooFast));
                return;
            }
        }
        self.reschedule(slot);
    }

    fn handshakes_in_flight(&self) -> usize {
        self.transports.iter().flatten().filter(|t| t.handshake_in_flight()).count()
    }
}
