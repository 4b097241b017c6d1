//! Floods and lies on the way in: STUN and DTLS, before and after a transport is established.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use proto::message::CloseReason;
use proto::{Event, Limits};

use crate::attacker::{anywhere, Attacker};
use crate::forwarding::{publisher_at, seconds, viewer_at};
use crate::hostile::{attacker_at, forget, forget_sent, scene, sent, unharmed};
use crate::memory;
use crate::wire::Wire;
use crate::world::World;

#[test]
fn stun_floods_from_anywhere_get_no_answer_and_leave_nothing() {
    for workers in [1, 3] {
        let mut world = scene(1, workers, Limits::default());
        forget_sent(&mut world);
        forget(&mut world);
        let (from, before) = (world.now, memory::live());
        let mut rng = world.rng.clone();
        for i in 0..20_000u32 {
            let known = if i % 2 == 0 { Some(10 + u64::from(i) % 4) } else { None };
            let mut wire = Wire::new(known.unwrap_or(900_000 + u64::from(i)));
            let mut request = wire.request(i % 3 == 0);
            let integrity = request.len() - 20;
            request[integrity] ^= 1; // and so the fingerprint is wrong, too
            if i % 5 == 0 {
                wire = Wire::new(99);
                request = wire.request_for(10, false); // a valid fingerprint, the wrong password
            }
            let source = anywhere(&mut rng);
            world.send_to_node(source, request);
            if i % 50 == 0 {
                world.run(Duration::from_millis(10));
            }
        }
        world.run(seconds(0.5));
        let to_strangers: u64 = world
            .sent_to
            .iter()
            .filter(|(to, _)| to.ip().to_string().starts_with("203."))
            .map(|(_, n)| n)
            .sum();
        assert_eq!(to_strangers, 0, "{workers} workers");
        unharmed(&mut world, from, "STUN flood");
        forget(&mut world);
        let grown = memory::live() - before;
        // The publisher's and viewers' own records are not full yet.
        assert!(grown < 600_000, "{workers} workers: {grown} bytes more");
    }
}

#[test]
fn a_spoofed_third_address_gets_three_times_what_came_from_it() {
    for workers in [1, 3] {
        let mut world = scene(2, workers, Limits::default());
        Attacker::join(&mut world, 50, attacker_at(), 11, &[]);
        world.run(seconds(1.0));
        let victim: SocketAddr = "203.0.113.1:53".parse().unwrap();
        let (from, mut spent) = (world.now, 0);
        for _ in 0..400 {
            let request = world.peer::<Attacker>(attacker_at()).wire.request(true);
            spent += request.len() as u64;
            world.send_to_node(victim, request);
            // Also as if it were the publisher, or a viewer: they must keep their place.
            for held in [publisher_at(), viewer_at(0)] {
                let request = world.peer::<Attacker>(attacker_at()).wire.request(true);
                world.send_to_node(held, request);
            }
            world.run(Duration::from_millis(20));
        }
        assert!(sent(&world, victim) <= 3 * spent, "{} for {spent}", sent(&world, victim));
        unharmed(&mut world, from, "spoofed USE-CANDIDATE");
    }
}

#[test]
fn who_has_credentials_and_comes_from_everywhere_leaves_little() {
    for workers in [1, 3] {
        let mut world = scene(12, workers, Limits::default());
        Attacker::join(&mut world, 50, attacker_at(), 11, &[]);
        world.run(seconds(1.0));
        forget(&mut world);
        let (from, before) = (world.now, memory::live());
        let mut rng = world.rng.clone();
        let mut spent: HashMap<SocketAddr, u64> = HashMap::new();
        for i in 0..20_000u32 {
            let request = world.peer::<Attacker>(attacker_at()).wire.request(i % 2 == 0);
            let source = anywhere(&mut rng);
            *spent.entry(source).or_default() += request.len() as u64;
            world.send_to_node(source, request);
            if i % 20 == 0 {
                world.run(Duration::from_millis(1));
            }
        }
        world.run(seconds(0.5));
        for (to, bytes) in &spent {
            assert!(sent(&world, *to) <= 3 * bytes, "{workers} workers: {} for {bytes}", sent(&world, *to));
        }
        unharmed(&mut world, from, "requests from everywhere");
        drop(spent);
        forget(&mut world);
        let grown = memory::live() - before;
        assert!(grown < 600_000, "{workers} workers: {grown} bytes more");
    }
}

#[test]
fn media_ends_for_an_address_that_answers_no_check_although_requests_come_from_it() {
    let mut world = scene(10, 1, Limits::default());
    Attacker::join(&mut world, 50, attacker_at(), 11, &[]);
    world.run(seconds(2.0));
    world.remove_peer(attacker_at());
    let mut wire = Wire::new(50);
    for _ in 0..50 {
        let request = wire.request(true); // from elsewhere, with that source
        world.send_to_node(attacker_at(), request);
        world.run(seconds(1.0));
    }
    forget_sent(&mut world);
    let mut spent = 0;
    for _ in 0..5 {
        let request = wire.request(true);
        spent += request.len() as u64;
        world.send_to_node(attacker_at(), request);
        world.run(seconds(1.0));
    }
    assert!(sent(&world, attacker_at()) <= 3 * spent, "{} for {spent}", sent(&world, attacker_at()));
}

fn client_hello(n: u32) -> Vec<u8> {
    let mut data = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80, 1];
    data.extend_from_slice(&n.to_be_bytes());
    data.resize(100, 7);
    data
}

fn dtls_events(world: &World, id: u64) -> usize {
    world
        .events
        .iter()
        .filter(|(_, e)| matches!(e, Event::Dtls { transport, .. } if *transport == id))
        .count()
}

#[test]
fn client_hello_floods_reach_the_control_side_as_a_trickle() {
    let mut world = scene(5, 2, Limits { handshakes: 4, ..Limits::default() });
    // Six without keys: four of them may begin.
    for id in 60..66u64 {
        let wire = Wire::new(id);
        let [open, _keys] = wire.open();
        world.command(open);
        world.add_peer(SocketAddr::from(([198, 51, 100, 7], 5_000 + id as u16)), Attacker { wire, index: 0 });
    }
    world.run(seconds(1.0));
    let from = world.now;
    for i in 0..4_000u32 {
        for id in 60..66u16 {
            world.send_to_node(SocketAddr::from(([198, 51, 100, 7], 5_000 + id)), client_hello(i));
            let mut other = vec![22, 254, 253, 0, 1];
            other.resize(80, i as u8);
            world.send_to_node(SocketAddr::from(([198, 51, 100, 7], 5_000 + id)), other);
        }
        world.send_to_node(viewer_at(0), client_hello(i));
        world.run(Duration::from_millis(1));
    }
    world.run(seconds(1.0));
    let counts: Vec<usize> = (60..66).map(|id| dtls_events(&world, id)).collect();
    // A worker has four each; a transport gets 64 at once and 64 a second.
    assert!(counts.iter().all(|&n| n <= 64 + 64 * 6), "{counts:?}");
    assert!(counts.iter().any(|&n| n > 0), "{counts:?}");
    assert_eq!(dtls_events(&world, 10), 0, "an established association is not started over");
    unharmed(&mut world, from, "ClientHello flood");
    // Who never ends its handshake makes room.
    world.run(seconds(32.0));
    for id in 60..66u64 {
        let closed = |e: &Event| matches!(e, Event::Closed { transport, reason: CloseReason::NeverReached } if *transport == id);
        assert!(world.events.iter().any(|(_, e)| closed(e)), "{id}");
    }
    let wire = Wire::new(70);
    let [open, _keys] = wire.open();
    world.command(open);
    world.add_peer(attacker_at(), Attacker { wire, index: 0 });
    world.run(seconds(1.0));
    world.send_to_node(attacker_at(), client_hello(1));
    world.run(seconds(0.2));
    assert_eq!(dtls_events(&world, 70), 1);
}
