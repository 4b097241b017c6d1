//! How packets of one encoding become packets of a subscription: a constant shift of sequence number,
//! RTP time and picture id, and while a replay lasts a table of squeezed times.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::{CodecSpec, TrackId};
use crate::packet::Packet;
use crate::red;
use crate::time::Time;

/// The stretch of a subscription's packets that came from one generation of one encoding.
#[derive(Debug)]
pub struct Feed {
    pub track: TrackId,
    pub encoding: u8,
    pub generation: u32,
    /// First sequence number of the source that belongs to it; what is older came too late.
    pub first: u64,
    /// Packet index that `first` got.
    pub first_index: u64,
    pub codec: Arc<CodecSpec>,
    pub payload_type: u8,
    pub rtx_payload_type: Option<u8>,
    /// Only the primary block of RED leaves (RFC 2198).
    pub strip_red: bool,
    /// When it began.
    pub since: Time,
    /// Added to the source's unwrapped RTP time.
    pub time_shift: i64,
    /// Added to the source's VP8 picture id and TL0PICIDX.
    pub picture_shift: (u16, u8),
    pub replay: Option<Replay>,
    /// (source RTP time, our RTP time) of frames that left with another time than `time_shift` gives.
    pub retimed: VecDeque<(u64, u64)>,
}

/// The cursor of a replay in the ring of its encoding.
#[derive(Debug)]
pub struct Replay {
    pub cursor: u64,
    /// What live packets of this encoding lag behind their capture, in microseconds: the replay ends there.
    pub lag_us: i64,
}

/// Frames that may still be retransmitted after a replay of 1,500 packets.
const RETIMED: usize = 1_500;

impl Feed {
    /// The packet index of a source packet; None for what came before the feed.
    pub fn index(&self, seq: u64) -> Option<u64> {
        seq.checked_sub(self.first).map(|d| self.first_index + d)
    }

    /// The source's sequence number behind a packet index.
    pub fn source_seq(&self, index: u64) -> Option<u64> {
        index.checked_sub(self.first_index).map(|d| self.first + d)
    }

    pub fn time(&self, rtp_time: u64) -> u64 {
        if let Some(&(last, _)) = self.retimed.back() {
            if rtp_time <= last {
                if let Ok(at) = self.retimed.binary_search_by_key(&rtp_time, |&(t, _)| t) {
                    return self.retimed[at].1;
                }
            }
        }
        rtp_time.wrapping_add_signed(self.time_shift)
    }

    pub fn retime(&mut self, rtp_time: u64, ours: u64) {
        if self.retimed.back().is_some_and(|&(last, _)| last >= rtp_time) {
            return;
        }
        self.retimed.push_back((rtp_time, ours));
        if self.retimed.len() > RETIMED {
            self.retimed.pop_front();
        }
    }

    /// Frames before `oldest`, which is all that the history holds, are asked for no more.
    pub fn forget(&mut self, oldest: u64) {
        if self.retimed.is_empty() || self.replay.is_some() {
            return;
        }
        while self.retimed.front().is_some_and(|&(t, _)| t < oldest) {
            self.retimed.pop_front();
        }
        if self.retimed.is_empty() {
            self.retimed = VecDeque::new();
        }
    }

    /// What of a packet's payload leaves.
    pub fn payload<'a>(&self, packet: &'a Packet) -> &'a [u8] {
        if self.strip_red {
            red::primary(&packet.payload).unwrap_or_default()
        } else {
            &packet.payload
        }
    }

    /// Picture id and TL0PICIDX of a packet as our peer sees them.
    pub fn picture(&self, packet: &Packet) -> (u16, u8) {
        let Some(vp8) = &packet.vp8 else { return (0, 0) };
        let id = vp8.picture_id.map_or(0, |(id, _, _)| id.wrapping_add(self.picture_shift.0) & 0x7FFF);
        let tl0 = vp8.tl0picidx.map_or(0, |(index, _)| index.wrapping_add(self.picture_shift.1));
        (id, tl0)
    }

    pub fn carries(&self, track: TrackId, packet: &Packet) -> bool {
        self.track == track
            && self.encoding == packet.encoding
            && self.generation == packet.generation
            && (Arc::ptr_eq(&self.codec, &packet.codec) || self.codec == packet.codec)
    }
}
