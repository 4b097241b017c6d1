//! A publisher of H.264-like packets at a constant rate.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proto::packet::us_to_ntp;
use proto::rtcp::{write_sdes_cname, write_sr, SenderInfo};
use proto::srtp::Protector;
use proto::{stun, Outbound, Time};

use super::peer::{push, Peer};
use crate::{Clock, Poll, Receiver, Sender};

pub const PAYLOAD_TYPE: u8 = 102;
pub const SSRC: u32 = 0x0505_0505;
/// Where the send time stands in the payload of a FU-A (RFC 6184 section 5.8): after its two headers.
pub const STAMP_AT: usize = 2;
pub const FU_A: u8 = 28;

const FRAMES_PER_S: u64 = 30;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / FRAMES_PER_S);
const KEYFRAME_EVERY: u64 = 2 * FRAMES_PER_S;
const REPORT_EVERY: u64 = FRAMES_PER_S;
/// Payload bytes; with RTP header, extension and tag the packet has about 1,200.
const PACKET_BYTES: f64 = 1_160.0;
/// STAP-A (RFC 6184 section 5.7.1) of a baseline SPS and PPS.
const PARAMETER_SETS: [u8; 23] = [
    0x78, 0, 14, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0x90, 0x0f, 0x08, 0x84, 0x6a, 0, 4,
    0x68, 0xce, 0x3c, 0x80,
];

pub struct Publisher {
    peer: Peer,
    protector: Protector,
    clock: Clock,
    packets_per_frame: usize,
    payload_bytes: usize,
    /// Between a frame's packets; zero: all leave at once.
    gap: Duration,
    frame: u64,
    /// Of the frame, the next to leave.
    packet: usize,
    /// 48-bit SRTP index; its lower half is the sequence number.
    index: u64,
    octets: u64,
    out: Outbound,
    sender: Sender,
}

impl Publisher {
    /// `spread`: the time over which a frame's packets leave.
    pub fn new(peer: Peer, mbps: f64, spread: Duration, clock: Clock) -> io::Result<Publisher> {
        let frame_bytes = mbps * 1e6 / 8.0 / FRAMES_PER_S as f64;
        // A NAL unit in one FU-A would be illegal: two at least.
        let packets_per_frame = (frame_bytes / PACKET_BYTES).ceil().max(2.0) as usize;
        Ok(Publisher {
            protector: peer.protector()?,
            peer,
            clock,
            packets_per_frame,
            payload_bytes: (frame_bytes / packets_per_frame as f64).max(32.0) as usize,
            gap: spread.min(FRAME) / packets_per_frame as u32,
            frame: 0,
            packet: 0,
            index: 0,
            octets: 0,
            out: Outbound::default(),
            sender: Sender::new(false),
        })
    }

    /// Publishes a frame each 33 ms until `stop`.
    pub fn run(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut poll = Poll::new()?;
        poll.add(self.peer.socket.as_raw_fd(), 0)?;
        let mut receiver = Receiver::new();
        let mut next = self.clock.now();
        while !stop.load(Ordering::Relaxed) {
            let sleep = next.since(self.clock.now());
            if poll.wait(Some(sleep))?.count() > 0 {
                self.receive(&mut receiver)?;
            }
            let now = self.clock.now();
            self.peer.check(now, &mut self.sender);
            if now >= next {
                next += self.send(now);
            }
        }
        Ok(())
    }

    fn receive(&mut self, receiver: &mut Receiver) -> io::Result<()> {
        let Publisher { peer, .. } = self;
        let mut messages = Vec::new();
        receiver.receive(&peer.socket, |datagram| {
            if stun::is_stun(datagram.data) {
                messages.push((datagram.data.to_vec(), datagram.remote));
            }
        })?;
        for (message, from) in messages {
            peer.handle_stun(&message, from);
            peer.answer(&mut self.sender);
        }
        Ok(())
    }

    /// Sends a frame or, if they are apart, a packet of it; the time until the next.
    fn send(&mut self, now: Time) -> Duration {
        self.out.clear();
        let count = if self.gap.is_zero() { self.packets_per_frame } else { 1 };
        for _ in 0..count {
            self.write_next(now);
        }
        self.peer.send_all(&mut self.sender, &self.out);
        match self.packet {
            0 => FRAME - self.gap * (self.packets_per_frame as u32 - 1),
            _ => self.gap,
        }
    }

    fn write_next(&mut self, now: Time) {
        let keyframe = self.frame % KEYFRAME_EVERY == 0;
        let (first, last) = (self.packet == 0, self.packet + 1 == self.packets_per_frame);
        if first && self.frame % REPORT_EVERY == 0 {
            self.write_report(now);
        }
        if first && keyframe {
            self.write_packet(false, &PARAMETER_SETS);
        }
        let mut payload = vec![self.frame as u8; self.payload_bytes];
        payload[0] = 3 << 5 | FU_A;
        payload[1] = u8::from(first) << 7 | u8::from(last) << 6 | if keyframe { 5 } else { 1 };
        payload[STAMP_AT..STAMP_AT + 8].copy_from_slice(&self.clock.now().micros().to_be_bytes());
        self.write_packet(last, &payload);
        self.packet = if last { 0 } else { self.packet + 1 };
        self.frame += u64::from(last);
    }

    fn rtp_time(&self) -> u32 {
        (self.frame * 90_000 / FRAMES_PER_S) as u32
    }

    fn write_packet(&mut self, marker: bool, payload: &[u8]) {
        self.index += 1;
        self.octets += payload.len() as u64;
        let (index, rtp_time, protector) = (self.index, self.rtp_time(), &self.protector);
        push(&mut self.out, self.peer.engine(), 0, |packet| {
            let start = packet.len();
            packet.extend_from_slice(&[0x80, u8::from(marker) << 7 | PAYLOAD_TYPE]);
            packet.extend_from_slice(&(index as u16).to_be_bytes());
            packet.extend_from_slice(&rtp_time.to_be_bytes());
            packet.extend_from_slice(&SSRC.to_be_bytes());
            packet.extend_from_slice(payload);
            protector.protect_rtp(packet, start, 12, index);
        });
    }

    fn write_report(&mut self, now: Time) {
        let info = SenderInfo {
            ntp: us_to_ntp(now.micros() as i64),
            rtp_time: self.rtp_time(),
            packets: self.index as u32,
            octets: self.octets as u32,
        };
        let protector = &mut self.protector;
        push(&mut self.out, self.peer.engine(), 0, |packet| {
            let start = packet.len();
            write_sr(packet, SSRC, info, &[]);
            write_sdes_cname(packet, SSRC, "bench");
            protector.protect_rtcp(packet, start);
        });
    }
}
