//! Many joiners at once: each meets the live edge, whether its group of pictures was replayed or not.

use proto::{Command, Limits};

use crate::forwarding::{add_publisher, add_viewer, publisher_at, seconds, viewer_at};
use crate::publisher::{Plan, Publisher};
use crate::viewer::Viewer;
use crate::world::{Network, World};

#[test]
fn more_joiners_than_the_budget_replays_all_meet_the_live_edge() {
    // 30 frames of 8 packets of 1,000 bytes: 2 Mb/s. At 4 Mb/s three are replayed, the others wait.
    let limits = Limits { replay_bps: 4_000_000, ..Limits::default() };
    let mut world = World::with_limits(31, 1, Network::GOOD, limits);
    let plan = Plan { answers_pli: false, group: Some(60), packets_per_frame: 8, ..Plan::default() };
    add_publisher(&mut world, 1, publisher_at(), plan);
    world.run(seconds(5.5)); // mid-group
    for i in 0..24 {
        add_viewer(&mut world, 10 + u64::from(i), viewer_at(i), 11, None);
    }
    world.run(seconds(6.0));
    let replayed: u64 =
        (0..24).map(|i| world.directory.subscription((10 + i) * 10 + 1).unwrap().replayed.get()).sum();
    assert!((1..24).contains(&replayed), "{replayed} replayed");
    let now = world.now;
    for i in 0..24 {
        let viewer = world.peer::<Viewer>(viewer_at(i));
        let last = viewer.frames.last().unwrap().clone();
        assert!(now.since(last.made) < seconds(0.1), "{i} is {:?} behind", now.since(last.made));
        assert_eq!(viewer.torn, 0);
        let freeze = viewer.longest_freeze(now - seconds(3.0), now);
        assert!(freeze < seconds(0.1), "{i}: {freeze:?}");
    }
}

#[test]
fn a_replay_that_a_busy_worker_can_not_keep_up_ends_at_a_keyframe() {
    let mut world = World::new(32, 1, Network::GOOD);
    let plan = Plan { answers_pli: false, group: Some(60), packets_per_frame: 8, ..Plan::default() };
    add_publisher(&mut world, 1, publisher_at(), plan);
    world.run(seconds(5.5));
    world.cost(std::time::Duration::from_micros(250)); // 4,000 a second, which 16 viewers just need
    for i in 0..14 {
        add_viewer(&mut world, 10 + u64::from(i), viewer_at(i), 11, None);
    }
    world.run(seconds(12.0));
    let now = world.now;
    for i in 0..14 {
        let last = world.peer::<Viewer>(viewer_at(i)).frames.last().unwrap().clone();
        assert!(
            last.at.since(last.made) < seconds(0.3),
            "{i} is {:?} behind at {now:?}",
            last.at.since(last.made)
        );
    }
}

/// The peer's Finished ends a handshake that the node began: media may be there before the keys. `began`:
/// whether it is a handshake that they come during.
fn early_media(began: bool) -> usize {
    let mut world = World::new(33, 1, Network::GOOD);
    let plan = Plan { answers_pli: false, group: None, ..Plan::default() };
    let (publisher, commands) = Publisher::new(1, plan);
    let (keys, others): (Vec<Command>, Vec<Command>) =
        commands.into_iter().partition(|command| matches!(command, Command::SetKeys { .. }));
    for command in others {
        world.command(command);
    }
    world.add_peer(publisher_at(), publisher);
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    if began {
        let hello = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1];
        world.command(Command::SendDtls { transport: 1, data: hello.into() });
    }
    world.run(seconds(0.3));
    for command in keys {
        world.command(command);
    }
    world.run(seconds(3.0));
    world.peer::<Viewer>(viewer_at(0)).frames.len()
}

#[test]
fn media_that_came_before_its_keys_is_not_lost() {
    assert!(early_media(true) > 60);
    assert_eq!(early_media(false), 0, "the only keyframe came before the handshake");
}
