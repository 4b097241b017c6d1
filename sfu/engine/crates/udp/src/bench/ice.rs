//! A controlling ICE agent with one candidate pair: as much as a full peer of an ICE-lite node needs
//! (RFC 8445 sections 6.1.1 and 7).

use std::net::SocketAddr;

use proto::message::IceCredentials;
use proto::stun::{write_binding_success, BindingRequest, Class, Message};

/// Peer-reflexive type preference, local preference, component 1 (RFC 8445 section 5.1.2.1).
const PRIORITY: u32 = (110 << 24) + (65_535 << 8) + 255;

pub struct IceClient {
    pub engine: IceCredentials,
    pub own: IceCredentials,
    tie_breaker: u64,
    checks: u64,
    /// The engine answered our check.
    accepted: bool,
    /// We answered the engine's check: media may come.
    verified: bool,
}

impl IceClient {
    pub fn new(id: u64) -> IceClient {
        let credentials = |side: &str| IceCredentials {
            ufrag: format!("{side}{id:05}"),
            pwd: format!("{side}-password-of-peer-{id:05}"),
        };
        IceClient {
            engine: credentials("e"),
            own: credentials("p"),
            tie_breaker: id + 1,
            checks: 0,
            accepted: false,
            verified: false,
        }
    }

    pub fn connected(&self) -> bool {
        self.accepted && self.verified
    }

    /// Appends a check with USE-CANDIDATE.
    pub fn write_check(&mut self, out: &mut Vec<u8>) {
        self.checks += 1;
        let mut transaction_id = [0; 12];
        transaction_id[..4].copy_from_slice(&(self.tie_breaker as u32).to_be_bytes());
        transaction_id[4..].copy_from_slice(&self.checks.to_be_bytes());
        let request = BindingRequest {
            transaction_id,
            username: &format!("{}:{}", self.engine.ufrag, self.own.ufrag),
            key: self.engine.pwd.as_bytes(),
            priority: PRIORITY,
            controlling: Some(self.tie_breaker),
            use_candidate: true,
        };
        request.write(out);
    }

    /// Takes a STUN message and appends the answer, if one is due.
    pub fn handle(&mut self, data: &[u8], from: SocketAddr, out: &mut Vec<u8>) {
        let Ok(message) = Message::parse(data) else { return };
        match message.class() {
            Class::Success if message.verify_integrity(self.engine.pwd.as_bytes()) => self.accepted = true,
            Class::Request if message.verify_integrity(self.own.pwd.as_bytes()) => {
                self.verified = true;
                write_binding_success(out, message.transaction_id(), from, self.own.pwd.as_bytes());
            }
            _ => {}
        }
    }
}
