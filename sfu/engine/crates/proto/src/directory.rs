//! What all workers and the control side know of: who owns which transport, and everybody's counters.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::message::{Command, SubscriptionId, TrackId, TransportId, WorkerIndex};
use crate::stats::{SubscriptionStats, TrackStats, TransportStats, WorkerStats};
use crate::time::Time;
use crate::timeline::{observe_report, OffsetFilter};

/// A transport's place: unowned until its first authenticated STUN request, then a worker's for good.
#[derive(Default)]
pub struct TransportSlot {
    state: Mutex<SlotState>,
    pub stats: Arc<TransportStats>,
}

#[derive(Default)]
struct SlotState {
    owner: Option<WorkerIndex>,
    waiting: Vec<Command>,
}

/// The answer to an attempt to own a transport.
pub enum Claim {
    /// It is yours; these commands came before.
    Yours(Vec<Command>),
    Owned(WorkerIndex),
}

impl TransportSlot {
    /// Make `worker` the owner if there is none yet.
    pub fn claim(&self, worker: WorkerIndex) -> Claim {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.owner {
            Some(owner) if owner != worker => Claim::Owned(owner),
            _ => {
                state.owner = Some(worker);
                Claim::Yours(std::mem::take(&mut state.waiting))
            }
        }
    }

    pub fn owner(&self) -> Option<WorkerIndex> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).owner
    }

    /// Either the worker that the command must be sent to, or the command is kept for the owner to come.
    pub fn route(&self, command: Command) -> Option<(WorkerIndex, Command)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.owner {
            Some(owner) => Some((owner, command)),
            None => {
                state.waiting.push(command);
                None
            }
        }
    }
}

/// Counters of what is there, and the sum of those of what has gone.
struct Register<S> {
    present: HashMap<u64, Arc<S>>,
    gone: S,
}

impl<S: Default> Default for Register<S> {
    fn default() -> Register<S> {
        Register { present: HashMap::new(), gone: S::default() }
    }
}

/// Shared by the control side and all workers. Locked once per join or leave, never per packet:
/// workers keep the `Arc`s of what they own.
#[derive(Default)]
pub struct Directory {
    transports: RwLock<HashMap<TransportId, Arc<TransportSlot>>>,
    tracks: RwLock<Register<TrackStats>>,
    subscriptions: RwLock<Register<SubscriptionStats>>,
    injected: Mutex<OffsetFilter>,
    pub workers: Vec<Arc<WorkerStats>>,
}

macro_rules! read {
    ($lock:expr) => {
        $lock.read().unwrap_or_else(PoisonError::into_inner)
    };
}
macro_rules! write {
    ($lock:expr) => {
        $lock.write().unwrap_or_else(PoisonError::into_inner)
    };
}

impl Directory {
    pub fn new(workers: usize) -> Directory {
        Directory { workers: (0..workers).map(|_| Arc::default()).collect(), ..Directory::default() }
    }

    /// The offset between the wall clock of injected reports and node time: one for all injectors of this
    /// process, whichever worker they are on, since they share that clock.
    pub fn observe_injected(&self, now: Time, ntp: u64) -> Option<i64> {
        let mut filter = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        observe_report(&mut filter, now, ntp)
    }

    pub fn add_transport(&self, id: TransportId) -> Arc<TransportSlot> {
        write!(self.transports).entry(id).or_default().clone()
    }

    pub fn transport(&self, id: TransportId) -> Option<Arc<TransportSlot>> {
        read!(self.transports).get(&id).cloned()
    }

    pub fn remove_transport(&self, id: TransportId) {
        write!(self.transports).remove(&id);
    }

    pub fn add_track(&self, id: TrackId) -> Arc<TrackStats> {
        write!(self.tracks).present.entry(id).or_default().clone()
    }

    pub fn track(&self, id: TrackId) -> Option<Arc<TrackStats>> {
        read!(self.tracks).present.get(&id).cloned()
    }

    pub fn remove_track(&self, id: TrackId) {
        let mut tracks = write!(self.tracks);
        if let Some(gone) = tracks.present.remove(&id) {
            tracks.gone.absorb(&gone);
        }
    }

    /// Counters of all tracks since the start, of those that have gone too; gauges among them mean nothing.
    pub fn track_totals(&self) -> TrackStats {
        let tracks = read!(self.tracks);
        let totals = TrackStats::default();
        totals.absorb(&tracks.gone);
        tracks.present.values().for_each(|each| totals.absorb(each));
        totals
    }

    pub fn add_subscription(&self, id: SubscriptionId) -> Arc<SubscriptionStats> {
        write!(self.subscriptions).present.entry(id).or_default().clone()
    }

    pub fn subscription(&self, id: SubscriptionId) -> Option<Arc<SubscriptionStats>> {
        read!(self.subscriptions).present.get(&id).cloned()
    }

    pub fn remove_subscription(&self, id: SubscriptionId) {
        let mut subscriptions = write!(self.subscriptions);
        if let Some(gone) = subscriptions.present.remove(&id) {
            subscriptions.gone.absorb(&gone);
        }
    }

    /// Counters of all subscriptions since the start, of those that have gone too; gauges among them mean nothing.
    pub fn subscription_totals(&self) -> SubscriptionStats {
        let subscriptions = read!(self.subscriptions);
        let totals = SubscriptionStats::default();
        totals.absorb(&subscriptions.gone);
        subscriptions.present.values().for_each(|each| totals.absorb(each));
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_gone_counts_on() {
        let directory = Directory::new(1);
        for (id, packets) in [(1, 10), (2, 5)] {
            directory.add_subscription(id).packets.add(packets);
            directory.add_track(id).lost.add(packets);
        }
        directory.remove_subscription(1);
        directory.remove_subscription(1);
        directory.remove_track(2);
        directory.add_subscription(2).packets.add(1);
        assert_eq!(directory.subscription_totals().packets.get(), 16);
        assert_eq!(directory.track_totals().lost.get(), 15);
        assert!(directory.subscription(1).is_none());
    }
}
