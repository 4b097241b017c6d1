//! What peers may try, one by one: memory and work stay bounded, other viewers see nothing.

use std::net::SocketAddr;
use std::time::Duration;

use proto::message::{CloseReason, IceCredentials, TransportSpec};
use proto::{rtcp, Command, Event, Limits, Time};
use rand::seq::SliceRandom;
use rand::Rng;

use crate::attacker::{anywhere, Attacker, PAYLOAD_TYPE};
use crate::forwarding::{add_publisher, add_viewer, publisher_at, seconds, viewer_at};
use crate::memory;
use crate::publisher::{Plan, Publisher};
use crate::viewer::Viewer;
use crate::wire::EXTENSIONS;
use crate::world::{Network, World};

const VIEWERS: u16 = 3;

pub fn attacker_at() -> SocketAddr {
    "198.51.100.7:4000".parse().unwrap()
}

fn accomplice_at() -> SocketAddr {
    "198.51.100.7:4001".parse().unwrap()
}

/// A stream with three viewers that has run for 4 s.
pub fn scene(seed: u64, workers: usize, limits: Limits) -> World {
    let mut world = World::with_limits(seed, workers, Network::GOOD, limits);
    add_publisher(&mut world, 1, publisher_at(), Plan { sound: true, group: None, ..Plan::default() });
    for i in 0..VIEWERS {
        add_viewer(&mut world, 10 + u64::from(i), viewer_at(i), 11, Some(12));
    }
    world.run(seconds(4.0));
    world
}

/// The viewers saw every frame since `from`.
pub fn unharmed(world: &mut World, from: Time, what: &str) {
    let now = world.now;
    for i in 0..VIEWERS {
        let viewer = world.peer::<Viewer>(viewer_at(i));
        let freeze = viewer.longest_freeze(from, now);
        assert!(freeze < seconds(0.08), "{what}: viewer {i} saw nothing for {freeze:?}");
    }
}

pub fn sent(world: &World, to: SocketAddr) -> u64 {
    world.sent_to.get(&to).copied().unwrap_or(0)
}

/// Drop what the simulation itself keeps.
pub fn forget(world: &mut World) {
    world.events = Vec::new();
    world.sent_to = Default::default();
    for i in 0..VIEWERS {
        world.peer::<Viewer>(viewer_at(i)).forget();
    }
}

pub fn forget_sent(world: &mut World) {
    world.sent_to.clear();
}

#[test]
fn replayed_and_reordered_packets_change_nothing() {
    let mut world = scene(3, 2, Limits::default());
    world.record = Some(Vec::new());
    world.run(seconds(2.0));
    let mut record = world.record.take().unwrap();
    let mut rng = world.rng.clone();
    let (from, before) = (world.now, world.directory.track(11).unwrap().packets.get());
    for round in 0..3 {
        record.shuffle(&mut rng);
        for (i, (source, data)) in record.iter().enumerate() {
            if proto::stun::is_stun(data) {
                continue; // requests may come twice
            }
            let source = if round == 2 { anywhere(&mut rng) } else { *source };
            world.send_to_node(source, data.clone());
            if i % 40 == 0 {
                world.run(Duration::from_millis(10));
            }
        }
    }
    let frames = world.now.since(from).as_micros() as u64 / 33_333 + 1;
    let counted = world.directory.track(11).unwrap().packets.get() - before;
    assert!(counted <= frames * 4, "{counted} packets in {frames} frames");
    assert!(world.directory.transport(1).unwrap().stats.packets_refused.get() > 0);
    unharmed(&mut world, from, "replay");
}

#[test]
fn forged_rtcp_costs_the_forger_only() {
    for workers in [1, 2] {
        let mut world = scene(4, workers, Limits::default());
        let ssrc = Attacker::join(&mut world, 50, attacker_at(), 11, &[]);
        world.run(seconds(2.0));
        forget_sent(&mut world);
        let asked = world.peer::<Publisher>(publisher_at()).plis;
        let from = world.now;
        let media = world.peer::<Viewer>(viewer_at(0)).ssrc;
        let mut rng = world.rng.clone();
        for i in 0..2_000u32 {
            let mut packet = Vec::new();
            match i % 8 {
                0 => {
                    let lost: Vec<u16> = (0..5_000u16).map(|n| n.wrapping_add(rng.random())).collect();
                    let mut lost = lost;
                    lost.sort_unstable();
                    rtcp::write_nack(&mut packet, 1, ssrc, &lost);
                }
                1 => rtcp::write_pli(&mut packet, 1, ssrc),
                2 => rtcp::write_fir(&mut packet, 1, ssrc, i as u8),
                3 => rtcp::write_bye(&mut packet, &[media, 1_000, 1_500, ssrc]),
                4 => rtcp::write_remb(&mut packet, 1, if i % 16 < 8 { 0 } else { u64::MAX }, &[ssrc, media]),
                5 => {
                    packet.extend_from_slice(&[0x8F, 205, 0, 6]);
                    packet.resize(28, 0xFF); // 65,535 packets, all of them far in the future
                }
                6 => {
                    let info =
                        rtcp::SenderInfo { ntp: rng.random(), rtp_time: rng.random(), packets: 0, octets: 0 };
                    rtcp::write_sr(&mut packet, rng.random(), info, &[]);
                }
                _ => {
                    rtcp::write_nack(&mut packet, 1, media, &[1, 2, 3]); // somebody else's
                    rtcp::write_pli(&mut packet, 1, media);
                }
            }
            let data = world.peer::<Attacker>(attacker_at()).wire.seal_rtcp(&packet);
            world.send_to_node(attacker_at(), data);
            let garbage: Vec<u8> = (0..60)
                .map(|at| {
                    if at == 0 {
                        0x80
                    } else if at == 1 {
                        203
                    } else {
                        rng.random()
                    }
                })
                .collect();
            world.send_to_node(viewer_at(1), garbage.clone());
            world.send_to_node(publisher_at(), garbage);
            world.run(Duration::from_millis(5));
        }
        let took = world.now.since(from).as_secs();
        let asked = world.peer::<Publisher>(publisher_at()).plis - asked;
        assert!(asked <= took + 2, "{asked} keyframes asked for in {took} s");
        let honest = sent(&world, viewer_at(0));
        let forger = sent(&world, attacker_at());
        assert!(forger < honest * 4 + 640 * 400 * took, "{forger} bytes to the forger, {honest} to others");
        assert!(!world
            .events
            .iter()
            .any(|(_, e)| matches!(e, Event::Closed { transport, .. } if *transport != 50)));
        unharmed(&mut world, from, "forged RTCP");
    }
}

#[test]
fn ssrcs_payload_types_and_rids_that_nobody_negotiated_are_dropped() {
    let mut world = scene(6, 2, Limits::default());
    Attacker::join(&mut world, 50, attacker_at(), 11, &["h", "l"]);
    world.run(seconds(1.0));
    let (from, events, before) = (world.now, world.events.len(), memory::live());
    let mut rng = world.rng.clone();
    for i in 0..8_000u32 {
        let rid: String = (0..rng.random_range(1..16)).map(|_| rng.random_range('a'..='z')).collect();
        let mid: [u8; 3] = rng.random();
        let known = i % 3 == 0;
        let attacker = world.peer::<Attacker>(attacker_at());
        attacker.index = u64::from(rng.random_range(0..30_000u16));
        let payload_type =
            if known { PAYLOAD_TYPE + 2 * rng.random_range(0..2u8) } else { rng.random_range(0..64) };
        let rid = if known { "h" } else { &rid };
        let mid = if known { &b"0"[..] } else { &mid[..] };
        let payload: [u8; 40] = rng.random();
        let extensions = [(EXTENSIONS.mid, mid), (EXTENSIONS.rid, rid.as_bytes())];
        let data = attacker.rtp(0x5000_0000 + i, payload_type, &extensions, &payload);
        world.send_to_node(attacker_at(), data);
        if i % 20 == 0 {
            world.run(Duration::from_millis(5));
        }
    }
    world.run(seconds(0.5));
    // One SSRC that starts anew and changes its codec with every packet.
    world.peer::<Attacker>(attacker_at()).index = 40_000;
    for i in 0..2_000u32 {
        let attacker = world.peer::<Attacker>(attacker_at());
        attacker.index += 1_500;
        let payload_type = PAYLOAD_TYPE + 2 * (i % 2) as u8;
        // A VP8 keyframe of another size each time (RFC 6386 section 9.1).
        let payload = [0x10, 0, 0, 0, 0x9D, 1, 0x2A, i as u8, 1, (i >> 8) as u8, 1];
        let data = attacker.rtp(0x5000_0000, payload_type, &[], &payload);
        world.send_to_node(attacker_at(), data);
        world.run(Duration::from_millis(1));
    }
    let grown = memory::live() - before;
    assert!(grown < 3_000_000, "{grown} bytes more");
    let told = world.events.len() - events;
    assert!(told < 100, "{told} events");
    unharmed(&mut world, from, "thousands of SSRCs");
}

#[test]
fn a_publisher_far_too_fast_is_cut_and_then_closed() {
    let mut world = scene(7, 2, Limits::default());
    Attacker::join(&mut world, 50, attacker_at(), 11, &[]);
    Attacker::join(&mut world, 51, accomplice_at(), 501, &[]);
    world.run(seconds(1.0));
    forget_sent(&mut world);
    let (from, before) = (world.now, memory::live());
    // Every packet begins a keyframe (RFC 7741 section 4.2, RFC 6386 section 9.1).
    let mut payload = [0u8; 1_150];
    payload[..8].copy_from_slice(&[0x10, 0, 0, 0, 0x9D, 1, 0x2A, 0x80]);
    for _ in 0..7_000 {
        for _ in 0..20 {
            let data = world.peer::<Attacker>(attacker_at()).rtp(
                9,
                PAYLOAD_TYPE + 2,
                &[(EXTENSIONS.mid, b"0")],
                &payload,
            );
            world.send_to_node(attacker_at(), data);
        }
        world.run(Duration::from_millis(1)); // 20,000 packets, 190 Mb a second
    }
    let reason = world.events.iter().find_map(|(at, e)| match e {
        Event::Closed { transport: 50, reason } => Some((*at, *reason)),
        _ => None,
    });
    let (at, reason) = reason.expect("closed");
    assert_eq!(reason, CloseReason::TooFast);
    assert!(at.since(from) < seconds(6.5));
    let forwarded = sent(&world, accomplice_at());
    assert!((1_000_000..7 * 50_000_000 / 8).contains(&forwarded), "{forwarded} bytes forwarded");
    let taken = world.directory.track(501);
    assert!(taken.is_none(), "its track went with it");
    let grown = memory::live() - before;
    assert!(grown < 16_000_000, "{grown} bytes more");
    unharmed(&mut world, from, "200 Mb/s");
}

#[test]
fn headers_that_lie_about_their_lengths_are_dropped() {
    let mut world = scene(8, 1, Limits::default());
    Attacker::join(&mut world, 50, attacker_at(), 11, &[]);
    Attacker::join(&mut world, 51, accomplice_at(), 501, &[]);
    world.run(seconds(1.0));
    let from = world.now;
    let mut rng = world.rng.clone();
    for i in 0..3_000u32 {
        let attacker = world.peer::<Attacker>(attacker_at());
        let len = rng.random_range(12..200usize);
        let mut data: Vec<u8> = (0..len).map(|_| rng.random()).collect();
        data[0] = match i % 4 {
            0 => 0xA0,                                  // padding, its count random
            1 => 0x90,                                  // an extension of any length
            2 => 0x80 | rng.random_range(0..16),        // contributing sources that are not there
            _ => 0x80 | rng.random_range(0..64) & 0x3F, // all of them
        };
        data[1] = PAYLOAD_TYPE | (data[1] & 0x80);
        data[8..12].copy_from_slice(&9u32.to_be_bytes());
        if i % 4 == 1 && len >= 24 {
            // A length that fits, elements that reach out of it.
            data[12..16].copy_from_slice(&[0xBE, 0xDE, 0, 2]);
            data[16] = EXTENSIONS.mid << 4 | 15;
        }
        let header_len = proto::rtp::Header::parse(&data).map_or(12, |h| h.header_len);
        let data = attacker.raw_rtp(data, header_len.min(len));
        world.send_to_node(attacker_at(), data);
        world.run(Duration::from_millis(1));
    }
    unharmed(&mut world, from, "lying lengths");
}

#[test]
fn a_viewer_that_never_reads_is_kept_small_and_leaves_with_its_consent() {
    let mut world = scene(9, 1, Limits::default());
    Attacker::join(&mut world, 50, attacker_at(), 11, &[]);
    world.run(seconds(5.0));
    let from = world.now;
    world.remove_peer(attacker_at());
    world.run(seconds(31.0));
    assert!(world
        .events
        .iter()
        .any(|(_, e)| { matches!(e, Event::Closed { transport: 50, reason: CloseReason::Consent }) }));
    assert!(world.directory.transport(50).is_none());
    unharmed(&mut world, from, "a deaf viewer");
}

/// Bytes that the workers keep after `rounds` of 40 transports each, 20 s after the last has gone.
fn kept_after(rounds: u64) -> i64 {
    let mut world = scene(11, 3, Limits::default());
    world.run(seconds(20.0));
    for round in 0..80u64 {
        let ids = if round < rounds { 1_000 + round * 40..1_040 + round * 40 } else { 0..0 };
        let at = |id: u64| SocketAddr::from(([198, 51, 100, 8], 10_000 + id as u16));
        for id in ids.clone() {
            Attacker::join(&mut world, id, at(id), 11, &[]);
        }
        world.run(seconds(0.3));
        for id in ids {
            world.remove_peer(at(id));
            world.command(Command::CloseTransport { transport: id });
            world.command(Command::OpenTransport(TransportSpec {
                id: 50_000 + id,
                local: IceCredentials { ufrag: format!("u{id}"), pwd: "p".into() },
                remote: IceCredentials { ufrag: "r".into(), pwd: "p".into() },
                dial: None,
                extensions: EXTENSIONS,
                transport_cc: false,
                remb: false,
                cname: String::new(),
            }));
            world.command(Command::CloseTransport { transport: 50_000 + id });
            assert!(world.directory.transport(50_000 + id).is_none());
            assert!(world.directory.transport(id).is_none());
        }
    }
    world.run(seconds(20.0));
    world.into_engine_bytes()
}

#[test]
fn transports_that_come_and_go_leave_nothing() {
    let (few, many) = (kept_after(40), kept_after(80));
    // Scratch space has found its size by then: of 1,600 transports more, each opened twice, nothing is left.
    assert!(many - few < 4 * 1_600, "{few} bytes after 1,600 transports, {many} after 3,200");
}
