//! A peer with valid credentials and keys that does ICE and nothing else: what it sends is up to the test.

use std::any::Any;
use std::net::SocketAddr;

use proto::message::{Choice, Kind, TrackSpec};
use proto::{Command, Time};
use rand::Rng;

use crate::viewer::Viewer;
use crate::wire::{video_codecs, Wire};
use crate::world::{Peer, World};

pub const PAYLOAD_TYPE: u8 = 96;

pub struct Attacker {
    pub wire: Wire,
    pub index: u64,
}

impl Attacker {
    /// It subscribes to `source` and publishes a track of its own, `transport * 10 + 1`.
    pub fn join(world: &mut World, transport: u64, at: SocketAddr, source: u64, rids: &[&str]) -> u32 {
        let ssrc = 0x2000_0000 + transport as u32 * 16;
        let track = TrackSpec {
            id: transport * 10 + 1,
            kind: Kind::Video,
            mid: "0".into(),
            codecs: video_codecs(PAYLOAD_TYPE),
            rids: rids.iter().map(|r| r.to_string()).collect(),
            ssrcs: vec![],
        };
        let subscription = Viewer::subscription(transport, source, Choice::Auto, ssrc);
        let wire = Wire::new(transport);
        for command in wire.open() {
            world.command(command);
        }
        world.command(Command::AddTrack { transport, track });
        world.command(Command::AddSubscription { transport, subscription });
        world.add_peer(at, Attacker { wire, index: 0 });
        ssrc
    }

    /// RTP with a valid tag and the next index.
    pub fn rtp(
        &mut self,
        ssrc: u32,
        payload_type: u8,
        extensions: &[(u8, &[u8])],
        payload: &[u8],
    ) -> Vec<u8> {
        self.index += 1;
        let time = (self.index as u32).wrapping_mul(3_000);
        self.wire.seal_rtp(true, payload_type, self.index, time, ssrc, extensions, payload, 0)
    }

    /// RTP whose header is `header`, whatever that says, with a valid tag over `header_len` bytes of it.
    pub fn raw_rtp(&mut self, mut data: Vec<u8>, header_len: usize) -> Vec<u8> {
        self.index += 1;
        data[2..4].copy_from_slice(&(self.index as u16).to_be_bytes());
        self.wire.protect.protect_rtp(&mut data, 0, header_len, self.index);
        data
    }
}

impl Peer for Attacker {
    fn handle(&mut self, _now: Time, data: &[u8], out: &mut Vec<Vec<u8>>) {
        self.wire.handle_stun(data, out);
    }

    fn poll(&mut self, now: Time, out: &mut Vec<Vec<u8>>) -> Time {
        self.wire.poll(now, out)
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// An address of the documentation ranges (RFC 5737).
pub fn anywhere(rng: &mut impl Rng) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, rng.random()], rng.random_range(1..=u16::MAX)))
}
