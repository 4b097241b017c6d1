//! Shedding: what the worker's load decides, carried out on its subscriptions.

use std::time::Duration;

use super::Worker;
use crate::load::SHARES;
use crate::message::{Event, Kind};
use crate::subscription::Denied;
use crate::time::Time;
use crate::track::Place;

/// Pauses go round among the viewers: twice the usual two seconds between keyframes.
const ROUND: Duration = Duration::from_secs(4);

/// Whose turn it is to be paused.
#[derive(Debug, Default)]
pub(super) struct Round {
    first: usize,
    until: Time,
    /// Whether anybody is denied anything.
    active: bool,
}

impl Worker {
    /// How long what the driver reads in this turn has waited: the age of datagrams or of messages, whichever
    /// is more. Once a turn in which there was something to read.
    pub fn handle_lateness(&mut self, lateness: Duration) {
        self.load.observe(lateness);
    }

    /// Once a tick.
    pub(super) fn shed(&mut self, now: Time) {
        let steps = self.lower_encodings(now) * SHARES;
        let before = self.load.shed();
        let shed = self.load.evaluate(now, steps, self.config.limits.shed_above);
        self.stats.lateness_us.set(self.load.late().as_micros() as u64);
        self.stats.seats_refused.set(u64::from(shed.seats));
        if shed.stage() != before.stage() {
            let (worker, stage, lateness) = (self.index, shed.stage(), self.load.late());
            self.events.push(Event::Load { worker, stage, lateness });
        }
        let active = shed.layers > 0 || shed.thin > 0;
        if !active && !self.round.active {
            return;
        }
        self.round.active = active;
        let places = self.sheddable();
        let count = places.len();
        let share = |sixteenths: u8| count * usize::from(sixteenths) / usize::from(SHARES);
        let (stepped, paused) = (share(shed.layers.min(steps)), share(shed.thin));
        if now >= self.round.until {
            self.round.first += paused;
            self.round.until = now + ROUND;
        }
        self.round.first %= count.max(1);
        let mut moved = Vec::new();
        for (rank, &place) in places.iter().enumerate() {
            let turn = (rank + count - self.round.first) % count;
            let denied = Denied {
                steps: (stepped / count + usize::from(rank < stepped % count)) as u8,
                paused: turn < paused,
            };
            let transport = self.transports.get_mut(place.transport as usize).and_then(Option::as_mut);
            let Some(subscription) = transport.and_then(|t| t.subscription_mut(place.subscription)) else {
                continue;
            };
            if subscription.denied().steps != denied.steps {
                moved.push(place);
            }
            subscription.deny(denied);
        }
        self.stats.stepped_down.set(stepped.min(count) as u64);
        self.stats.paused.set(paused as u64);
        for place in moved {
            self.choose(now, place);
        }
    }

    /// How many encodings flow below the best, of the track that has most.
    fn lower_encodings(&self, now: Time) -> u8 {
        let flowing = |count: usize, track: &crate::track::Track| {
            (0..count.min(3)).filter(|&i| track.flows(now, i as u8)).count()
        };
        let video = self.tracks.values().filter(|t| t.kind == Kind::Video && !t.subscribers.is_empty());
        video.map(|t| flowing(t.encodings.len(), t).saturating_sub(1)).max().unwrap_or(0) as u8
    }

    fn sheddable(&self) -> Vec<Place> {
        let slots = self.transports.iter().enumerate().filter_map(|(at, t)| Some((at, t.as_ref()?)));
        slots
            .flat_map(|(at, transport)| {
                let numbered = transport.subscriptions.iter().enumerate();
                numbered.filter(|(_, s)| s.as_ref().is_some_and(|s| s.sheds())).map(
                    move |(subscription, _)| Place {
                        transport: at as u32,
                        subscription: subscription as u16,
                    },
                )
            })
            .collect()
    }
}
