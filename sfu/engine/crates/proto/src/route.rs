//! Which worker a command goes to. The driver and the simulation tests carry commands by this rule.
//!
//! | command | goes to |
//! | --- | --- |
//! | open, close and ICE restart of a transport | all: any worker may see its STUN first |
//! | everything else of a transport | its owner, or its slot until it has one |
//! | a track that a peer publishes | like its transport |
//! | injectors and taps | worker `id % workers` |
//! | aliases, keyframe requests | all |

use std::collections::HashMap;
use std::sync::Arc;

use crate::directory::Directory;
use crate::message::{Command, TrackId, TransportId, WorkerIndex};

/// What became of a command.
pub enum Route {
    /// Every worker gets a copy.
    All(Command),
    One(WorkerIndex, Command),
    /// Its transport has no owner yet: the slot gives it to whoever claims the transport.
    Kept,
    /// What it is for has been closed.
    Gone,
}

/// What decides the way of a command.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    All,
    /// The worker of an injector or tap.
    Share(u64),
    Transport(TransportId),
    /// A track's transport if a peer publishes it, else its injector's worker.
    Track(TrackId),
}

fn place(command: &Command) -> Place {
    match command {
        Command::OpenTransport(_)
        | Command::RestartIce { .. }
        | Command::CloseTransport { .. }
        | Command::PointAlias { .. }
        | Command::RemoveAlias { .. }
        | Command::RequestKeyframe { .. } => Place::All,
        Command::SetKeys { transport, .. }
        | Command::SendDtls { transport, .. }
        | Command::AddTrack { transport, .. }
        | Command::AddSubscription { transport, .. }
        | Command::RemoveSubscription { transport, .. }
        | Command::SetSource { transport, .. }
        | Command::SetEncoding { transport, .. } => Place::Transport(*transport),
        Command::RemoveTrack { track } => Place::Track(*track),
        Command::OpenInjector(spec) => Place::Share(spec.id),
        Command::Inject { track, .. } | Command::InjectReport { track, .. } => Place::Share(*track),
        Command::OpenTap { tap, .. } | Command::SetTapEncoding { tap, .. } | Command::CloseTap { tap } => {
            Place::Share(*tap)
        }
    }
}

/// Routes the commands of one control side, in the order given.
pub struct Router {
    directory: Arc<Directory>,
    workers: usize,
    /// Where the tracks that peers publish live: `RemoveTrack` does not say.
    tracks: HashMap<TrackId, TransportId>,
    /// Tracks whose transport closed by itself are forgotten when the map has grown to this.
    sweep_at: usize,
}

const SWEEP_MIN: usize = 1_024;

impl Router {
    pub fn new(directory: Arc<Directory>) -> Router {
        let workers = directory.workers.len().max(1);
        Router { directory, workers, tracks: HashMap::new(), sweep_at: SWEEP_MIN }
    }

    pub fn route(&mut self, command: Command) -> Route {
        match &command {
            Command::OpenTransport(spec) => {
                self.directory.add_transport(spec.id);
            }
            Command::AddTrack { transport, track } => self.remember(track.id, *transport),
            Command::CloseTransport { transport } => self.forget(*transport),
            _ => {}
        }
        match place(&command) {
            Place::All => Route::All(command),
            Place::Share(id) => Route::One(self.share(id), command),
            Place::Transport(transport) => self.to_owner(transport, command),
            Place::Track(track) => match self.tracks.remove(&track) {
                Some(transport) => self.to_owner(transport, command),
                None => Route::One(self.share(track), command),
            },
        }
    }

    fn share(&self, id: u64) -> WorkerIndex {
        (id % self.workers as u64) as WorkerIndex
    }

    fn to_owner(&self, transport: TransportId, command: Command) -> Route {
        match self.directory.transport(transport) {
            None => Route::Gone,
            Some(slot) => match slot.route(command) {
                Some((owner, command)) => Route::One(owner, command),
                None => Route::Kept,
            },
        }
    }

    fn remember(&mut self, track: TrackId, transport: TransportId) {
        if self.tracks.len() >= self.sweep_at {
            let directory = &self.directory;
            self.tracks.retain(|_, transport| directory.transport(*transport).is_some());
            self.sweep_at = (self.tracks.len() * 2).max(SWEEP_MIN);
        }
        self.tracks.insert(track, transport);
    }

    /// A transport without owner has nobody who would remove its slot.
    fn forget(&mut self, transport: TransportId) {
        if self.directory.transport(transport).is_some_and(|slot| slot.owner().is_none()) {
            self.directory.remove_transport(transport);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Claim;
    use crate::message::{Choice, IceCredentials, InjectSpec, Kind, TrackSpec, TransportSpec};
    use crate::tap::TapQueue;

    fn open(id: TransportId) -> Command {
        let ice = IceCredentials { ufrag: "u".into(), pwd: "p".into() };
        Command::OpenTransport(TransportSpec {
            id,
            local: ice.clone(),
            remote: ice,
            dial: None,
            extensions: Default::default(),
            transport_cc: false,
            remb: false,
            cname: "c".into(),
        })
    }

    fn track(id: TrackId) -> TrackSpec {
        TrackSpec { id, kind: Kind::Video, mid: "0".into(), codecs: vec![], rids: vec![], ssrcs: vec![] }
    }

    fn router(workers: usize) -> (Arc<Directory>, Router) {
        let directory = Arc::new(Directory::new(workers));
        (directory.clone(), Router::new(directory))
    }

    #[test]
    fn commands_wait_for_the_owner_and_then_follow_it() {
        let (directory, mut router) = router(3);
        assert!(matches!(router.route(open(7)), Route::All(Command::OpenTransport(_))));
        assert!(matches!(router.route(Command::SendDtls { transport: 7, data: vec![1] }), Route::Kept));
        assert!(matches!(router.route(Command::AddTrack { transport: 7, track: track(9) }), Route::Kept));
        let slot = directory.transport(7).unwrap();
        match slot.claim(2) {
            Claim::Yours(waiting) => {
                assert!(matches!(&waiting[0], Command::SendDtls { data, .. } if data == &[1]));
                assert!(matches!(&waiting[1], Command::AddTrack { track, .. } if track.id == 9));
                assert_eq!(waiting.len(), 2);
            }
            Claim::Owned(_) => panic!("nobody owned it"),
        }
        assert!(matches!(router.route(Command::SendDtls { transport: 7, data: vec![] }), Route::One(2, _)));
        assert!(matches!(router.route(Command::RemoveTrack { track: 9 }), Route::One(2, _)));
    }

    #[test]
    fn commands_of_closed_transports_are_gone() {
        let (directory, mut router) = router(2);
        router.route(open(1));
        assert!(matches!(router.route(Command::CloseTransport { transport: 1 }), Route::All(_)));
        assert!(directory.transport(1).is_none(), "unowned: its slot went with it");
        assert!(matches!(router.route(Command::SendDtls { transport: 1, data: vec![] }), Route::Gone));

        router.route(open(2));
        directory.transport(2).unwrap().claim(0);
        router.route(Command::CloseTransport { transport: 2 });
        assert!(directory.transport(2).is_some(), "owned: the owner removes the slot");
    }

    #[test]
    fn taps_and_injectors_are_shared_out_by_their_id() {
        let (_, mut router) = router(3);
        let queue = Arc::new(TapQueue::new(1));
        let tap = Command::OpenTap { tap: 5, source: 1, kind: Kind::Video, encoding: Choice::Auto, queue };
        assert!(matches!(router.route(tap), Route::One(2, _)));
        assert!(matches!(router.route(Command::CloseTap { tap: 5 }), Route::One(2, _)));
        let spec = TrackSpec { ..track(4) };
        let codec = crate::message::CodecSpec {
            payload_type: 96,
            rtx_payload_type: None,
            name: "VP8".into(),
            clock_rate: 90_000,
            channels: 1,
            fmtp: String::new(),
            nack: false,
            pli: false,
            fir: false,
        };
        let injector = InjectSpec { id: spec.id, kind: Kind::Video, codec, rids: vec![] };
        assert!(matches!(router.route(Command::OpenInjector(injector)), Route::One(1, _)));
        assert!(matches!(router.route(Command::RemoveTrack { track: 4 }), Route::One(1, _)));
    }

    #[test]
    fn tracks_of_transports_that_closed_by_themselves_are_forgotten() {
        let (directory, mut router) = router(1);
        for id in 0..(SWEEP_MIN as u64 * 4) {
            router.route(open(id));
            router.route(Command::AddTrack { transport: id, track: track(id) });
            directory.remove_transport(id);
        }
        assert!(router.tracks.len() <= SWEEP_MIN);
    }
}
