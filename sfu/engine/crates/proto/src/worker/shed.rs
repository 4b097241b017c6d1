//! Shedding: what the worker's load decides, carried out on its subscriptions.

use std::time::Duration;

use super::Worker;
use crate::load::{Shed, SHARES};
use crate::message::{Event, Kind, SubscriptionId};
use crate::subscription::{Denied, Picture};
use crate::time::Time;
use crate::track::Place;

/// A subscription that may be denied something.
struct Sheddable {
    place: Place,
    id: SubscriptionId,
    /// Whether it shows a picture.
    flows: bool,
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
        let denies = shed.layers > 0 || shed.thin > 0;
        if std::mem::replace(&mut self.denies, denies) || denies {
            self.deny(now, Shed { layers: shed.layers.min(steps), ..shed }, shed.thin > before.thin);
        }
    }

    /// `at_once`: who loses its turn doesn't wait for a keyframe.
    fn deny(&mut self, now: Time, shed: Shed, at_once: bool) {
        let all = self.sheddable();
        let count = all.len();
        let share = |sixteenths: u8| count * usize::from(sixteenths) / usize::from(SHARES);
        let (stepped, paused) = (share(shed.layers), share(shed.thin));
        let flowing: Vec<(SubscriptionId, bool)> = all.iter().map(|s| (s.id, s.flows)).collect();
        // While there is room for all nobody's share is counted.
        let chosen = (paused > 0).then(|| self.turns.choose(now, &flowing, count - paused));
        let mut moved = Vec::new();
        for (rank, &Sheddable { place, id, .. }) in all.iter().enumerate() {
            let transport = self.transports.get_mut(place.transport as usize).and_then(Option::as_mut);
            let Some(subscription) = transport.and_then(|t| t.subscription_mut(place.subscription)) else {
                continue;
            };
            let before = subscription.denied();
            let picture = if chosen.is_none_or(|chosen| chosen.contains(&id)) {
                Picture::Flows
            } else if at_once || before.picture == Picture::Paused {
                Picture::Paused
            } else {
                Picture::Ends
            };
            let steps = (stepped / count + usize::from(rank < stepped % count)) as u8;
            subscription.deny(Denied { steps, picture });
            if before.steps != steps {
                moved.push(place);
            }
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

    fn sheddable(&self) -> Vec<Sheddable> {
        let slots = self.transports.iter().enumerate().filter_map(|(at, t)| Some((at, t.as_ref()?)));
        slots
            .flat_map(|(at, transport)| {
                let numbered = transport.subscriptions.iter().enumerate();
                numbered.filter_map(move |(number, subscription)| {
                    let subscription = subscription.as_ref().filter(|s| s.sheds())?;
                    Some(Sheddable {
                        place: Place { transport: at as u32, subscription: number as u16 },
                        id: subscription.id,
                        flows: subscription.feed().is_some(),
                    })
                })
            })
            .collect()
    }
}
