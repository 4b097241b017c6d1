//! What subscriptions and taps can have as their source: tracks and aliases.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::message::{Kind, TrackId, TransportId};

#[derive(Clone, Copy)]
pub struct Source {
    pub kind: Kind,
    /// Of a track that a peer publishes: it goes with its transport.
    pub transport: Option<TransportId>,
}

#[derive(Default)]
pub struct Sources(Mutex<HashMap<TrackId, Source>>);

impl Sources {
    pub fn lock(&self) -> MutexGuard<'_, HashMap<TrackId, Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn forget_of(&self, transport: TransportId) {
        self.lock().retain(|_, source| source.transport != Some(transport));
    }
}
