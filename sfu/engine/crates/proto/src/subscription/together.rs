//! Sound goes to another track together with its picture. Two tracks of one scene lie apart by what a mixer
//! takes; with the sound of one and the picture of the other nobody's lips would fit.

use std::time::Duration;

use super::Subscription;
use crate::message::{Kind, TrackId};
use crate::time::Time;

/// A keyframe that has not come by then may take any time: the default of encoders that make none on request
/// is one in 2 s, and no older group of pictures is replayed to a joiner either.
const AT_MOST: Duration = Duration::from_millis(2_500);

/// Ten packets of 20 ms: no jitter, the old sound has ended. Receivers conceal it.
const SILENT: Duration = Duration::from_millis(200);

/// A sound that is still heard from the old track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    /// What the picture's subscription is subscribed to.
    picture: TrackId,
    since: Time,
    /// When the old track's last packet left.
    pub heard: Time,
}

impl Subscription {
    /// Stay with the track that is heard until `picture` has moved.
    pub fn wait_for(&mut self, now: Time, picture: TrackId) {
        self.waits = Some(Wait { picture, since: now, heard: now });
    }

    pub fn wait_no_longer(&mut self) {
        self.waits = None;
    }

    /// The picture that it waits for, None once it has waited enough.
    pub fn awaited(&mut self, now: Time) -> Option<TrackId> {
        let wait = self.waits?;
        if !self.is_leaving() || now.since(wait.since) >= AT_MOST || now.since(wait.heard) >= SILENT {
            self.waits = None;
        }
        self.waits.map(|wait| wait.picture)
    }

    /// Whether it shows one track and is to show another.
    fn is_leaving(&self) -> bool {
        self.track.is_some() && self.feed.as_ref().is_some_and(|feed| Some(feed.track) != self.track)
    }
}

/// Whether a peer with these subscriptions sees `source` and waits for a keyframe of what it stands for now.
pub fn picture_moves(subscriptions: &[Option<Subscription>], source: TrackId) -> bool {
    subscriptions.iter().flatten().any(|s| s.kind == Kind::Video && s.source == source && s.is_leaving())
}
