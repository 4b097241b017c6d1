//! Mutated valid packets against every parser, from a seed. `SPILLWAY_FUZZ` is the number of inputs for
//! each target, 200,000 by default. A failing input is printed with its number.

mod exercise;

use exercise::{srtp_key, PROFILES, STUN_KEY};
use proto::rtcp::{self, ReportBlock, SenderInfo};
use proto::srtp::Protector;
use proto::{rtp, stun, twcc, Time};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::panic::{catch_unwind, resume_unwind};

fn stun_corpus() -> Vec<Vec<u8>> {
    let mut request = Vec::new();
    stun::BindingRequest {
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
        stun::write_binding_success(&mut out, [1; 12], address.parse().unwrap(), STUN_KEY);
        out
    };
    let mut error = Vec::new();
    stun::write_binding_error(&mut error, [2; 12], 487, "Role Conflict", Some(STUN_KEY));
    vec![request, success("192.0.2.1:7882"), success("[2001:db8::1]:7882"), error]
}

fn rtp_packet(sequence: u16, extensions: &[(u8, &[u8])], tail: &[u8], padding: bool) -> Vec<u8> {
    let mut out = Vec::new();
    rtp::write_header(&mut out, true, 96, sequence, 90_000, 7, padding, extensions);
    out.extend_from_slice(tail);
    out
}

fn rtp_corpus() -> Vec<Vec<u8>> {
    vec![
        rtp_packet(1, &[], b"payload", false),
        rtp_packet(2, &[(1, b"mid"), (3, &[1, 2]), (14, &[9; 16])], b"payload", false),
        rtp_packet(3, &[(1, b"mid"), (100, &[]), (15, &[9; 40])], &[1, 2, 3, 0, 0, 3], true),
    ]
}

fn rtcp_corpus() -> Vec<Vec<u8>> {
    let info = SenderInfo { ntp: u64::MAX, rtp_time: 1, packets: 2, octets: 3 };
    let mut reports = Vec::new();
    rtcp::write_sr(&mut reports, 1, info, &[ReportBlock::default(); 2]);
    rtcp::write_sdes_cname(&mut reports, 1, "cname");
    rtcp::write_bye(&mut reports, &[1, 2]);
    let mut feedback = Vec::new();
    rtcp::write_nack(&mut feedback, 1, 2, &[1, 2, 3, 40]);
    rtcp::write_pli(&mut feedback, 1, 2);
    rtcp::write_fir(&mut feedback, 1, 2, 3);
    rtcp::write_remb(&mut feedback, 1, 3_000_000, &[2, 3]);
    let mut recorder = twcc::ArrivalRecorder::default();
    for i in (0..60u16).filter(|i| i % 7 != 3) {
        recorder.record(i, Time::from_micros(u64::from(i) * if i % 9 == 0 { 90_000 } else { 700 }));
    }
    let mut transport_cc = Vec::new();
    recorder.write_feedback(&mut transport_cc, 1, 2);
    vec![reports, feedback, transport_cc]
}

fn codec_corpus() -> Vec<Vec<u8>> {
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

fn srtp_corpus() -> Vec<Vec<u8>> {
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
        rtcp::write_rr(&mut out, 7, &[ReportBlock::default()]);
        protector.protect_rtcp(&mut out, 1);
        corpus.push(out);
    }
    corpus
}

/// One to four changes of the kinds that break parsers.
fn mutate(rng: &mut SmallRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = corpus[rng.random_range(0..corpus.len())].clone();
    for _ in 0..rng.random_range(1..=4) {
        if data.is_empty() {
            break;
        }
        let at = rng.random_range(0..data.len());
        match rng.random_range(0..8) {
            0 => data[at] ^= 1 << rng.random_range(0..8),
            1 => data[at] = rng.random(),
            2 => data[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][rng.random_range(0..6)],
            3 => data.truncate(at),
            4 => data.insert(at, rng.random()),
            5 => {
                data.remove(at);
            }
            6 => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                data.truncate(at);
                data.extend_from_slice(&other[rng.random_range(0..other.len())..]);
            }
            _ => {
                let end = (at + 4).min(data.len());
                rng.fill(&mut data[at..end]);
            }
        }
    }
    // A STUN length that fits lets the parser look at the attributes.
    if data.len() >= 20 && data[0] & 0xc0 == 0 && rng.random() {
        let len = (data.len() - 20) as u16;
        data[2..4].copy_from_slice(&len.to_be_bytes());
    }
    data
}

fn smoke(seed: u64, corpus: &[Vec<u8>], target: fn(&[u8])) {
    let inputs: u64 = match std::env::var("SPILLWAY_FUZZ") {
        Ok(text) => text.parse().expect("SPILLWAY_FUZZ is a number of inputs"),
        Err(_) => 200_000,
    };
    for data in corpus {
        target(data);
    }
    let mut rng = SmallRng::seed_from_u64(seed);
    for number in 0..inputs {
        let data = mutate(&mut rng, corpus);
        if let Err(panic) = catch_unwind(|| target(&data)) {
            eprintln!("input {number} of seed {seed}: {data:02x?}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn stun_inputs() {
    smoke(1, &stun_corpus(), exercise::stun);
}

#[test]
fn rtp_inputs() {
    smoke(2, &rtp_corpus(), exercise::rtp);
}

#[test]
fn rtcp_inputs() {
    smoke(3, &rtcp_corpus(), exercise::rtcp);
}

#[test]
fn codec_inputs() {
    smoke(4, &codec_corpus(), exercise::codec);
}

#[test]
fn srtp_inputs() {
    smoke(5, &srtp_corpus(), exercise::srtp);
}
