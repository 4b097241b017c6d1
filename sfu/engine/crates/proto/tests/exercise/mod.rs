//! What each fuzz target does with an input: read it in every way there is, and hold what is read to
//! what must be true of it.

pub mod corpus;
mod peer;
#[allow(dead_code)] // the simulation's, which needs more of it
#[path = "../sim/wire.rs"]
mod wire;

pub use peer::peer;

use proto::codec::{self, vp8, vp9, CodecName};
use proto::rtcp::{self, Packet};
use proto::rtp::Header;
use proto::srtp::{Profile, Protector, SrtpError, Unprotector};
use proto::{stun, twcc};
use std::cell::RefCell;

pub const STUN_KEY: &[u8] = b"a password of 22 bytes";

pub fn stun(data: &[u8]) {
    let Ok(message) = stun::Message::parse(data) else { return };
    assert!(stun::is_stun(data));
    assert!(message.method() < 0x1000);
    assert!(message.error_code().is_none_or(|code| (300..700).contains(&code)));
    assert!(message.username().is_none_or(|name| name.len() < data.len()));
    let _ = (message.class(), message.priority(), message.controlling(), message.controlled());
    let _ = (message.has_use_candidate(), message.xor_mapped_address());
    message.verify_integrity(STUN_KEY);
    message.fingerprint_ok();
}

pub fn rtp(data: &[u8]) {
    let Ok(header) = Header::parse(data) else { return };
    assert!(header.header_len <= data.len());
    let elements: usize = header.extensions(data).map(|(_, value)| value.len() + 1).sum();
    assert!(elements <= header.header_len);
    if let Ok(payload) = header.payload(data) {
        assert!(header.header_len + payload.len() <= data.len());
    }
}

pub fn rtcp(data: &[u8]) {
    let mut ended = false;
    for packet in rtcp::parse(data) {
        assert!(!ended, "something follows an error");
        let items = match packet {
            Ok(Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. }) => blocks.count(),
            Ok(Packet::Bye { ssrcs } | Packet::Remb { ssrcs, .. }) => ssrcs.count(),
            Ok(Packet::Nack { lost, .. }) => lost.count() / 17,
            Ok(Packet::Fir { entries, .. }) => entries.count(),
            Ok(Packet::Sdes(raw) | Packet::Xr(raw)) => raw.len(),
            Ok(Packet::TransportCc(raw)) => {
                let feedback = twcc::parse_feedback(&raw);
                feedback.reference_time_us();
                assert!(feedback.count() <= usize::from(raw.packet_count));
                0
            }
            Ok(Packet::Pli { .. } | Packet::Other { .. }) => 0,
            Err(_) => {
                ended = true;
                0
            }
        };
        assert!(items <= data.len());
    }
}

/// The first byte chooses the codec.
pub fn codec(data: &[u8]) {
    const CODECS: [CodecName; 4] = [CodecName::H264, CodecName::Vp8, CodecName::Vp9, CodecName::Av1];
    let Some((&choice, payload)) = data.split_first() else { return };
    let info = codec::inspect(CODECS[usize::from(choice) % CODECS.len()], payload);
    assert!(info.keyframe || !info.keyframe_start);
    if let Ok(descriptor) = vp8::Descriptor::parse(payload) {
        assert!(descriptor.header_len <= payload.len());
        let mut changed = payload.to_vec();
        vp8::rewrite(&mut changed, &descriptor, 0x7fff, 0xff);
        let again = vp8::Descriptor::parse(&changed).expect("rewriting keeps the descriptor whole");
        assert_eq!(again.header_len, descriptor.header_len);
        assert_eq!(changed[again.header_len..], payload[again.header_len..]);
    }
    if let Ok(descriptor) = vp9::Descriptor::parse(payload) {
        assert!(descriptor.header_len <= payload.len());
    }
}

pub const PROFILES: [Profile; 3] = [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];

pub fn srtp_key(profile: Profile) -> Vec<u8> {
    vec![0x5a; profile.key_len() + profile.salt_len()]
}

thread_local! {
    static UNPROTECTORS: RefCell<Vec<Unprotector>> = RefCell::new(
        PROFILES.iter().map(|&profile| Unprotector::new(profile, &srtp_key(profile), 8).unwrap()).collect(),
    );
}

/// The first byte chooses the profile; the peer's state goes on from input to input.
pub fn srtp(data: &[u8]) {
    let Some((&choice, packet)) = data.split_first() else { return };
    let choice = usize::from(choice) % PROFILES.len();
    UNPROTECTORS.with_borrow_mut(|unprotectors| {
        let unprotector = &mut unprotectors[choice];
        let mut buffer = packet.to_vec();
        if rtcp::is_rtcp(packet) {
            if let Ok(len) = unprotector.unprotect_rtcp(&mut buffer) {
                assert_eq!(len + PROFILES[choice].rtcp_overhead(), packet.len());
                let again = unprotector.unprotect_rtcp(&mut packet.to_vec());
                assert_eq!(again, Err(SrtpError::Replay));
            }
        } else if let Ok(header) = Header::parse(packet) {
            if let Ok(passed) = unprotector.unprotect_rtp(&mut buffer, &header) {
                assert_eq!(passed.len + PROFILES[choice].rtp_overhead(), packet.len());
                assert_eq!(passed.index as u16, header.sequence);
                let again = unprotector.unprotect_rtp(&mut packet.to_vec(), &header);
                assert_eq!(again, Err(SrtpError::Replay));
            }
        }
    });
}

/// The first byte chooses the profile, the rest is a packet that its sender protects: it opens to the same.
pub fn srtp_round_trip(data: &[u8]) {
    let Some((&choice, packet)) = data.split_first() else { return };
    let profile = PROFILES[usize::from(choice) % PROFILES.len()];
    let mut protector = Protector::new(profile, &srtp_key(profile)).unwrap();
    let mut unprotector = Unprotector::new(profile, &srtp_key(profile), 8).unwrap();
    let mut sealed = packet.to_vec();
    if rtcp::is_rtcp(packet) {
        if packet.len() < 8 {
            return;
        }
        protector.protect_rtcp(&mut sealed, 0);
        let len = unprotector.unprotect_rtcp(&mut sealed).expect("what was protected opens");
        assert_eq!(&sealed[..len], packet);
    } else if let Ok(header) = Header::parse(packet) {
        let index = u64::from(header.sequence);
        protector.protect_rtp(&mut sealed, 0, header.header_len, index);
        let passed = unprotector.unprotect_rtp(&mut sealed, &header).expect("what was protected opens");
        assert_eq!((&sealed[..passed.len], passed.index), (packet, index));
    }
}
