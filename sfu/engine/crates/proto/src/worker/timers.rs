//! Deadlines of the worker's transports. A deadline that moved later is found out when it comes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::Worker;
use crate::config::Config;
use crate::directory::Claim;
use crate::message::{CloseReason, Event, Message, TrackId, TransportId};
use crate::rtcp::SenderInfo;
use crate::subscription::Subscription;
use crate::time::Time;
use crate::track::Track;
use crate::transport::{Context, Transport};
use std::time::Duration;

/// How often subscribers choose among what flows, and the unreached are swept out.
const TICK: Duration = Duration::from_millis(200);

/// A stray route that was not used for this long is forgotten.
const FOREIGN: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Timers(BinaryHeap<Reverse<(Time, u32)>>);

impl Timers {
    pub fn set(&mut self, at: Time, slot: u32) {
        self.0.push(Reverse((at, slot)));
    }

    /// See to it that `transport` is served in time.
    pub fn reschedule(&mut self, transport: &mut Transport, slot: u32, config: &Config) {
        let next = transport.next_deadline(config);
        if next < transport.scheduled {
            transport.scheduled = next;
            self.set(next, slot);
        }
    }

    pub fn next(&self) -> Option<Time> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub fn pop_due(&mut self, now: Time) -> Option<u32> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, slot))| slot)
    }
}

/// What a subscription's sender report at `now` says. It forgets at the same time what nobody asks for any
/// more.
pub(super) fn report_of<'a>(
    now: Time,
    tracks: &'a HashMap<TrackId, Track>,
    config: &'a Config,
) -> impl FnMut(&mut Subscription) -> Option<SenderInfo> + 'a {
    move |subscription| {
        let track = tracks.get(&subscription.feed()?.track)?;
        subscription.forget(now, track, &config.limits);
        subscription.sender_info(now, track, config.wall_offset_us)
    }
}

impl Worker {
    /// See to it that nobody is woken for a deadline that has moved.
    pub(super) fn settle_timers(&mut self) {
        while let Some(&Reverse((at, slot))) = self.timers.0.peek() {
            let transport = self.transports.get_mut(slot as usize).and_then(Option::as_mut);
            let Some(transport) = transport.filter(|t| t.scheduled == at) else {
                self.timers.0.pop(); // gone, or set for earlier besides
                continue;
            };
            if transport.next_deadline(&self.config) <= at {
                return;
            }
            self.timers.0.pop();
            transport.scheduled = Time::FAR;
            self.timers.reschedule(transport, slot, &self.config);
        }
    }

    /// A transport's deadline has come.
    pub(super) fn service(&mut self, now: Time, slot: u32) {
        let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        transport.scheduled = Time::FAR;
        if let Some(reason) = transport.close_reason(now, &self.config) {
            self.close_slot(now, slot, Some(reason));
            return;
        }
        let info = report_of(now, &self.tracks, &self.config);
        let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
        transport.handle_timeout(&mut cx, info);
        self.mark_dirty(slot);
        self.reschedule(slot);
    }

    pub(super) fn tick(&mut self, now: Time) {
        self.next_tick = now + TICK;
        let changed: Vec<TrackId> =
            self.tracks.iter_mut().filter_map(|(&id, track)| track.flow_changed(now).then_some(id)).collect();
        for id in changed {
            self.choose_all(now, id);
        }
        self.shed(now);
        self.tell_injectors(now);
        let connect = self.config.limits.connect;
        if self.index == 0 {
            // Every worker knows the unreached; one of them speaks for all.
            let unreached: Vec<TransportId> = self
                .known
                .iter()
                .filter(|(_, k)| {
                    k.spec.is_some() && now.since(k.since) >= connect && k.slot.owner().is_none()
                })
                .map(|(&id, _)| id)
                .collect();
            for id in unreached {
                // Whoever claims it decides: a request may reach another worker at this moment.
                let slot = self.known.get(&id).map(|k| k.slot.clone());
                if !slot.is_some_and(|slot| matches!(slot.claim(self.index), Claim::Yours(_))) {
                    continue;
                }
                self.events.push(Event::Closed { transport: id, reason: CloseReason::NeverReached });
                self.directory.remove_transport(id);
                for worker in 1..self.config.workers {
                    self.messages.push_back((worker, Message::Forget { transport: id }));
                }
                self.forget(id);
            }
        }
        self.routes.retain(|_, route| match route {
            super::Route::Own(_) => true,
            super::Route::Foreign(_, used) => now.since(*used) < FOREIGN,
        });
        self.stats.transports.set(self.owned.len() as u64);
        self.stats.subscriptions.set(self.subscriptions.len() as u64);
    }
}
