//! What a transport's peer receives.

use std::sync::Arc;

use rand::rngs::StdRng;

use super::Transport;
use crate::message::{SubscriptionSpec, TrackId};
use crate::stats::SubscriptionStats;
use crate::subscription::{picture_moves, Numbers, Subscription};
use crate::time::Time;

impl Transport {
    pub fn add_subscription(
        &mut self,
        spec: SubscriptionSpec,
        stats: Arc<SubscriptionStats>,
        rng: &mut StdRng,
    ) -> u16 {
        let (ssrc, rtx_ssrc) = (spec.ssrc, spec.rtx_ssrc);
        let first = *self.numbers.entry(ssrc).or_insert_with(|| Numbers::random(rng));
        self.numbers.entry(rtx_ssrc).or_insert_with(|| Numbers::random(rng));
        let subscription = Subscription::new(spec, &self.extensions, stats, first);
        let at = match self.subscriptions.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.subscriptions.push(None);
                self.subscriptions.len() - 1
            }
        };
        self.subscriptions[at] = Some(subscription);
        self.by_ssrc.insert(ssrc, at as u16);
        self.by_ssrc.insert(rtx_ssrc, at as u16);
        at as u16
    }

    pub fn remove_subscription(&mut self, at: u16) -> Option<Subscription> {
        let subscription = self.subscriptions.get_mut(usize::from(at))?.take()?;
        self.numbers.insert(subscription.ssrc, subscription.numbers());
        self.by_ssrc.retain(|_, place| *place != at);
        self.queues.drop_all_of(at);
        Some(subscription)
    }

    pub fn subscription_mut(&mut self, place: u16) -> Option<&mut Subscription> {
        self.subscriptions.get_mut(usize::from(place))?.as_mut()
    }

    /// A sound that was pointed elsewhere goes there with the subscription to `picture`.
    pub fn let_sound_wait(&mut self, now: Time, place: u16, picture: TrackId) {
        if let Some(sound) = self.subscription_mut(place) {
            sound.wait_for(now, picture);
        }
        self.settle_sound(now, place);
    }

    /// End the wait of a sound whose picture has moved, or does without.
    pub fn settle_sound(&mut self, now: Time, place: u16) {
        let Some(sound) = self.subscription_mut(place) else { return };
        let Some(picture) = sound.awaited(now) else { return };
        if !picture_moves(&self.subscriptions, picture) {
            if let Some(sound) = self.subscription_mut(place) {
                sound.wait_no_longer();
            }
        }
    }
}
