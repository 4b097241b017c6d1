use super::*;
use crate::rtcp::{self, Packet, TransportCcRaw};
use crate::time::Time;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use std::collections::BTreeMap;

/// (sequence, arrival in microseconds) of every packet that the feedbacks cover, as they tell it.
fn told(data: &[u8]) -> Vec<(u16, Option<i64>)> {
    let mut told = Vec::new();
    for packet in rtcp::parse(data) {
        let Packet::TransportCc(raw) = packet.unwrap() else { panic!() };
        let feedback = parse_feedback(&raw);
        let reference = feedback.reference_time_us();
        let before = told.len();
        told.extend(feedback.map(|(sequence, delta)| (sequence, delta.map(|us| reference + us))));
        assert_eq!(told.len() - before, usize::from(raw.packet_count));
    }
    told
}

fn feedback(recorder: &mut ArrivalRecorder) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(recorder.write_feedback(&mut out, 1, 2));
    out
}

fn record(recorder: &mut ArrivalRecorder, arrivals: &[(u16, u64)]) {
    for &(sequence, us) in arrivals {
        recorder.record(sequence, Time::from_micros(us));
    }
}

#[test]
fn whole_packet() {
    let mut recorder = ArrivalRecorder::default();
    // Reference 2 x 64 ms; deltas of 1 and 4 ticks; one lost; 400 ticks; back by 1 tick.
    record(&mut recorder, &[(0xfffe, 128_250), (0xffff, 129_250), (1, 229_250), (2, 229_000)]);
    let expected = [
        0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0, 5, 0, 0, 2, 0, //
        // A vector of two bits: small, small, lost, large, large.
        0xd4, 0xa0, 1, 4, 0x01, 0x90, 0xff, 0xff,
    ];
    assert_eq!(feedback(&mut recorder), expected);
    // One packet, 2 x 64 ms, no tick; two bytes of padding.
    record(&mut recorder, &[(3, 128_000)]);
    let expected = [0xaf, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 2, 1, 0x20, 1, 0, 1];
    assert_eq!(feedback(&mut recorder), expected);
}

#[test]
fn nothing_new_is_no_feedback() {
    let mut recorder = ArrivalRecorder::default();
    let mut out = Vec::new();
    assert!(!recorder.write_feedback(&mut out, 1, 2));
    record(&mut recorder, &[(9, 1)]);
    feedback(&mut recorder);
    assert!(!recorder.write_feedback(&mut out, 1, 2) && out.is_empty());
}

#[test]
fn losses_between_feedbacks_are_told_once() {
    for start in [0u16, 0x7ffe, 0xfffe] {
        let seq = |i: u16| start.wrapping_add(i);
        let mut recorder = ArrivalRecorder::default();
        record(&mut recorder, &[(seq(0), 1_000)]);
        assert_eq!(told(&feedback(&mut recorder)), [(seq(0), Some(1_000))]);
        record(&mut recorder, &[(seq(3), 2_000)]);
        assert_eq!(told(&feedback(&mut recorder)), [(seq(1), None), (seq(2), None), (seq(3), Some(2_000))]);
        record(&mut recorder, &[(seq(4), 3_000)]);
        assert_eq!(told(&feedback(&mut recorder)), [(seq(4), Some(3_000))]);
    }
}

#[test]
fn late_arrivals_contradict_nothing_told_before() {
    let mut recorder = ArrivalRecorder::default();
    record(&mut recorder, &[(10, 1_000), (20, 2_000)]);
    feedback(&mut recorder);
    record(&mut recorder, &[(21, 3_000), (15, 4_000), (16, 4_250), (12, 5_000), (23, 6_000)]);
    let out = feedback(&mut recorder);
    assert_eq!(
        told(&out),
        [
            (12, Some(5_000)),
            (15, Some(4_000)),
            (16, Some(4_250)),
            (21, Some(3_000)),
            (22, None),
            (23, Some(6_000)),
        ]
    );
    let counts: Vec<u8> = rtcp::parse(&out)
        .map(|packet| match packet.unwrap() {
            Packet::TransportCc(raw) => raw.feedback_count,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [1, 2, 3]);
}

#[test]
fn duplicates_are_told_once() {
    let mut recorder = ArrivalRecorder::default();
    record(&mut recorder, &[(1, 1_000), (1, 9_000), (2, 2_000)]);
    assert_eq!(told(&feedback(&mut recorder)), [(1, Some(1_000)), (2, Some(2_000))]);
}

#[test]
fn long_waits_and_long_gaps_take_several_packets() {
    let mut recorder = ArrivalRecorder::default();
    // 20 s do not fit a delta of 16 bits; 3 x 30,000 lost do not fit a count of 16 bits.
    record(
        &mut recorder,
        &[(0, 0), (1, 20_000_000), (30_001, 20_001_000), (60_001, 20_002_000), (24_465, 20_003_000)],
    );
    let told = told(&feedback(&mut recorder));
    let arrived: Vec<_> = told.iter().filter_map(|&(sequence, at)| Some((sequence, at?))).collect();
    let expected =
        [(0, 0), (1, 20_000_000), (30_001, 20_001_000), (60_001, 20_002_000), (24_465, 20_003_000)];
    assert_eq!(arrived, expected);
    assert_eq!(told.len(), 90_002);
}

#[test]
fn memory_and_packets_are_bounded() {
    let mut recorder = ArrivalRecorder::default();
    for i in 0..100_000u32 {
        recorder.record(i as u16, Time::from_micros(u64::from(i) * 70_000));
    }
    let out = feedback(&mut recorder);
    let mut rest = &out[..];
    while !rest.is_empty() {
        let len = 4 * (1 + usize::from(u16::from_be_bytes([rest[2], rest[3]])));
        assert!(len <= 1_104, "{len}");
        rest = &rest[len..];
    }
    assert_eq!(told(&out).len(), 4_096);
}

#[test]
fn random_arrivals_are_told_as_they_were() {
    for seed in 0..200 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut recorder = ArrivalRecorder::default();
        let start: u16 = rng.random();
        let loss = rng.random_range(0..100);
        let mut truth: BTreeMap<u16, u64> = BTreeMap::new();
        let mut heard: BTreeMap<u16, i64> = BTreeMap::new();
        let mut now = rng.random_range(0..1u64 << 40);
        let mut order: Vec<u16> = (0..2_000).map(|i| start.wrapping_add(i)).collect();
        for i in 1..order.len() {
            if rng.random_ratio(1, 20) {
                let j = i.saturating_sub(rng.random_range(1..60));
                order.swap(i, j);
            }
        }
        for sequence in order {
            now += if rng.random_ratio(1, 50) {
                rng.random_range(0..9_000_000)
            } else {
                rng.random_range(0..2_000)
            };
            if rng.random_range(0..100) >= loss {
                recorder.record(sequence, Time::from_micros(now));
                truth.insert(sequence, now);
            }
            if rng.random_ratio(1, 60) {
                let mut out = Vec::new();
                recorder.write_feedback(&mut out, 1, 2);
                heard.extend(told(&out).into_iter().filter_map(|(s, at)| Some((s, at?))));
            }
        }
        let mut out = Vec::new();
        recorder.write_feedback(&mut out, 1, 2);
        heard.extend(told(&out).into_iter().filter_map(|(s, at)| Some((s, at?))));
        let missed: Vec<_> = truth.iter().filter(|(s, _)| !heard.contains_key(s)).collect();
        assert!(missed.is_empty() && heard.len() == truth.len(), "seed {seed}: {missed:?}");
        for (sequence, at) in truth {
            // 24 bits of 64 ms.
            let reference =
                (at as i64 + (1 << 23) * 64_000).rem_euclid((1 << 24) * 64_000) - (1 << 23) * 64_000;
            let error = reference - heard[&sequence];
            let error = error.rem_euclid((1 << 24) * 64_000);
            assert!((0..250).contains(&error), "seed {seed}, {sequence}: {error}");
        }
    }
}

#[test]
fn history_knows_the_last_packets() {
    let mut history = SendHistory::default();
    assert_eq!(history.get(0), None);
    for i in 0..70_000u64 {
        let kind = [SendKind::Audio, SendKind::Video, SendKind::Rtx, SendKind::Padding][i as usize % 4];
        let sent = Sent { at: Time::from_micros(i * 1_000_003), size: (i % 1_500) as u16, kind };
        assert_eq!(history.push(sent.at, sent.size, sent.kind), i as u16);
        assert_eq!(history.get(i as u16), Some(sent));
        assert_eq!(history.get((i + 1) as u16), None, "never sent, or 65,535 packets ago");
        if i >= 2_047 {
            assert_eq!(history.get((i - 2_047) as u16).map(|s| s.at.micros()), Some((i - 2_047) * 1_000_003));
            assert_eq!(history.get(((i - 2_047) as u16).wrapping_sub(1)).map(|s| s.size), None);
        }
    }
}

#[test]
fn malformed_feedback_never_panics() {
    let body = [0x20, 3, 0xd4, 0xa0, 0xbf, 0xff, 1, 2, 3, 0xff, 0, 5];
    let exercise = |packet_count: u16, body: &[u8]| {
        let raw = TransportCcRaw {
            sender: 1,
            media: 2,
            base_sequence: 0xfff0,
            packet_count,
            reference_time: -(1 << 23),
            feedback_count: 0,
            body,
        };
        assert!(parse_feedback(&raw).count() <= usize::from(packet_count));
    };
    for len in 0..=body.len() {
        exercise(20, &body[..len]);
        exercise(u16::MAX, &body[..len]);
    }
    let mut rng = SmallRng::seed_from_u64(15);
    let mut data = [0u8; 64];
    for _ in 0..100_000 {
        let len = rng.random_range(0..=data.len());
        rng.fill_bytes(&mut data[..len]);
        exercise(rng.random_range(0..200), &data[..len]);
    }
    for at in 0..body.len() {
        for value in 0..=255 {
            let mut body = body;
            body[at] = value;
            exercise(20, &body);
        }
    }
}
