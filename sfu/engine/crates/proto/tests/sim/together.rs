//! A program that moves takes sound and picture along together.

use std::net::SocketAddr;
use std::time::Duration;

use proto::message::Kind;
use proto::{Command, Time};

use crate::forwarding::{add_publisher, add_viewer, point, publisher_at, seconds, viewer_at};
use crate::publisher::{Plan, Publisher};
use crate::viewer::Viewer;
use crate::world::{Network, World};

const VIDEO: u64 = 1_001;
const AUDIO: u64 = 1_002;

fn encoder_at() -> SocketAddr {
    "192.0.2.9:5000".parse().unwrap()
}

/// A browser (1), which makes keyframes on request, and an encoder (2), which makes one every `group` frames. A
/// viewer watches the browser.
fn show(workers: usize, network: Network, group: Option<u64>) -> World {
    let mut world = World::new(workers as u64, workers, network);
    add_publisher(&mut world, 1, publisher_at(), Plan { sound: true, group: None, ..Plan::default() });
    let encoder = Plan { codec: "H264", sound: true, group, answers_pli: false, ..Plan::default() };
    add_publisher(&mut world, 2, encoder_at(), encoder);
    move_to(&mut world, 1);
    add_viewer(&mut world, 10, viewer_at(0), VIDEO, Some(AUDIO));
    world.run(seconds(3.0));
    world
}

fn move_to(world: &mut World, publisher: u64) {
    point(world, Kind::Video, VIDEO, Some(publisher * 10 + 1), None);
    point(world, Kind::Audio, AUDIO, Some(publisher * 10 + 2), Some(VIDEO));
}

/// When the viewer first heard and first saw `publisher` after `from`.
fn moved(world: &mut World, from: Time, publisher: u64) -> (Option<Time>, Option<Time>) {
    let viewer = world.peer::<Viewer>(viewer_at(0));
    let heard = viewer.voices.iter().find(|v| v.0 > from && v.1 == publisher).map(|v| v.0);
    // Only the browser's VP8 has picture ids.
    let seen = viewer.frames.iter().find(|f| f.at > from && f.picture.is_some() == (publisher == 1));
    (heard, seen.map(|frame| frame.at))
}

fn longest_silence(world: &mut World, from: Time) -> Duration {
    let viewer = world.peer::<Viewer>(viewer_at(0));
    let times: Vec<Time> = viewer.voices.iter().map(|v| v.0).filter(|&at| at >= from).collect();
    times.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap()
}

#[test]
fn sound_waits_for_the_keyframe_of_its_picture() {
    for workers in 1..=3 {
        // With loss the picture may be seen after a packet of its keyframe was asked for twice.
        for (network, apart) in [(Network::GOOD, 0.06), (Network::lossy(0.02), 0.3)] {
            let mut world = show(workers, network, Some(60));
            let mut waited = Duration::ZERO;
            for turn in 0..6 {
                world.run(seconds(2.3)); // at another place in the group each time
                let (from, publisher) = (world.now, 2 - turn % 2);
                move_to(&mut world, publisher);
                world.run(seconds(2.3));
                let (heard, seen) = moved(&mut world, from, publisher);
                let (heard, seen) = (heard.expect("never heard"), seen.expect("never seen"));
                let lead = seen.since(heard).max(heard.since(seen));
                assert!(lead < seconds(apart), "{workers} workers, turn {turn}: {lead:?} apart");
                waited = waited.max(heard.since(from));
                assert!(longest_silence(&mut world, from) < seconds(0.15));
            }
            assert!(waited > seconds(0.5), "no keyframe had to be waited for: {waited:?}");
        }
    }
}

#[test]
fn sound_goes_alone_where_no_keyframe_comes() {
    let mut world = show(2, Network::GOOD, None);
    let from = world.now;
    move_to(&mut world, 2);
    world.run(seconds(4.0));
    let (heard, seen) = moved(&mut world, from, 2);
    let waited = heard.expect("never heard").since(from);
    assert!(waited > seconds(2.4) && waited < seconds(2.7), "{waited:?}");
    assert_eq!(seen, None);
}

#[test]
fn nobody_hears_silence_when_the_old_sound_ends() {
    type End = fn(&mut World);
    let removed: End = |world| world.command(Command::RemoveTrack { track: 12 });
    let vanished: End = |world| world.remove_peer(publisher_at());
    for (end, longest) in [(removed, 0.06), (vanished, 0.26)] {
        let mut world = show(2, Network::GOOD, Some(60));
        let from = world.now;
        move_to(&mut world, 2);
        world.run(seconds(0.3));
        assert_eq!(moved(&mut world, from, 2).0, None);
        end(&mut world);
        world.run(seconds(0.5));
        assert!(moved(&mut world, from, 2).0.is_some());
        let silence = longest_silence(&mut world, from);
        assert!(silence < seconds(longest), "{silence:?}");
    }
}

#[test]
fn sound_without_a_picture_moves_at_once() {
    let mut world = show(2, Network::GOOD, Some(60));
    let from = world.now;
    point(&mut world, Kind::Video, VIDEO, None, None);
    point(&mut world, Kind::Audio, AUDIO, Some(22), Some(VIDEO));
    world.run(seconds(0.3));
    let heard = moved(&mut world, from, 2).0.expect("never heard");
    assert!(heard.since(from) < seconds(0.1), "{:?}", heard.since(from));
}

#[test]
fn who_is_pointed_back_while_it_waits_goes_on_as_before() {
    let mut world = show(2, Network::GOOD, None);
    let from = world.now;
    for publisher in [2, 1, 2, 1] {
        move_to(&mut world, publisher);
        world.run(seconds(0.3));
    }
    world.run(seconds(3.0));
    assert_eq!(moved(&mut world, from, 2).0, None);
    assert!(longest_silence(&mut world, from) < seconds(0.06));
    let now = world.now;
    assert!(world.peer::<Viewer>(viewer_at(0)).longest_freeze(from, now) < seconds(0.3));
    assert!(!world.peer::<Publisher>(publisher_at()).stopped);
}
