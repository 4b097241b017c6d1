//! What a subscription does without while its worker can't keep up.

use std::sync::Arc;

use super::Subscription;
use crate::message::{Kind, TrackId};
use crate::packet::Packet;
use crate::time::Time;
use crate::track::Track;

/// Told by the worker, see [`crate::load::Shed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Denied {
    /// Encodings below the one that is wanted.
    pub steps: u8,
    pub picture: Picture,
}

impl Denied {
    pub fn has_turn(&self) -> bool {
        self.picture == Picture::Flows
    }
}

/// Whether the picture is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Picture {
    #[default]
    Flows,
    /// Until the next keyframe: that is where somebody else can begin.
    Ends,
    /// Until the next frame.
    Paused,
}

impl Subscription {
    /// Whether its worker may deny it something: sound is never shed, nor what others depend on.
    pub fn sheds(&self) -> bool {
        self.kind == Kind::Video && !self.spared
    }

    pub fn denied(&self) -> Denied {
        self.denied
    }

    pub fn deny(&mut self, denied: Denied) {
        self.denied = denied;
    }

    /// The encoding to receive now.
    pub(super) fn wanted(&self, now: Time, track: &Track) -> u8 {
        let chosen = track.choose(now, &self.choice);
        track.lower(now, chosen, self.denied.steps)
    }

    /// True if the packet does not leave because it is another's turn. The frame that is on its way is
    /// completed, so that what the peer has is whole and numbered without a gap.
    pub(super) fn withholds(&mut self, id: TrackId, track: &Track, packet: &Arc<Packet>) -> bool {
        let goes_on = match self.denied.picture {
            Picture::Flows => true,
            Picture::Ends => self.feed.is_some() && !packet.keyframe_start,
            Picture::Paused => false,
        };
        if goes_on {
            return false;
        }
        if let Some(feed) = &self.feed {
            if feed.replay.is_some() || !feed.carries(id, packet) || !begins_frame(track, packet) {
                return false;
            }
            self.retire();
        }
        self.stats.shed.add(1);
        true
    }
}

fn begins_frame(track: &Track, packet: &Packet) -> bool {
    let encoding = track.encodings.get(usize::from(packet.encoding));
    let before = encoding.zip(packet.seq.checked_sub(1)).and_then(|(e, seq)| e.ring.get(seq));
    before.is_some_and(|before| before.rtp_time != packet.rtp_time)
}
