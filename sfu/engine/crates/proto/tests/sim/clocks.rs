//! Wall clocks that are set while a stream runs.

use proto::packet::ntp_to_us;

use crate::forwarding::{add_publisher, add_viewer, apart_us, publisher_at, seconds, viewer_at};
use crate::publisher::{Plan, Publisher};
use crate::viewer::Viewer;
use crate::world::{Network, World};

/// An operator or ntpd sets the publisher's clock while it publishes. Ours is read once, at the start: what we
/// tell viewers goes on by the monotonic clock.
#[test]
fn a_clock_that_is_set_changes_neither_media_nor_our_reports() {
    for workers in [1, 2] {
        let mut world = World::new(7, workers, Network::GOOD);
        add_publisher(&mut world, 1, publisher_at(), Plan { sound: true, group: None, ..Plan::default() });
        add_viewer(&mut world, 10, viewer_at(0), 11, Some(12));
        world.run(seconds(5.0));
        let from = world.now;
        for step_s in [-2, -5, 2, 3_600, -7_200, 1_000_000_000, -1_000_000_000] {
            world.peer::<Publisher>(publisher_at()).wall_us += step_s * 1_000_000;
            for _ in 0..50 {
                world.run(seconds(0.1));
                let apart = apart_us(world.peer::<Viewer>(viewer_at(0)));
                assert!(apart.abs() < 20_000, "{apart} us apart after {step_s} s");
            }
        }
        let now = world.now;
        let viewer = world.peer::<Viewer>(viewer_at(0));
        assert!(viewer.longest_freeze(from, now) < seconds(0.05));
        for ssrc in [viewer.ssrc, viewer.ssrc + 2] {
            let told: Vec<_> = viewer.reports.iter().filter(|r| r.1 == ssrc).collect();
            assert!(told.len() > 25, "{} reports", told.len());
            for pair in told.windows(2) {
                let [before, after] = pair else { unreachable!() };
                let wall = ntp_to_us(after.2) - ntp_to_us(before.2);
                let node = after.0.since(before.0).as_micros() as i64;
                assert!(wall > 0 && (wall - node).abs() < 10_000, "{wall} us told in {node}");
                let rate = if ssrc == viewer.ssrc { 90_000 } else { 48_000 };
                let media = i64::from(after.3.wrapping_sub(before.3) as i32) * 1_000_000 / rate;
                assert!((media - wall).abs() < 20_000, "{media} us of media in {wall}");
            }
        }
    }
}
