//! A day of one stream: every counter wraps, and nothing grows.

use std::net::SocketAddr;

use proto::{Event, Limits};

use crate::forwarding::{add_publisher, add_viewer, publisher_at, seconds, viewer_at};
use crate::memory;
use crate::publisher::{Plan, Publisher};
use crate::viewer::Viewer;
use crate::world::{Network, World};

/// Five frames of one packet a second: sequence numbers wrap every 3.6 h, RTP time after 13 h 15 min.
#[test]
fn a_day_wraps_every_counter_and_nothing_grows() {
    let mut world = World::with_limits(24, 1, Network::lossy(0.01), Limits::default());
    let plan = Plan { packets_per_frame: 1, frame_us: 200_000, group: Some(50), ..Plan::default() };
    add_publisher(&mut world, 1, publisher_at(), plan);
    add_viewer(&mut world, 10, viewer_at(0), 11, None);
    let mut live = Vec::new();
    let (mut frames, mut feedback) = (0, 0);
    for hour in 0..24u16 {
        let visitor = viewer_at(100 + hour);
        add_viewer(&mut world, 100 + u64::from(hour), visitor, 11, None);
        world.run(seconds(600.0));
        let seen = world.peer::<Viewer>(visitor).frames.len();
        assert!(seen > 2_800, "hour {hour}: the visitor saw {seen} frames");
        world.remove_peer(visitor); // its consent expires
        world.run(seconds(3_000.0));
        let viewer = world.peer::<Viewer>(viewer_at(0));
        frames += viewer.frames.len() - usize::from(hour > 0);
        viewer.forget();
        let told = &world.peer::<Publisher>(publisher_at()).feedback;
        assert!(*told > feedback + 3_000, "hour {hour}: arrivals are told");
        feedback = *told;
        let closed = |e: &Event| matches!(e, Event::Closed { .. });
        assert_eq!(world.events.iter().filter(|(_, e)| closed(e)).count(), 1, "hour {hour}");
        world.events = Vec::new();
        world.sent_to.retain(|to: &SocketAddr, _| *to == publisher_at() || *to == viewer_at(0));
        live.push(memory::live());
    }
    // 432,000 frames; of 1 % some are lost for good with their group of 50.
    assert!(frames > 428_000, "{frames} frames");
    assert!(world.peer::<Viewer>(viewer_at(0)).last_index > 6 << 16, "the rollover counter counts on");
    let grown = live[23] - live[3];
    assert!(grown < 200_000, "{grown} bytes in 20 h: {live:?}");
}
