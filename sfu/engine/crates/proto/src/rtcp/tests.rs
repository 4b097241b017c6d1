use super::*;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

const INFO: SenderInfo =
    SenderInfo { ntp: 0x0123_4567_89ab_cdef, rtp_time: 0x8000_0000, packets: 7, octets: 8_000 };

fn block(ssrc: u32, cumulative_lost: i32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 255,
        cumulative_lost,
        highest: 0x0001_fffe,
        jitter: 9,
        last_sr: 10,
        delay_since_sr: u32::MAX,
    }
}

/// One of every kind there is a writer for.
fn compound() -> Vec<u8> {
    let mut out = Vec::new();
    write_sr(&mut out, 1, INFO, &[block(2, -1), block(3, 0x7f_ffff)]);
    write_rr(&mut out, 1, &[block(4, -0x80_0000)]);
    write_sdes_cname(&mut out, 1, "spillway");
    write_nack(&mut out, 1, 2, &[0xffff, 0, 15, 16, 40]);
    write_pli(&mut out, 1, 2);
    write_fir(&mut out, 1, 2, 200);
    write_remb(&mut out, 1, 2_500_000, &[5, 6]);
    out.extend_from_slice(&TRANSPORT_CC);
    write_bye(&mut out, &[1, 2]);
    out
}

const TRANSPORT_CC: [u8; 24] =
    [0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0, 2, 0xff, 0xff, 0xfe, 9, 0x20, 2, 4, 8];

fn one(data: &[u8]) -> Packet<'_> {
    let mut packets = parse(data);
    let packet = packets.next().unwrap().unwrap();
    assert!(packets.next().is_none());
    packet
}

fn exercise(data: &[u8]) {
    let mut failed = false;
    for packet in parse(data) {
        assert!(!failed, "goes on after an error");
        let items = match packet {
            Ok(Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. }) => blocks.count(),
            Ok(Packet::Bye { ssrcs } | Packet::Remb { ssrcs, .. }) => ssrcs.count(),
            Ok(Packet::Nack { lost, .. }) => lost.count(),
            Ok(Packet::Fir { entries, .. }) => entries.count(),
            Ok(Packet::Sdes(raw) | Packet::Xr(raw)) => raw.len(),
            Ok(Packet::TransportCc(raw)) => raw.body.len(),
            Ok(Packet::Pli { .. } | Packet::Other { .. }) => 0,
            Err(_) => {
                failed = true;
                0
            }
        };
        assert!(items <= 17 * data.len());
    }
}

#[test]
fn what_is_written_is_read() {
    let data = compound();
    let packets: Vec<_> = parse(&data).map(Result::unwrap).collect();
    let [sr, rr, sdes, nack, pli, fir, remb, cc, bye] = &packets[..] else { panic!("{packets:?}") };
    let Packet::SenderReport { ssrc: 1, info: INFO, blocks } = sr else { panic!("{sr:?}") };
    assert_eq!(blocks.clone().collect::<Vec<_>>(), [block(2, -1), block(3, 0x7f_ffff)]);
    let Packet::ReceiverReport { ssrc: 1, blocks } = rr else { panic!("{rr:?}") };
    assert_eq!(blocks.clone().collect::<Vec<_>>(), [block(4, -0x80_0000)]);
    let Packet::Sdes(raw) = sdes else { panic!("{sdes:?}") };
    assert_eq!(raw, b"\0\0\0\x01\x01\x08spillway\0\0");
    let Packet::Nack { sender: 1, media: 2, lost } = nack else { panic!("{nack:?}") };
    assert_eq!(lost.clone().collect::<Vec<_>>(), [0xffff, 0, 15, 16, 40]);
    assert!(matches!(pli, Packet::Pli { sender: 1, media: 2 }));
    let Packet::Fir { sender: 1, entries } = fir else { panic!("{fir:?}") };
    assert_eq!(entries.clone().collect::<Vec<_>>(), [(2, 200)]);
    let Packet::Remb { sender: 1, bitrate_bps, ssrcs } = remb else { panic!("{remb:?}") };
    assert!((2_499_990..=2_500_000).contains(bitrate_bps), "{bitrate_bps}");
    assert_eq!(ssrcs.clone().collect::<Vec<_>>(), [5, 6]);
    let Packet::TransportCc(raw) = cc else { panic!("{cc:?}") };
    assert_eq!((raw.base_sequence, raw.packet_count), (0xffff, 2));
    assert_eq!((raw.reference_time, raw.feedback_count, raw.body), (-2, 9, &[0x20, 2, 4, 8][..]));
    let Packet::Bye { ssrcs } = bye else { panic!("{bye:?}") };
    assert_eq!(ssrcs.clone().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn nack_packs_seventeen_numbers_into_a_pair() {
    for first in [0u16, 1, 0x7ff8, 0xfff8, 0xffff] {
        let lost: Vec<u16> = (0..40).map(|i| first.wrapping_add(i)).collect();
        let mut out = Vec::new();
        write_nack(&mut out, 1, 2, &lost);
        assert_eq!(out.len(), 12 + 3 * 4);
        let Packet::Nack { lost: read, .. } = one(&out) else { panic!() };
        assert_eq!(read.collect::<Vec<_>>(), lost);
    }
    let mut out = Vec::new();
    write_nack(&mut out, 1, 2, &[7, 7, 8, 8]);
    let Packet::Nack { lost, .. } = one(&out) else { panic!() };
    assert_eq!(lost.collect::<Vec<_>>(), [7, 8]);
}

#[test]
fn counts_past_31_take_further_packets() {
    let blocks: Vec<_> = (0..70).map(|ssrc| block(ssrc, 0)).collect();
    let mut out = Vec::new();
    write_sr(&mut out, 1, INFO, &blocks);
    write_rr(&mut out, 1, &blocks);
    let mut read = Vec::new();
    for packet in parse(&out) {
        match packet.unwrap() {
            Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
                read.extend(blocks)
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read, [&blocks[..], &blocks[..]].concat());
    let mut out = Vec::new();
    write_bye(&mut out, &[9; 32]);
    assert_eq!(parse(&out).count(), 2);
    let mut out = Vec::new();
    write_rr(&mut out, 1, &[]);
    assert_eq!(out, [0x80, 201, 0, 1, 0, 0, 0, 1]);
}

#[test]
fn cname_ends_with_a_zero_and_is_cut_between_characters() {
    for len in 0..9 {
        let mut out = Vec::new();
        write_sdes_cname(&mut out, 1, &"c".repeat(len));
        assert_eq!((out.len() % 4, out.last()), (0, Some(&0)));
    }
    let mut out = Vec::new();
    write_sdes_cname(&mut out, 1, &"ü".repeat(200));
    assert_eq!(out[9], 254);
}

#[test]
fn remb_holds_any_bitrate() {
    for bitrate in [0, 1, 262_143, 262_144, 50_000_000, u64::from(u32::MAX), u64::MAX] {
        let mut out = Vec::new();
        write_remb(&mut out, 1, bitrate, &[]);
        let Packet::Remb { bitrate_bps, .. } = one(&out) else { panic!() };
        assert!(bitrate_bps <= bitrate && bitrate - bitrate_bps <= bitrate >> 17, "{bitrate} {bitrate_bps}");
    }
    let mut out = Vec::new();
    write_remb(&mut out, 1, 0, &[]);
    out[17..20].fill(0xff);
    let Packet::Remb { bitrate_bps, .. } = one(&out) else { panic!() };
    assert_eq!(bitrate_bps, u64::MAX);
}

#[test]
fn padding_is_removed() {
    let data = [0xa0 | 1, 203, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4];
    let Packet::Bye { ssrcs } = one(&data) else { panic!() };
    assert_eq!(ssrcs.collect::<Vec<_>>(), [5]);
}

#[test]
fn unknown_kinds_are_named() {
    let app = [0x83, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e'];
    assert!(matches!(one(&app), Packet::Other { packet_type: 204, format: 3 }));
    let afb = [0x8f, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, b'L', b'O', b'L', b'!'];
    assert!(matches!(one(&afb), Packet::Other { packet_type: 206, format: 15 }));
    assert!(matches!(one(&[0x80, 207, 0, 1, 0, 0, 0, 1]), Packet::Xr([0, 0, 0, 1])));
}

#[test]
fn errors_each_happen_and_end_the_iteration() {
    for (data, error) in [
        (&[0x80, 201, 0][..], RtcpError::TooShort),
        (&[0x80, 201, 0, 1, 0, 0, 0][..], RtcpError::TooShort),
        (&[0x40, 201, 0, 0][..], RtcpError::Version(1)),
        (&[0xa0, 201, 0, 0][..], RtcpError::Padding),
        (&[0xa0, 201, 0, 1, 0, 0, 0, 5][..], RtcpError::Padding),
        (&[0xa0, 201, 0, 1, 0, 0, 0, 0][..], RtcpError::Padding),
        (&[0x81, 201, 0, 1, 0, 0, 0, 1][..], RtcpError::Malformed(201)),
        (&[0x82, 203, 0, 1, 0, 0, 0, 1][..], RtcpError::Malformed(203)),
        (&[0x81, 206, 0, 1, 0, 0, 0, 1][..], RtcpError::Malformed(206)),
    ] {
        let mut valid = Vec::new();
        write_pli(&mut valid, 1, 2);
        let mut data = data.to_vec();
        if error != RtcpError::TooShort {
            data.extend_from_slice(&valid);
        }
        let results: Vec<_> = parse(&data).map(|r| r.err()).collect();
        assert_eq!(results, [Some(error)], "{data:?}");
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(parse(&[]).count(), 0);
}

#[test]
fn rtcp_is_told_from_rtp() {
    assert!(is_rtcp(&compound()));
    assert!(!is_rtcp(&[0x80]) && !is_rtcp(&[0x80, 111]) && !is_rtcp(&[0x80, 191]));
    assert!(is_rtcp(&[0x80, 192]) && is_rtcp(&[0x80, 223]) && !is_rtcp(&[0x80, 224]));
}

#[test]
fn truncation_and_flips_never_panic() {
    let data = compound();
    for len in 0..=data.len() {
        exercise(&data[..len]);
    }
    for at in 0..data.len() {
        for value in 0..=255 {
            let mut data = data.clone();
            data[at] = value;
            exercise(&data);
        }
    }
}

#[test]
fn random_input_never_panics() {
    let mut rng = SmallRng::seed_from_u64(3550);
    let mut data = [0u8; 96];
    for _ in 0..100_000 {
        let len = rng.random_range(0..=data.len());
        rng.fill_bytes(&mut data[..len]);
        if len >= 4 && rng.random() {
            data[0] = 0x80 | data[0] & 0x1f;
            data[1] = rng.random_range(200..=207);
            data[2..4].copy_from_slice(&[0, rng.random_range(0..(len / 4) as u8)]);
        }
        exercise(&data[..len]);
    }
}
