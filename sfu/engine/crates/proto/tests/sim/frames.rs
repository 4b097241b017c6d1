//! Packets of one frame leave together: when the last one has come, or when they have waited long enough.

use std::time::Duration;

use crate::forwarding::{add_publisher, add_viewer, publisher_at, seconds, viewer_at};
use crate::publisher::{Plan, Publisher};
use crate::world::{Network, World};

/// A packet of the simulated publisher is larger, reports and checks within a few milliseconds are smaller.
const PACKET: u64 = 300;
const MILLISECOND: Duration = Duration::from_millis(1);

struct Stage {
    world: World,
    /// Bytes that had left for the viewer at the last look.
    seen: u64,
}

impl Stage {
    /// A viewer who watches, and a publisher whose next frames the test sends by hand.
    fn new(workers: usize) -> Stage {
        let mut world = World::new(workers as u64, workers, Network::GOOD);
        add_publisher(&mut world, 1, publisher_at(), Plan { packets_per_frame: 4, ..Plan::default() });
        add_viewer(&mut world, 10, viewer_at(0), 11, None);
        world.run(seconds(3.01));
        world.peer::<Publisher>(publisher_at()).stopped = true;
        world.run(seconds(0.1));
        let seen = world.sent_to[&viewer_at(0)];
        Stage { world, seen }
    }

    fn frame(&mut self) -> Vec<Vec<u8>> {
        let (now, mut packets) = (self.world.now, Vec::new());
        self.world.peer::<Publisher>(publisher_at()).send_frame(now, &mut packets);
        assert_eq!(packets.len(), 4);
        packets
    }

    /// Send packets, let time pass and tell how many have left for the viewer.
    fn send(&mut self, packets: &[Vec<u8>], pass: Duration) -> u64 {
        for packet in packets {
            self.world.send_to_node(publisher_at(), packet.clone());
        }
        self.world.run(pass);
        let sent = self.world.sent_to[&viewer_at(0)];
        (sent - std::mem::replace(&mut self.seen, sent)) / PACKET
    }
}

#[test]
fn a_frame_leaves_when_its_last_packet_has_come() {
    for workers in [1, 3] {
        let mut stage = Stage::new(workers);
        let packets = stage.frame();
        assert_eq!(stage.send(&packets[..1], MILLISECOND), 0);
        assert_eq!(stage.send(&packets[1..3], MILLISECOND * 3), 0);
        // The first one comes 1 ms from now and is 4 ms old when the last one comes.
        assert_eq!(stage.send(&packets[3..], Network::GOOD.delay - MILLISECOND / 2), 0);
        assert_eq!(stage.send(&[], MILLISECOND), 4);
    }
}

#[test]
fn a_frame_without_end_leaves_after_five_milliseconds() {
    let mut stage = Stage::new(1);
    let packets = stage.frame();
    assert_eq!(stage.send(&packets[..3], Network::GOOD.delay + MILLISECOND * 9 / 2), 0);
    assert_eq!(stage.send(&[], MILLISECOND), 3);
    // And its end does not wait for anything.
    assert_eq!(stage.send(&packets[3..], Network::GOOD.delay + MILLISECOND / 2), 1);
}

#[test]
fn a_packet_that_comes_late_leaves_at_once() {
    let mut stage = Stage::new(1);
    let packets = stage.frame();
    let others = [packets[0].clone(), packets[2].clone(), packets[3].clone()];
    assert_eq!(stage.send(&others, Network::GOOD.delay + MILLISECOND / 2), 3);
    assert_eq!(stage.send(&packets[1..2], Network::GOOD.delay + MILLISECOND / 2), 1);
}
