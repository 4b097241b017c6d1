use std::net::SocketAddr;
use std::time::Duration;

use proto::message::{Choice, Kind};
use proto::{rtcp, Command, Event, Time};

use crate::publisher::{Plan, Publisher};
use crate::viewer::Viewer;
use crate::world::{Network, World};

pub fn publisher_at() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

pub fn viewer_at(i: u16) -> SocketAddr {
    format!("192.0.2.2:{}", 6000 + i).parse().unwrap()
}

pub fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

pub fn add_publisher(world: &mut World, id: u64, at: SocketAddr, plan: Plan) {
    let (publisher, commands) = Publisher::new(id, plan);
    for command in commands {
        world.command(command);
    }
    world.add_peer(at, publisher);
}

pub fn add_viewer(world: &mut World, id: u64, at: SocketAddr, video: u64, audio: Option<u64>) {
    let (viewer, commands) = Viewer::new(id, video, audio);
    for command in commands {
        world.command(command);
    }
    world.add_peer(at, viewer);
}

pub fn point(world: &mut World, kind: Kind, alias: u64, target: Option<u64>, picture: Option<u64>) {
    world.command(Command::PointAlias { alias, kind, target, picture });
}

/// Lip sync: sound and picture made at one time are captured at one time.
pub fn apart_us(viewer: &Viewer) -> i64 {
    let last = viewer.frames.last().unwrap();
    let picture = viewer.captured(viewer.ssrc, last.timestamp, 90_000).unwrap();
    let &(_, made, timestamp) = viewer.sound.last().unwrap();
    let sound = viewer.captured(viewer.ssrc + 2, timestamp, 48_000).unwrap();
    (picture - last.made.micros() as i64) - (sound - made.micros() as i64)
}

#[test]
fn a_clean_network_loses_nothing() {
    for workers in [1, 3] {
        let mut world = World::new(workers as u64, workers, Network::GOOD);
        add_publisher(&mut world, 1, publisher_at(), Plan { sound: true, ..Plan::default() });
        for i in 0..6 {
            add_viewer(&mut world, 10 + u64::from(i), viewer_at(i), 11, Some(12));
        }
        world.run(seconds(10.0));
        let now = world.now;
        for i in 0..6 {
            let viewer = world.peer::<Viewer>(viewer_at(i));
            assert!(viewer.frames.len() > 280, "{} frames", viewer.frames.len());
            assert!(viewer.sound.len() > 470, "{} sounds", viewer.sound.len());
            assert_eq!(viewer.rtx, 0);
            let from = Time::from_micros(3_000_000);
            assert!(
                viewer.longest_freeze(from, now) < seconds(0.05),
                "{:?}",
                viewer.longest_freeze(from, now)
            );
            let last = viewer.frames.last().unwrap().clone();
            assert!(last.at.since(last.made) < seconds(0.03), "{last:?}");
            let apart = apart_us(viewer);
            assert!(apart.abs() < 5_000, "{apart} us apart");
        }
        assert!(world.peer::<Publisher>(publisher_at()).feedback > 50);
    }
}

#[test]
fn losses_are_repaired_both_ways() {
    for (seed, loss) in [(1, 0.01), (2, 0.03), (3, 0.05), (4, 0.10)] {
        for workers in [1, 2] {
            let mut world = World::new(seed, workers, Network::lossy(loss));
            add_publisher(&mut world, 1, publisher_at(), Plan::default());
            add_viewer(&mut world, 10, viewer_at(0), 11, None);
            world.run(seconds(30.0));
            let (from, now) = (Time::from_micros(5_000_000), world.now);
            let viewer = world.peer::<Viewer>(viewer_at(0));
            assert!(viewer.rtx > 0);
            let freeze = viewer.longest_freeze(from, now);
            assert!(freeze < seconds(0.6), "seed {seed}: {freeze:?} frozen at {loss} loss");
            let expected = 30 * 24;
            assert!(viewer.frames.len() > expected, "seed {seed}: {} frames", viewer.frames.len());
        }
    }
}

#[test]
fn every_wrap_passes() {
    // Not 65,535: when the first packet is lost there, nobody can guess the rollover counter, which is why
    // senders start below 2^15 (RFC 3711 section 3.3.1).
    for sequence in [0u16, 1, 32_700, 32_767, 65_400, 65_500] {
        for time in [0u32, 0x7FFF_0000, 0xFFFF_0000] {
            let mut world = World::new(u64::from(sequence) + u64::from(time), 1, Network::lossy(0.02));
            let plan = Plan { first: (sequence, time), padding_every: Some(7), ..Plan::default() };
            add_publisher(&mut world, 1, publisher_at(), plan);
            add_viewer(&mut world, 10, viewer_at(0), 11, None);
            world.run(seconds(8.0));
            let viewer = world.peer::<Viewer>(viewer_at(0));
            assert!(viewer.frames.len() > 180, "{sequence} {time}: {} frames", viewer.frames.len());
        }
    }
}

#[test]
fn a_joiner_gets_the_history_and_meets_the_live_edge() {
    let mut world = World::new(9, 1, Network::GOOD);
    let plan = Plan { answers_pli: false, group: Some(60), packets_per_frame: 8, ..Plan::default() };
    add_publisher(&mut world, 1, publisher_at(), plan);
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    world.run(seconds(5.5)); // mid-group
    let joined = world.now;
    add_viewer(&mut world, 11, viewer_at(1), 11, None);
    world.run(seconds(3.0));
    let first = world.peer::<Viewer>(viewer_at(1)).frames[0].clone();
    assert!(first.keyframe && first.at.since(joined) < seconds(0.15), "{:?}", first.at.since(joined));
    let old = world.peer::<Viewer>(viewer_at(0)).frames.clone();
    let new = world.peer::<Viewer>(viewer_at(1)).frames.clone();
    let edge = joined + seconds(1.0);
    for frame in new.iter().filter(|f| f.at > edge) {
        let same = old.iter().find(|f| f.number == frame.number).expect("the old viewer saw it too");
        let behind = frame.at.since(same.at);
        assert!(behind < seconds(0.03), "{behind:?} behind");
    }
    // Squeezed: arrival and RTP time advance together, or an estimator would take the replay for delay.
    let delay = |f: &crate::viewer::Frame| {
        f.at.since(joined).as_micros() as i64
            - i64::from(f.timestamp.wrapping_sub(first.timestamp)) * 1000 / 90
    };
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    for frame in &new {
        low = low.min(delay(frame));
        high = high.max(delay(frame));
    }
    assert!(high - low < 40_000, "arrival against RTP time moves by {} us", high - low);
}

#[test]
fn a_joiner_of_an_old_group_asks_for_a_keyframe() {
    let mut world = World::new(10, 2, Network::GOOD);
    add_publisher(&mut world, 1, publisher_at(), Plan { group: None, ..Plan::default() });
    world.run(seconds(8.0));
    let before = world.peer::<Publisher>(publisher_at()).plis;
    let joined = world.now;
    for i in 0..5 {
        add_viewer(&mut world, 10 + u64::from(i), viewer_at(i), 11, None);
    }
    world.run(seconds(2.0));
    for i in 0..5 {
        let first = world.peer::<Viewer>(viewer_at(i)).frames[0].clone();
        assert!(first.at.since(joined) < seconds(1.4), "{:?}", first.at.since(joined));
    }
    let asked = world.peer::<Publisher>(publisher_at()).plis - before;
    assert!((1..=2).contains(&asked), "{asked} requests for five joiners");
}

#[test]
fn encodings_are_chosen_and_fall_back() {
    // A second until an encoding counts as silent, at most 0.2 until that is looked at.
    choose_and_fall_back(Network::GOOD, 1.3);
}

#[test]
fn encodings_fall_back_in_spite_of_loss() {
    // When the request for a keyframe is lost, the next one leaves a second later: three seeds of 120.
    choose_and_fall_back(Network::lossy(0.01), 2.4);
}

fn choose_and_fall_back(network: Network, longest_freeze: f64) {
    let mut world = World::new(11, 2, network);
    let plan = Plan { rids: vec!["h", "m", "l"], group: None, ..Plan::default() };
    add_publisher(&mut world, 1, publisher_at(), plan);
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    world.run(seconds(4.0));
    let stats = world.directory.subscription(101).unwrap();
    assert_eq!(stats.encoding.get(), 1);
    let choose = |rid: &str| Command::SetEncoding {
        transport: 10,
        subscription: 101,
        encoding: if rid == "auto" { Choice::Auto } else { Choice::Rid(rid.into()) },
    };
    world.command(choose("l"));
    world.run(seconds(2.0));
    assert_eq!(stats.encoding.get(), 3);
    world.command(choose("auto"));
    world.run(seconds(2.0));
    assert_eq!(stats.encoding.get(), 1);
    world.peer::<Publisher>(publisher_at()).pause("h", true);
    let from = world.now;
    world.run(seconds(4.0));
    assert_eq!(stats.encoding.get(), 2, "the top layer paused");
    world.peer::<Publisher>(publisher_at()).pause("h", false);
    world.run(seconds(3.0));
    assert_eq!(stats.encoding.get(), 1, "and came back");
    let now = world.now;
    let freeze = world.peer::<Viewer>(viewer_at(0)).longest_freeze(from, now);
    assert!(freeze < seconds(longest_freeze), "{freeze:?}");
}

#[test]
fn a_program_moves_between_codecs_without_the_viewer_noticing() {
    for seed in 0..6 {
        let mut world = World::new(seed, 1 + seed as usize % 3, Network::lossy(0.01));
        let second: SocketAddr = "192.0.2.9:5000".parse().unwrap();
        add_publisher(&mut world, 1, publisher_at(), Plan { sound: true, group: None, ..Plan::default() });
        let plan =
            Plan { codec: "H264", sound: true, group: Some(30), answers_pli: false, ..Plan::default() };
        add_publisher(&mut world, 2, second, plan);
        let (video, audio) = (1_001, 1_002);
        let show = |world: &mut World, v: u64, a: u64| {
            point(world, Kind::Video, video, Some(v), None);
            point(world, Kind::Audio, audio, Some(a), Some(video));
        };
        show(&mut world, 11, 12);
        add_viewer(&mut world, 10, viewer_at(0), video, Some(audio));
        world.run(seconds(3.0));
        let from = world.now;
        for turn in 0..6 {
            let (v, a) = if turn % 2 == 0 { (21, 22) } else { (11, 12) };
            show(&mut world, v, a);
            world.run(seconds(2.5));
        }
        let now = world.now;
        let viewer = world.peer::<Viewer>(viewer_at(0));
        let freeze = viewer.longest_freeze(from, now);
        assert!(freeze < seconds(0.3), "seed {seed}: {freeze:?}");
        let kinds: std::collections::HashSet<u8> = viewer.frames.iter().map(|f| f.payload_type).collect();
        assert_eq!(kinds.len(), 2, "both codecs were seen");
        for pair in viewer.sound.windows(2) {
            assert!((pair[1].2.wrapping_sub(pair[0].2) as i32) > -2_000, "sound went back: {pair:?}");
        }
    }
}

#[test]
fn a_publisher_vanishes_and_returns() {
    let mut world = World::new(12, 2, Network::GOOD);
    add_publisher(&mut world, 1, publisher_at(), Plan::default());
    let alias = 1_001;
    point(&mut world, Kind::Video, alias, Some(11), None);
    add_viewer(&mut world, 10, viewer_at(0), alias, None);
    world.run(seconds(3.0));
    world.remove_peer(publisher_at());
    world.run(seconds(35.0));
    assert!(world.events.iter().any(|(_, e)| matches!(e, Event::Idle { track: 11, .. })));
    assert!(world.events.iter().any(|(_, e)| matches!(e, Event::Closed { transport: 1, .. })));
    assert!(!world.events.iter().any(|(_, e)| matches!(e, Event::Closed { transport: 10, .. })));
    let again: SocketAddr = "192.0.2.1:5001".parse().unwrap();
    add_publisher(&mut world, 2, again, Plan { first: (3, 77), ..Plan::default() });
    point(&mut world, Kind::Video, alias, Some(21), None);
    let seen = world.peer::<Viewer>(viewer_at(0)).frames.len();
    world.run(seconds(3.0));
    assert!(world.peer::<Viewer>(viewer_at(0)).frames.len() > seen + 60);
}

#[test]
fn addresses_move_and_ice_restarts() {
    for workers in [1, 4] {
        let mut world = World::new(13, workers, Network::GOOD);
        add_publisher(&mut world, 1, publisher_at(), Plan::default());
        add_viewer(&mut world, 10, viewer_at(0), 11, None);
        world.run(seconds(4.0));
        for i in 1..6 {
            world.rebind(viewer_at(i - 1), viewer_at(i));
            if i % 2 == 0 {
                let command = world.peer::<Viewer>(viewer_at(i)).wire.restart();
                world.command(command);
            }
            let from = world.now;
            world.run(seconds(20.0));
            let now = world.now;
            let viewer = world.peer::<Viewer>(viewer_at(i));
            let freeze = viewer.longest_freeze(from + seconds(17.0), now);
            assert!(freeze < seconds(0.2), "{workers} workers, move {i}: {freeze:?}");
        }
    }
}

#[test]
fn a_subscription_under_the_same_ssrc_never_reuses_an_index() {
    let mut world = World::new(14, 1, Network::GOOD);
    add_publisher(&mut world, 1, publisher_at(), Plan { group: Some(15), ..Plan::default() });
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    for _ in 0..20 {
        world.run(seconds(0.7));
        let ssrc = world.peer::<Viewer>(viewer_at(0)).ssrc;
        world.command(Command::RemoveSubscription { transport: 10, subscription: 101 });
        world.run(seconds(0.1));
        let subscription = Viewer::subscription(10, 11, Choice::Auto, ssrc);
        world.command(Command::AddSubscription { transport: 10, subscription });
    }
    // The viewer asserts it for every packet.
    assert!(world.peer::<Viewer>(viewer_at(0)).frames.len() > 200);
}

#[test]
fn a_goodbye_is_believed_unless_the_peer_goes_on() {
    let mut world = World::new(16, 2, Network::GOOD);
    add_publisher(&mut world, 1, publisher_at(), Plan::default());
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    add_viewer(&mut world, 11, viewer_at(1), 11, None);
    world.run(seconds(3.0));
    let alert = [&[21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 26][..], &[7; 26]].concat();
    world.send_to_node(viewer_at(0), alert.clone()); // somebody forged it
    world.send_to_node(viewer_at(1), alert);
    world.remove_peer(viewer_at(1));
    world.run(seconds(7.0));
    let gone = |id| {
        world.events.iter().any(|(_, e)| matches!(e, Event::Closed { transport, .. } if *transport == id))
    };
    assert!(gone(11) && !gone(10));
}

#[test]
fn a_bye_for_all_ends_encodings_and_no_transport() {
    let mut world = World::new(17, 2, Network::GOOD);
    add_publisher(&mut world, 1, publisher_at(), Plan { rids: vec!["h"], ..Plan::default() });
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    world.run(seconds(3.0));
    let publisher = world.peer::<Publisher>(publisher_at());
    publisher.pause("h", true);
    let mut bye = Vec::new();
    rtcp::write_bye(&mut bye, &publisher.ssrcs());
    let data = publisher.wire.seal_rtcp(&bye);
    world.send_to_node(publisher_at(), data);
    world.run(seconds(0.2));
    let told = |world: &World, what: fn(&Event) -> bool| world.events.iter().any(|(_, e)| what(e));
    assert!(told(&world, |e| matches!(e, Event::Idle { track: 11, .. })));
    let frames = world.peer::<Viewer>(viewer_at(0)).frames.len();
    // replaceTrack(another): the same SSRC goes on
    world.peer::<Publisher>(publisher_at()).pause("h", false);
    world.run(seconds(5.0));
    assert!(world.peer::<Viewer>(viewer_at(0)).frames.len() > frames + 100);
    assert!(!told(&world, |e| matches!(e, Event::Closed { .. })));
    let last =
        |(_, e): &&(_, Event)| matches!(e, Event::Idle { track: 11, .. } | Event::Flowing { track: 11, .. });
    assert!(matches!(world.events.iter().rfind(last), Some((_, Event::Flowing { .. }))));
}

#[test]
fn who_falls_silent_is_closed_and_who_never_comes_too() {
    let mut world = World::new(15, 2, Network::GOOD);
    add_publisher(&mut world, 1, publisher_at(), Plan::default());
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    let (_, commands) = Viewer::new(20, 11, None);
    for command in commands {
        world.command(command);
    }
    world.run(seconds(3.0));
    world.remove_peer(viewer_at(0));
    world.run(seconds(40.0));
    use proto::message::CloseReason::{Consent, NeverReached};
    let closed = |id, why| {
        world.events.iter().any(
            |(_, e)| matches!(e, Event::Closed { transport, reason } if *transport == id && *reason == why),
        )
    };
    assert!(closed(10, Consent));
    assert!(closed(20, NeverReached));
    assert!(!closed(1, Consent));
    assert!(world.directory.transport(20).is_none() && world.directory.transport(10).is_none());
}

#[test]
fn a_removed_track_is_asked_for_no_more() {
    let mut world = World::new(16, 1, Network::lossy(0.05));
    add_publisher(&mut world, 1, publisher_at(), Plan { group: None, ..Plan::default() });
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    world.run(seconds(3.0));
    world.command(Command::RemoveTrack { track: 11 });
    world.run(seconds(0.1)); // what was on its way
    let asked = |world: &mut World| {
        let publisher = world.peer::<Publisher>(publisher_at());
        (publisher.plis, publisher.nacks)
    };
    let before = asked(&mut world);
    world.run(seconds(4.0));
    assert_eq!(asked(&mut world), before);
    assert!(!world.events.iter().any(|(_, e)| matches!(e, Event::Idle { track: 0, .. })));
}
