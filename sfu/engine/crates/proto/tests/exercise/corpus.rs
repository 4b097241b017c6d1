//! Valid packets of every kind: what mutation starts from.

use proto::rtcp::{ReportBlock, SenderInfo};
use proto::srtp::Protector;
use proto::{rtcp as rtcp_packets, rtp as rtp_packets, stun as stun_packets, twcc, Time};

use super::{srtp_key, PROFILES, STUN_KEY};

pub fn stun() -> Vec<Vec<u8>> {
    let mut request = Vec::new();
    stun_packets::BindingRequest {
        transaction_id: *b"0123456789ab",
        username: "remote:local",
        key: STUN_KEY,
        priority: 0x6e00_01ff,
        controlling: Some(u64::MAX),
        use_candidate: true,
    }
    .write(&mut request);
    let success = |address: &str| {
        let mut out = Vec::new();
        stun_packets::write_binding_success(&mut out, [1; 12], address.parse().unwrap(), STUN_KEY);
        out
    };
    let mut error = Vec::new();
    stun_packets::write_binding_error(&mut error, [2; 12], 487, "Role Conflict", Some(STUN_KEY));
    vec![request, success("192.0.2.1:7882"), success("[2001:db8::1]:7882"), error]
}

fn rtp_packet(sequence: u16, extensions: &[(u8, &[u8])], tail: &[u8], padding: bool) -> Vec<u8> {
    let mut out = Vec::new();
    rtp_packets::write_header(&mut out, true, 96, sequence, 90_000, 7, padding, extensions);
    out.extend_from_slice(tail);
    out
}

pub fn rtp() -> Vec<Vec<u8>> {
    vec![
        rtp_packet(1, &[], b"payload", false),
        rtp_packet(2, &[(1, b"mid"), (3, &[1, 2]), (14, &[9; 16])], b"payload", false),
        rtp_packet(3, &[(1, b"mid"), (100, &[]), (15, &[9; 40])], &[1, 2, 3, 0, 0, 3], true),
    ]
}

pub fn rtcp() -> Vec<Vec<u8>> {
    let info = SenderInfo { ntp: u64::MAX, rtp_time: 1, packets: 2, octets: 3 };
    let mut reports = Vec::new();
    rtcp_packets::write_sr(&mut reports, 1, info, &[ReportBlock::default(); 2]);
    rtcp_packets::write_sdes_cname(&mut reports, 1, "cname");
    rtcp_packets::write_bye(&mut reports, &[1, 2]);
    let mut feedback = Vec::new();
    rtcp_packets::write_nack(&mut feedback, 1, 2, &[1, 2, 3, 40]);
    rtcp_packets::write_pli(&mut feedback, 1, 2);
    rtcp_packets::write_fir(&mut feedback, 1, 2, 3);
    rtcp_packets::write_remb(&mut feedback, 1, 3_000_000, &[2, 3]);
    let mut recorder = twcc::ArrivalRecorder::default();
    for i in (0..60u16).filter(|i| i % 7 != 3) {
        recorder.record(i, Time::from_micros(u64::from(i) * if i % 9 == 0 { 90_000 } else { 700 }));
    }
    let mut transport_cc = Vec::new();
    recorder.write_feedback(&mut transport_cc, 1, 2);
    vec![reports, feedback, transport_cc]
}

pub fn codec() -> Vec<Vec<u8>> {
    [
        "006742c028da01e0089f9610000003001000000303c8f1832a",
        "0078000767f4000d919681000468ce3c80000365888400",
        "007c858884000010",
        "01b0f0923409a37010009d012a4201b4000047",
        "02aa81020007380140 00b4028001680204010801 02ee",
        "02f47f520304ee",
        "03280c08000000043d06cc4af9004030010203",
        "03080d0a0b000000043d06cc4af90040",
    ]
    .iter()
    .map(|text| {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    })
    .collect()
}

pub fn srtp() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for (choice, profile) in PROFILES.into_iter().enumerate() {
        let mut protector = Protector::new(profile, &srtp_key(profile)).unwrap();
        for sequence in [0, 1, 0x7fff, 0xfffe] {
            let mut out = vec![choice as u8];
            out.extend(rtp_packet(sequence, &[(1, b"x")], b"payload", false));
            protector.protect_rtp(&mut out, 1, 20, u64::from(sequence));
            corpus.push(out);
        }
        let mut out = vec![choice as u8];
        rtcp_packets::write_rr(&mut out, 7, &[ReportBlock::default()]);
        protector.protect_rtcp(&mut out, 1);
        corpus.push(out);
    }
    corpus
}

pub fn srtp_round_trip() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = rtp();
    corpus.extend(rtcp());
    for (choice, packet) in corpus.iter_mut().enumerate() {
        packet.insert(0, choice as u8);
    }
    corpus
}

/// A keyframe and two more packets of one encoding, sound, then every kind of RTCP, each in the frame that
/// `exercise::peer` reads.
pub fn peer() -> Vec<Vec<u8>> {
    let step = |what: u8, body: &[u8]| [&[what, body.len() as u8], body].concat();
    let media = |payload_type: u8, sequence: u16, ssrc: u32, extensions: &[(u8, &[u8])], payload: &[u8]| {
        let mut out = Vec::new();
        let time = u32::from(sequence) * 3_000;
        rtp_packets::write_header(&mut out, true, payload_type, sequence, time, ssrc, false, extensions);
        out.extend_from_slice(payload);
        out
    };
    let keyframe = [0x10, 0, 0, 0, 0x9D, 1, 0x2A, 0x80, 2, 0x68, 1];
    let mut frames = Vec::new();
    for sequence in 1..4u16 {
        let counted = sequence.to_be_bytes();
        let extensions: [(u8, &[u8]); 3] = [(3, &counted), (4, b"0"), (10, b"h")];
        let payload = if sequence == 1 { &keyframe[..] } else { &[0x10, 1, 0, 0] };
        frames.extend(step(0, &media(98, sequence, 7, &extensions, payload)));
        frames.extend(step(0, &media(111, sequence, 9, &[(4, b"1"), (1, &[30])], &[0xF8, 0xFF, 0xFE])));
        frames.extend(step(7, &[33]));
    }
    let mut corpus = vec![frames.clone()];
    for packet in rtcp() {
        let mut input = frames.clone();
        input.extend(step(3, &packet));
        input.extend(step(7, &[200]));
        corpus.push(input);
    }
    let mut retransmitted = frames.clone();
    let payload = [&4u16.to_be_bytes(), &[0x10, 1, 0, 0][..]].concat();
    retransmitted.extend(step(0, &media(99, 1, 8, &[(4, b"0"), (11, b"h")], &payload)));
    retransmitted
        .extend([step(6, &[200]), step(6, &[]), step(5, &[22, 254, 253]), step(7, &[1, 99])].concat());
    corpus.push(retransmitted);
    corpus
}
