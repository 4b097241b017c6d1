//! One peer of the node: socket, ICE and keys.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use proto::message::{Extensions, SrtpKeys, TransportId, TransportSpec};
use proto::srtp::{Profile, Protector, Unprotector};
use proto::{Outbound, Time, Transmit};

use super::ice::IceClient;
use super::LOOPBACK;
use crate::{Sender, Socket};

/// As Chromium does once it is connected.
const CONSENT_EVERY: Duration = Duration::from_millis(2_650);
const CHECK_EVERY: Duration = Duration::from_millis(200);

pub struct Peer {
    pub socket: Socket,
    pub ice: IceClient,
    id: TransportId,
    engine: SocketAddr,
    profile: Profile,
    next_check: Time,
    answers: Vec<u8>,
}

impl Peer {
    pub fn new(id: TransportId, engine: SocketAddr, profile: Profile) -> io::Result<Peer> {
        let socket = Socket::bind(SocketAddr::new(LOOPBACK, 0), true)?;
        let ice = IceClient::new(id);
        Ok(Peer { socket, ice, id, engine, profile, next_check: Time::ZERO, answers: Vec::new() })
    }

    pub fn transport(&self) -> TransportId {
        self.id
    }

    /// What a viewer's subscription sends with; the next is its RTX.
    pub fn media_ssrc(&self) -> u32 {
        0x1000_0000 + 2 * self.id as u32
    }

    pub fn transport_spec(&self, extensions: Extensions) -> TransportSpec {
        TransportSpec {
            id: self.id,
            local: self.ice.engine.clone(),
            remote: self.ice.own.clone(),
            dial: None,
            extensions,
            transport_cc: extensions.transport_cc != 0,
            remb: false,
            cname: "bench".into(),
        }
    }

    /// The node's side of the keys.
    pub fn engine_keys(&self) -> SrtpKeys {
        SrtpKeys { profile: self.profile, receive: self.key(1), send: self.key(2) }
    }

    pub fn protector(&self) -> io::Result<Protector> {
        Protector::new(self.profile, &self.key(1)).map_err(io::Error::other)
    }

    pub fn unprotector(&self) -> io::Result<Unprotector> {
        Unprotector::new(self.profile, &self.key(2), 4).map_err(io::Error::other)
    }

    /// Takes the node's part: reads what this peer sends.
    pub fn engine_unprotector(&self) -> io::Result<Unprotector> {
        Unprotector::new(self.profile, &self.key(1), 4).map_err(io::Error::other)
    }

    /// Master key and salt of one direction: any bytes, other ones for each peer.
    fn key(&self, direction: u8) -> Vec<u8> {
        let len = self.profile.key_len() + self.profile.salt_len();
        let seed = self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        (0..len).map(|i| seed[i % 8].wrapping_add((31 * i) as u8) ^ direction).collect()
    }

    /// Sends an ICE check if one is due.
    pub fn check(&mut self, now: Time, sender: &mut Sender) {
        if now < self.next_check {
            return;
        }
        self.next_check = now + if self.ice.connected() { CONSENT_EVERY } else { CHECK_EVERY };
        let mut check = Vec::new();
        self.ice.write_check(&mut check);
        self.send(sender, &check);
    }

    pub fn handle_stun(&mut self, data: &[u8], from: SocketAddr) {
        self.ice.handle(data, from, &mut self.answers);
    }

    /// Sends the answer to a STUN request, if there is one.
    pub fn answer(&mut self, sender: &mut Sender) {
        if !self.answers.is_empty() {
            let answers = std::mem::take(&mut self.answers);
            self.send(sender, &answers);
        }
    }

    fn send(&self, sender: &mut Sender, data: &[u8]) {
        let mut out = Outbound::default();
        push(&mut out, self.engine, data.len(), |bytes| bytes.extend_from_slice(data));
        sender.send(std::slice::from_ref(&self.socket), &out);
    }

    pub fn send_all(&self, sender: &mut Sender, out: &Outbound) {
        sender.send(std::slice::from_ref(&self.socket), out);
    }

    pub fn engine(&self) -> SocketAddr {
        self.engine
    }
}

/// Appends one datagram of `segment` bytes or fewer that `write` makes.
pub fn push(out: &mut Outbound, remote: SocketAddr, segment: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.bytes.len();
    write(&mut out.bytes);
    let len = out.bytes.len() - start;
    out.transmits.push(Transmit { local: None, remote, start, len, segment: segment.max(len) });
}
