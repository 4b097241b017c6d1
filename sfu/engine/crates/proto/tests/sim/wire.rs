//! What both kinds of peer have in common: ICE as the controlling side, SRTP with keys set beforehand.

use std::time::Duration;

use proto::message::{CodecSpec, IceCredentials, SrtpKeys, TransportSpec};
use proto::message::{Extensions, TransportId};
use proto::rtp::{self, Header};
use proto::srtp::{Profile, Protector, Unprotector};
use proto::stun::{self, BindingRequest};
use proto::{Command, Time};

pub const EXTENSIONS: Extensions = Extensions {
    mid: 4,
    rid: 10,
    repaired_rid: 11,
    audio_level: 1,
    abs_send_time: 0,
    transport_cc: 3,
    video_orientation: 0,
    playout_delay: 0,
};

/// A peer's ICE agent and SRTP contexts.
pub struct Wire {
    pub transport: TransportId,
    local: IceCredentials,
    remote: IceCredentials,
    pub protect: Protector,
    pub unprotect: Unprotector,
    serial: u64,
    next_check: Time,
    pub silent: bool,
}

fn credentials(transport: TransportId, side: &str) -> IceCredentials {
    IceCredentials {
        ufrag: format!("{side}{transport:06}"),
        pwd: format!("{side}-password-of-{transport:010}"),
    }
}

impl Wire {
    pub fn new(transport: TransportId) -> Wire {
        let (ours, theirs) = keys(transport);
        Wire {
            transport,
            local: credentials(transport, "peer"),
            remote: credentials(transport, "node"),
            protect: Protector::new(Profile::AeadAes128Gcm, &ours).unwrap(),
            unprotect: Unprotector::new(Profile::AeadAes128Gcm, &theirs, 64).unwrap(),
            serial: 0,
            next_check: Time::ZERO,
            silent: false,
        }
    }

    pub fn open(&self) -> [Command; 2] {
        let (receive, send) = keys(self.transport);
        [
            Command::OpenTransport(TransportSpec {
                id: self.transport,
                local: self.remote.clone(),
                remote: self.local.clone(),
                dial: None,
                extensions: EXTENSIONS,
                transport_cc: true,
                remb: false,
                cname: "node".into(),
            }),
            Command::SetKeys {
                transport: self.transport,
                keys: SrtpKeys { profile: Profile::AeadAes128Gcm, receive, send },
            },
        ]
    }

    /// New credentials on both sides, as an ICE restart brings them.
    pub fn restart(&mut self) -> Command {
        self.local.ufrag.push('r');
        self.remote.ufrag.push('r');
        self.next_check = Time::ZERO;
        Command::RestartIce {
            transport: self.transport,
            local: self.remote.clone(),
            remote: self.local.clone(),
        }
    }

    /// Connectivity checks every 2.65 s, as Chromium's.
    pub fn poll(&mut self, now: Time, out: &mut Vec<Vec<u8>>) -> Time {
        if self.next_check <= now && !self.silent {
            let established = self.serial > 3;
            self.next_check = now + Duration::from_millis(if established { 2_650 } else { 50 });
            out.push(self.request(true));
        }
        self.next_check.max(now)
    }

    pub fn request(&mut self, use_candidate: bool) -> Vec<u8> {
        self.request_for(self.transport, use_candidate)
    }

    /// A request that names another transport, with our password.
    pub fn request_for(&mut self, transport: TransportId, use_candidate: bool) -> Vec<u8> {
        let other = credentials(transport, "node");
        let remote = if transport == self.transport { self.remote.clone() } else { other };
        self.serial += 1;
        let mut transaction_id = [0; 12];
        transaction_id[..8].copy_from_slice(&self.serial.to_be_bytes());
        transaction_id[8..].copy_from_slice(&(self.transport as u32).to_be_bytes());
        let mut request = Vec::new();
        BindingRequest {
            transaction_id,
            username: &format!("{}:{}", remote.ufrag, self.local.ufrag),
            key: self.remote.pwd.as_bytes(),
            priority: 1,
            controlling: Some(1),
            use_candidate,
        }
        .write(&mut request);
        request
    }

    /// Answers the node's checks. Returns true if it was STUN.
    pub fn handle_stun(&mut self, data: &[u8], out: &mut Vec<Vec<u8>>) -> bool {
        if !stun::is_stun(data) {
            return false;
        }
        if let Ok(message) = stun::Message::parse(data) {
            if message.class() == stun::Class::Request && message.verify_integrity(self.local.pwd.as_bytes())
            {
                let mut answer = Vec::new();
                stun::write_binding_success(
                    &mut answer,
                    message.transaction_id(),
                    "10.0.0.1:7882".parse().unwrap(),
                    self.local.pwd.as_bytes(),
                );
                out.push(answer);
            }
        }
        true
    }

    /// Decrypts RTP: header, packet index, payload without padding.
    pub fn open_rtp(&mut self, data: &[u8]) -> Option<(Header, u64, Vec<u8>)> {
        let mut data = data.to_vec();
        let header = Header::parse(&data).ok()?;
        let opened = self.unprotect.unprotect_rtp(&mut data, &header).ok()?;
        let payload = header.payload(&data[..opened.len]).ok()?.to_vec();
        Some((header, opened.index, payload))
    }

    pub fn seal_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut data = packet.to_vec();
        self.protect.protect_rtcp(&mut data, 0);
        data
    }

    #[allow(clippy::too_many_arguments)]
    pub fn seal_rtp(
        &self,
        marker: bool,
        payload_type: u8,
        index: u64,
        timestamp: u32,
        ssrc: u32,
        extensions: &[(u8, &[u8])],
        payload: &[u8],
        padding: u8,
    ) -> Vec<u8> {
        let mut data = Vec::new();
        rtp::write_header(
            &mut data,
            marker,
            payload_type,
            index as u16,
            timestamp,
            ssrc,
            padding > 0,
            extensions,
        );
        let header_len = data.len();
        data.extend_from_slice(payload);
        if padding > 0 {
            data.resize(data.len() + usize::from(padding) - 1, 0);
            data.push(padding);
        }
        self.protect.protect_rtp(&mut data, 0, header_len, index);
        data
    }
}

fn keys(transport: TransportId) -> (Vec<u8>, Vec<u8>) {
    let make = |salt: u8| (0..28).map(|i| (transport as u8).wrapping_mul(31) ^ salt ^ i).collect();
    (make(0x55), make(0xAA))
}

pub fn codec(name: &str, payload_type: u8) -> CodecSpec {
    let audio = name == "opus";
    CodecSpec {
        payload_type,
        rtx_payload_type: (!audio).then_some(payload_type + 1),
        name: name.into(),
        clock_rate: if audio { 48_000 } else { 90_000 },
        channels: if audio { 2 } else { 1 },
        fmtp: if name == "H264" {
            "packetization-mode=1;profile-level-id=42e01f".into()
        } else {
            String::new()
        },
        nack: !audio,
        pli: !audio,
        fir: false,
    }
}

/// The codecs every peer here knows, with the payload types of one side.
pub fn video_codecs(base: u8) -> Vec<CodecSpec> {
    vec![codec("H264", base), codec("VP8", base + 2)]
}
