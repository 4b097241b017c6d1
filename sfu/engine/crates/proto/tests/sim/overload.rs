//! A worker that can't keep up: delay stays bounded, sound comes whole, pictures decode, and all comes back.

use std::time::Duration;

use proto::load::Stage;
use proto::message::SubscriptionSpec;
use proto::{Command, Event, Time};

use crate::forwarding::{add_publisher, add_viewer, publisher_at, seconds, viewer_at};
use crate::publisher::Plan;
use crate::viewer::{Frame, Viewer};
use crate::world::{Network, World};

const VIEWERS: u16 = 16;

fn watched(plan: Plan, seed: u64) -> World {
    let mut world = World::new(seed, 1, Network::GOOD);
    add_publisher(&mut world, 1, publisher_at(), plan);
    for i in 0..VIEWERS {
        add_viewer(&mut world, 10 + u64::from(i), viewer_at(i), 11, Some(12));
    }
    world.run(seconds(5.0));
    world
}

/// From making to arrival: of the frames since `from`, the given share is faster.
fn delay(frames: &[Frame], from: Time, percent: usize) -> Duration {
    let mut delays: Vec<Duration> =
        frames.iter().filter(|f| f.at >= from).map(|f| f.at.since(f.made)).collect();
    delays.sort_unstable();
    delays[(delays.len() * percent / 100).min(delays.len() - 1)]
}

fn stages(world: &World) -> Vec<Stage> {
    let stage = |(_, event): &(Time, Event)| match event {
        Event::Load { worker: 0, stage, .. } => Some(*stage),
        _ => None,
    };
    world.events.iter().filter_map(stage).collect()
}

#[test]
fn media_of_some_pauses_and_the_others_stay_at_the_live_edge() {
    // 180 packets a second of each viewer, 2,880 in all: at 700 us each twice what there is time for.
    let mut world = watched(Plan { sound: true, answers_pli: false, ..Plan::default() }, 21);
    let before = world.now;
    world.cost(Duration::from_micros(700));
    world.run(seconds(6.0)); // noticed and drained
    let from = world.now;
    world.run(seconds(40.0));
    let end = world.now;
    assert_eq!(stages(&world)[0], Stage::Thin, "one encoding: no layers to shed, and no time to lose");
    assert_eq!(world.directory.workers[0].seats_refused.get(), 1);
    let (mut shown, mut withheld) = (Vec::new(), 0);
    for i in 0..VIEWERS {
        let viewer = world.peer::<Viewer>(viewer_at(i));
        // A second until it is certain, in which half of what came piled up, and then until it is drained.
        let worst = delay(&viewer.frames, before, 100);
        assert!(worst < seconds(1.25), "{i}: {worst:?} while nobody had noticed");
        // What may stand for long, and the time of a keyframe for all.
        let usual = delay(&viewer.frames, from, 99);
        assert!(usual < seconds(0.3), "{i}: {usual:?}");
        assert_eq!((viewer.torn, viewer.rtx), (0, 0), "whole frames, numbered without a gap");
        shown.push(viewer.frames.iter().filter(|f| f.at >= before).count());
        // By threes at worst: five turns of others, of four seconds and the rest of a group of pictures.
        let freeze = viewer.longest_freeze(from, end);
        assert!(freeze < seconds(26.0), "{i} waited {freeze:?} for its turn");
        let sound = viewer.sound.iter().filter(|s| s.0 >= from).count();
        assert!(sound >= 1_990, "{i}: sound is never shed: {sound} of 2,000");
        let late = viewer.sound.iter().filter(|s| s.0 >= from && s.0.since(s.1) > seconds(0.25)).count();
        assert!(late < 20, "{i}: {late} sounds late");
        withheld += world.directory.subscription((10 + u64::from(i)) * 10 + 1).unwrap().shed.get();
    }
    let whole = usize::from(VIEWERS) * 30 * 46;
    let all: usize = shown.iter().sum();
    // Sound leaves time for 5 of 16 pictures, and a probe too many is paid for by all.
    assert!(all > whole / 6, "{all} of {whole} frames shown");
    let fair = all / shown.len();
    assert!(
        shown.iter().all(|frames| *frames > fair * 2 / 3 && *frames < fair * 3 / 2),
        "to each its turns: {shown:?}"
    );
    assert!(withheld > 1_000);

    world.cost(Duration::ZERO);
    world.run(seconds(60.0));
    assert_eq!(stages(&world).last(), Some(&Stage::Clear));
    let from = world.now;
    world.run(seconds(10.0));
    for i in 0..VIEWERS {
        let viewer = world.peer::<Viewer>(viewer_at(i));
        let frames = viewer.frames.iter().filter(|f| f.at >= from).count();
        assert!(frames >= 298, "{i}: everything is back: {frames} frames");
    }
    let changes = stages(&world).iter().filter(|s| **s == Stage::Thin).count();
    assert_eq!(changes, 1, "it did not swing: {:?} within {:?}", stages(&world), end.since(before));
}

#[test]
fn who_has_a_lower_encoding_receives_it_before_anybody_is_paused() {
    let plan = Plan {
        rids: vec!["h", "m", "l"],
        packets_per_frame: 8,
        shrink: 3,
        group: None,
        sound: true,
        ..Plan::default()
    };
    let mut world = watched(plan, 22);
    let encodings = |world: &World| -> Vec<u64> {
        let ids = (0..u64::from(VIEWERS)).map(|i| (10 + i) * 10 + 1);
        ids.map(|id| world.directory.subscription(id).unwrap().encoding.get()).collect()
    };
    assert!(encodings(&world).iter().all(|e| *e == 1));
    // 4,650 packets a second in all: a third more than there is time for.
    let before = world.now;
    world.cost(Duration::from_micros(290));
    world.run(seconds(30.0));
    let workers = world.directory.workers.clone();
    assert_eq!((workers[0].paused.get(), workers[0].seats_refused.get()), (0, 0), "{:?}", stages(&world));
    assert_eq!(stages(&world)[0], Stage::Layers);
    let lower = encodings(&world).iter().filter(|e| **e == 2).count();
    assert!(lower >= 2, "{lower} stepped down");
    let end = world.now;
    for i in 0..VIEWERS {
        let viewer = world.peer::<Viewer>(viewer_at(i));
        let freeze = viewer.longest_freeze(before, end);
        assert!(freeze < seconds(0.5), "{i}: {freeze:?} frozen");
        // Also until it was noticed, and when more was taken back than could be borne.
        let worst = delay(&viewer.frames, before, 100);
        assert!(worst < seconds(0.5), "{i}: {worst:?}");
        let usual = delay(&viewer.frames, end - seconds(20.0), 50);
        assert!(usual < seconds(0.2), "{i}: {usual:?}");
    }
    world.cost(Duration::ZERO);
    world.run(seconds(40.0));
    assert!(encodings(&world).iter().all(|e| *e == 1), "{:?}", encodings(&world));
}

#[test]
fn what_others_depend_on_is_spared() {
    let mut world = watched(Plan { answers_pli: false, ..Plan::default() }, 23);
    let ssrc = world.peer::<Viewer>(viewer_at(0)).ssrc;
    world.command(Command::RemoveSubscription { transport: 10, subscription: 101 });
    let spared = Viewer::subscription(10, 11, proto::message::Choice::Auto, ssrc);
    let subscription = SubscriptionSpec { spared: true, ..spared };
    world.command(Command::AddSubscription { transport: 10, subscription });
    world.cost(Duration::from_micros(1_600));
    world.run(seconds(8.0));
    let from = world.now;
    world.run(seconds(20.0));
    let end = world.now;
    assert!(world.directory.workers[0].paused.get() > 4);
    assert_eq!(world.directory.subscription(101).unwrap().shed.get(), 0);
    let freeze = world.peer::<Viewer>(viewer_at(0)).longest_freeze(from, end);
    assert!(freeze < seconds(0.5), "{freeze:?}");
}
