//! The least that forwarding can cost here: receive and decrypt a frame, then for each viewer copy,
//! encrypt and send it, one GSO message a frame. No queues, no history, no statistics.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use proto::srtp::{Profile, Protector, Unprotector};
use proto::{rtp, Outbound, Transmit};

use super::publisher::PAYLOAD_TYPE;
use super::LOOPBACK;
use crate::clock::thread_cpu_time;
use crate::{Clock, Poll, Receiver, Sender, Socket};

/// Extension id of transport-wide sequence numbers.
pub const TRANSPORT_CC: u8 = 3;
/// As one call of `poll_transmit` gives at most.
const CALL_BYTES: usize = 64_000;
const CALL_MESSAGES: usize = 64;

pub struct Floor {
    socket: Socket,
    gso: bool,
    viewers: Vec<(SocketAddr, Protector)>,
}

impl Floor {
    pub fn new(profile: Profile, gso: bool, viewers: Vec<SocketAddr>) -> io::Result<Floor> {
        let len = profile.key_len() + profile.salt_len();
        let mut protectors = Vec::with_capacity(viewers.len());
        for (i, viewer) in viewers.into_iter().enumerate() {
            let key: Vec<u8> = (0..len).map(|k| (k * 7 + i) as u8 ^ (i >> 8) as u8).collect();
            protectors.push((viewer, Protector::new(profile, &key).map_err(io::Error::other)?));
        }
        let socket = Socket::bind(SocketAddr::new(LOOPBACK, 0), true)?;
        Ok(Floor { socket, gso, viewers: protectors })
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.address()
    }

    /// Microseconds of CPU per packet sent, over `seconds` that begin with the first frame.
    pub fn run(self, mut unprotector: Unprotector, seconds: Duration, clock: Clock) -> io::Result<f64> {
        let mut poll = Poll::new()?;
        poll.add(self.socket.as_raw_fd(), 0)?;
        let (mut receiver, mut sender) = (Receiver::new(), Sender::new(self.gso));
        let mut out = Outbound::default();
        let mut frame: Vec<(rtp::Header, Vec<u8>)> = Vec::new();
        let (mut begin, mut sent, mut index) = (None, 0u64, 0u64);
        loop {
            if poll.wait(Some(Duration::from_secs(2)))?.count() == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the floor got no frame"));
            }
            receiver.receive(&self.socket, |datagram| {
                let Ok(header) = rtp::Header::parse(datagram.data) else { return };
                // STUN and RTCP fail here.
                if header.payload_type != PAYLOAD_TYPE {
                    return;
                }
                if let Ok(plain) = unprotector.unprotect_rtp(datagram.data, &header) {
                    frame.push((header, datagram.data[header.header_len..plain.len].to_vec()));
                }
            })?;
            if !frame.last().is_some_and(|(header, _)| header.marker) {
                continue;
            }
            let (start, cpu) = *begin.get_or_insert_with(|| (clock.now(), thread_cpu_time()));
            for (viewer, protector) in &self.viewers {
                for (i, (header, payload)) in frame.iter().enumerate() {
                    write_packet(&mut out, *viewer, protector, header, payload, index + 1 + i as u64);
                }
                if out.bytes.len() >= CALL_BYTES || out.transmits.len() >= CALL_MESSAGES {
                    sent += sender.send(std::slice::from_ref(&self.socket), &out).datagrams;
                    out.clear();
                }
            }
            sent += sender.send(std::slice::from_ref(&self.socket), &out).datagrams;
            out.clear();
            index += frame.len() as u64;
            frame.clear();
            if clock.now().since(start) >= seconds {
                let cpu = thread_cpu_time().saturating_sub(cpu);
                return Ok(cpu.as_secs_f64() * 1e6 / sent.max(1) as f64);
            }
        }
    }
}

/// One packet, joined to the message before it if that goes to the same viewer in equal sizes.
fn write_packet(
    out: &mut Outbound,
    viewer: SocketAddr,
    protector: &Protector,
    header: &rtp::Header,
    payload: &[u8],
    index: u64,
) {
    let start = out.bytes.len();
    out.bytes.extend_from_slice(&[0x90, u8::from(header.marker) << 7 | PAYLOAD_TYPE]);
    out.bytes.extend_from_slice(&(index as u16).to_be_bytes());
    out.bytes.extend_from_slice(&header.timestamp.to_be_bytes());
    out.bytes.extend_from_slice(&1u32.to_be_bytes());
    // One element of two bytes (RFC 8285 section 4.2).
    out.bytes.extend_from_slice(&[
        0xbe,
        0xde,
        0,
        1,
        TRANSPORT_CC << 4 | 1,
        (index >> 8) as u8,
        index as u8,
        0,
    ]);
    out.bytes.extend_from_slice(payload);
    protector.protect_rtp(&mut out.bytes, start, 20, index);
    let len = out.bytes.len() - start;
    match out.transmits.last_mut() {
        Some(last) if last.remote == viewer && last.segment == len && last.len % len == 0 => last.len += len,
        _ => out.transmits.push(Transmit { local: None, remote: viewer, start, len, segment: len }),
    }
}
