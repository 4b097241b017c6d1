use super::keys::{apply_key_stream, counter_block, derive, Session};
use super::*;
use crate::rtcp::{self, ReportBlock};
use crate::rtp::{self, Header};
use aws_lc_rs::cipher::{EncryptingKey, UnboundCipherKey, AES_128};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

const PROFILES: [Profile; 3] = [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];
const VECTORS: &str = include_str!("../../tests/srtp_vectors.txt");

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |d: u8| (d as char).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn key_and_salt(profile: Profile) -> Vec<u8> {
    (0..profile.key_len() + profile.salt_len()).map(|i| i as u8).collect()
}

fn pair(profile: Profile, max_ssrcs: usize) -> (Protector, Unprotector) {
    let key = key_and_salt(profile);
    (Protector::new(profile, &key).unwrap(), Unprotector::new(profile, &key, max_ssrcs).unwrap())
}

fn protected(protector: &Protector, ssrc: u32, index: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = b"arena".to_vec();
    rtp::write_header(&mut out, false, 96, index as u16, 9, ssrc, false, &[(1, b"x")]);
    let header_len = out.len() - 5;
    out.extend_from_slice(payload);
    protector.protect_rtp(&mut out, 5, header_len, index);
    assert_eq!(&out[..5], b"arena");
    out.split_off(5)
}

fn protected_report(protector: &mut Protector, ssrc: u32) -> Vec<u8> {
    let mut out = b"arena".to_vec();
    rtcp::write_rr(&mut out, ssrc, &[ReportBlock::default()]);
    protector.protect_rtcp(&mut out, 5);
    out.split_off(5)
}

fn unprotect(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Unprotected, SrtpError> {
    let header = Header::parse(packet).map_err(|_| SrtpError::TooShort)?;
    unprotector.unprotect_rtp(&mut packet.to_vec(), &header)
}

#[test]
fn key_stream_of_rfc_3711_appendix_b2() {
    let key = UnboundCipherKey::new(&AES_128, &hex("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
    let salt: [u8; 14] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd").try_into().unwrap();
    let mut stream = [0; 48];
    apply_key_stream(&EncryptingKey::ctr(key).unwrap(), counter_block(&salt, 0, 0), &mut stream);
    let expected = "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab
        41e95b3bb0a2e8dd477901e4fca894c0";
    assert_eq!(stream[..], hex(expected));
}

#[test]
fn derived_keys_of_rfc_3711_appendix_b3() {
    let (key, salt) = (hex("e1f97a0d3e018be0d64fa32c06de4139"), hex("0ec675ad498afeebb6960b3aabe6"));
    for (label, expected) in [
        (0, "c61e7a93744f39ee10734afe3ff7a087"),
        (1, "cebe321f6ff7716b6fd4ab49af256a156d38baa4"),
        (2, "30cbbc08863d8c85d49db34a9ae1"),
    ] {
        let mut out = vec![0xff; hex(expected).len()];
        derive(&key, &salt, label, &mut out).unwrap();
        assert_eq!(out, hex(expected), "label {label}");
    }
}

/// RFC 7714 sections 16.1.1, 16.2.1, 17.1 and, for 256 bits of RTCP, the same packet.
#[test]
fn packets_of_rfc_7714() {
    let rtp = hex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
        69736120 696e2070 61727465 73207472 6573");
    let rtcp = hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef");
    let key: Vec<u8> = (0..32).collect();
    let salt = hex("51756964 2070726f 2071756f");
    for (profile, protected_rtp, protected_rtcp) in [
        (
            Profile::AeadAes128Gcm,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
             42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
             730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        ),
        (
            Profile::AeadAes256Gcm,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
             b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1
             110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        ),
    ] {
        let session = || Session::new(profile, &key[..profile.key_len()], &salt, &[]).unwrap();
        let mut protector = Protector::from_sessions(session(), session(), 0x5d4);
        let mut packet = rtp.clone();
        protector.protect_rtp(&mut packet, 0, 12, 0xf17b);
        assert_eq!(packet, hex(protected_rtp));
        let mut packet = rtcp.clone();
        protector.protect_rtcp(&mut packet, 0);
        assert_eq!(packet, hex(protected_rtcp));
    }
}

#[test]
fn agrees_with_libsrtp_both_ways() {
    let mut lines = 0;
    let mut current = None;
    for line in VECTORS.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, kind, index, key, plain, wire] = fields[..] else { panic!("{line}") };
        let profile = Profile::from_dtls_name(name).unwrap();
        let (key, plain, wire) = (hex(key), hex(plain), hex(wire));
        let index: u64 = index.parse().unwrap();
        // One receiver for all packets of a profile: it follows the rollover.
        let (known, unprotector) =
            current.get_or_insert_with(|| (profile, Unprotector::new(profile, &key, 1).unwrap()));
        if *known != profile {
            (*known, *unprotector) = (profile, Unprotector::new(profile, &key, 1).unwrap());
        }
        let mut ours = plain.clone();
        let mut theirs = wire.clone();
        if kind == "rtp" {
            let header = Header::parse(&plain).unwrap();
            Protector::new(profile, &key).unwrap().protect_rtp(&mut ours, 0, header.header_len, index);
            let passed = unprotector.unprotect_rtp(&mut theirs, &header).unwrap();
            assert_eq!(passed, Unprotected { index, len: plain.len() });
            assert_eq!(wire.len(), plain.len() + profile.rtp_overhead());
        } else {
            let mut protector = Protector::new(profile, &key).unwrap();
            for _ in 0..index {
                protected_report(&mut protector, 1);
            }
            protector.protect_rtcp(&mut ours, 0);
            assert_eq!(unprotector.unprotect_rtcp(&mut theirs), Ok(plain.len()));
            assert_eq!(wire.len(), plain.len() + profile.rtcp_overhead());
        }
        assert_eq!(ours, wire, "{line}");
        assert_eq!(theirs[..plain.len()], plain, "{line}");
        lines += 1;
    }
    assert_eq!(lines, 3 * 8);
}

#[test]
fn the_rollover_counter_follows_through_three_turns() {
    for profile in PROFILES {
        for start in [0u64, 1, 0x7fff, 0x8000, 0xfffe, 0xffff] {
            let (protector, mut unprotector) = pair(profile, 4);
            for step in 0..30 {
                let index = start + step * 0x1fff;
                let packet = protected(&protector, 7, index, b"payload");
                let passed = unprotect(&mut unprotector, &packet).unwrap();
                assert_eq!(passed, Unprotected { index, len: packet.len() - profile.rtp_overhead() });
            }
        }
    }
}

#[test]
fn ssrcs_have_counters_of_their_own() {
    let (protector, mut unprotector) = pair(Profile::AeadAes128Gcm, 4);
    for index in (0xf000..0x3_0000).step_by(0x3000) {
        unprotect(&mut unprotector, &protected(&protector, 1, index, b"video")).unwrap();
    }
    let rtx = unprotect(&mut unprotector, &protected(&protector, 2, 0xfff0, b"rtx")).unwrap();
    assert_eq!(rtx.index, 0xfff0);
}

#[test]
fn what_came_late_passes_once_and_what_came_too_late_never() {
    for profile in PROFILES {
        let (protector, mut unprotector) = pair(profile, 4);
        let mut receive =
            |index| unprotect(&mut unprotector, &protected(&protector, 7, index, b"")).map(|p| p.index);
        assert_eq!(receive(0xfffe), Ok(0xfffe));
        assert_eq!(receive(0x1_0010), Ok(0x1_0010));
        assert_eq!(receive(0xffff), Ok(0xffff));
        assert_eq!(receive(0xffff), Err(SrtpError::Replay));
        assert_eq!(receive(0x1_0010), Err(SrtpError::Replay));
        assert_eq!(receive(0x1_0010 - 1023), Ok(0x1_0010 - 1023));
        assert_eq!(receive(0x1_0010 - 1024), Err(SrtpError::Replay));
    }
}

#[test]
fn rtcp_replay_is_per_sender() {
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile, 4);
        let reports: Vec<_> = (0..3000).map(|i| protected_report(&mut protector, i % 2)).collect();
        let mut receive = |i: usize| unprotector.unprotect_rtcp(&mut reports[i].clone());
        assert_eq!(receive(2999), Ok(32));
        assert_eq!(receive(2999), Err(SrtpError::Replay));
        assert_eq!(receive(1), Err(SrtpError::Replay));
        assert_eq!(receive(2001), Ok(32));
        // The other sender has no past yet.
        assert_eq!(receive(0), Ok(32));
    }
}

#[test]
fn forged_packets_change_nothing() {
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile, 1);
        let packet = protected(&protector, 7, 100, b"payload");
        // A forged packet of another SSRC must not take the only place, and one far ahead must not
        // move counter or window.
        for (at, value) in [(11, 9), (3, 0x70), (packet.len() - 1, packet[packet.len() - 1] ^ 1), (20, 0)] {
            let mut forged = packet.clone();
            forged[at] = value;
            assert_eq!(unprotect(&mut unprotector, &forged), Err(SrtpError::Authentication), "byte {at}");
        }
        assert_eq!(unprotect(&mut unprotector, &packet).unwrap().index, 100);
        let mut ahead = packet.clone();
        ahead[2] = 0x70;
        assert_eq!(unprotect(&mut unprotector, &ahead), Err(SrtpError::Authentication));
        assert_eq!(unprotect(&mut unprotector, &protected(&protector, 7, 99, b"late")).unwrap().index, 99);

        let report = protected_report(&mut protector, 7);
        for at in 0..report.len() {
            let mut forged = report.clone();
            forged[at] ^= 0x20;
            assert_eq!(unprotector.unprotect_rtcp(&mut forged), Err(SrtpError::Authentication), "byte {at}");
        }
        assert_eq!(unprotector.unprotect_rtcp(&mut report.clone()), Ok(32));
    }
}

#[test]
fn every_byte_of_rtp_is_authenticated() {
    for profile in PROFILES {
        let (protector, mut unprotector) = pair(profile, 1);
        let packet = protected(&protector, 7, 100, b"payload");
        for at in 0..packet.len() {
            let mut forged = packet.clone();
            forged[at] ^= 0x01;
            assert!(unprotect(&mut unprotector, &forged).is_err(), "byte {at}");
        }
    }
}

#[test]
fn contexts_are_bounded() {
    let (mut protector, mut unprotector) = pair(Profile::AeadAes128Gcm, 2);
    for ssrc in 0..2 {
        unprotect(&mut unprotector, &protected(&protector, ssrc, 1, b"")).unwrap();
        unprotector.unprotect_rtcp(&mut protected_report(&mut protector, ssrc)).unwrap();
    }
    let third = protected(&protector, 2, 1, b"");
    assert_eq!(unprotect(&mut unprotector, &third), Err(SrtpError::TooManySsrcs));
    let report = unprotector.unprotect_rtcp(&mut protected_report(&mut protector, 2));
    assert_eq!(report, Err(SrtpError::TooManySsrcs));
    unprotect(&mut unprotector, &protected(&protector, 1, 2, b"")).unwrap();
}

#[test]
fn the_remaining_errors_happen() {
    for profile in PROFILES {
        let key = key_and_salt(profile);
        assert_eq!(Protector::new(profile, &key[1..]).err(), Some(SrtpError::BadKey));
        assert_eq!(Unprotector::new(profile, &[], 1).err(), Some(SrtpError::BadKey));
        let (mut protector, mut unprotector) = pair(profile, 1);
        let packet = protected(&protector, 7, 1, b"");
        let short = &packet[..packet.len() - 1];
        assert_eq!(unprotect(&mut unprotector, short), Err(SrtpError::TooShort));
        let mut report = protected_report(&mut protector, 7);
        assert_eq!(unprotector.unprotect_rtcp(&mut report[..11]), Err(SrtpError::TooShort));
        let at = report.len() - if profile == Profile::Aes128CmSha1_80 { 14 } else { 4 };
        report[at] &= 0x7f;
        assert_eq!(unprotector.unprotect_rtcp(&mut report), Err(SrtpError::Unencrypted));
    }
    assert!(SrtpError::BadKey.to_string().contains("key"));
    assert_eq!(Profile::from_dtls_name("SRTP_NULL_SHA1_80"), None);
}

#[test]
fn a_spent_rtcp_key_sends_nothing() {
    let session = || Session::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12], &[]).unwrap();
    let mut protector = Protector::from_sessions(session(), session(), (1 << 31) - 1);
    assert!(!protected_report(&mut protector, 1).is_empty());
    assert!(protected_report(&mut protector, 1).is_empty());
}

#[test]
fn truncated_and_random_input_never_panics() {
    let mut rng = SmallRng::seed_from_u64(3711);
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile, 4);
        let packet = protected(&protector, 7, 1, b"payload");
        let report = protected_report(&mut protector, 7);
        for len in 0..packet.len() {
            assert!(unprotect(&mut unprotector, &packet[..len]).is_err());
        }
        for len in 0..report.len() {
            assert!(unprotector.unprotect_rtcp(&mut report[..len].to_vec()).is_err());
        }
        let mut data = [0u8; 80];
        for _ in 0..100_000 / 3 {
            let len = rng.random_range(0..=data.len());
            rng.fill_bytes(&mut data[..len]);
            data[0] = 0x80 | data[0] & 0x3f;
            assert!(unprotect(&mut unprotector, &data[..len]).is_err());
            assert!(unprotector.unprotect_rtcp(&mut data[..len]).is_err());
        }
    }
}
