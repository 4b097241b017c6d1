//! Hostile peers that do at random whatever a peer can do. `HOSTILE_STEPS=1000000` for the long run, best
//! with `--release`; `HOSTILE_SEED` replays one.

use std::net::SocketAddr;
use std::time::Duration;

use proto::message::Choice;
use proto::{rtcp, Command, Limits};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::attacker::{anywhere, Attacker, PAYLOAD_TYPE};
use crate::forwarding::viewer_at;
use crate::hostile::{forget, scene, unharmed};
use crate::memory;
use crate::wire::EXTENSIONS;
use crate::world::World;

const PEERS: u64 = 6;
/// Steps between looks at the viewers and at the memory.
const ROUND: u32 = 5_000;

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

fn peer_at(peer: u64) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 9], 7_000 + peer as u16))
}

struct Peers {
    rng: SmallRng,
    /// The transport of each peer; it changes as peers leave and return.
    transports: Vec<u64>,
    heard: Vec<Vec<u8>>,
}

impl Peers {
    fn join(&mut self, world: &mut World, peer: u64) {
        let id = 1_000 + self.rng.random_range(0..1_000_000u64);
        let rids: &[&str] = if self.rng.random() { &["h", "m", "l"] } else { &[] };
        Attacker::join(world, id, peer_at(peer), 11, rids);
        self.transports[peer as usize] = id;
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.rng.random_range(0..most);
        (0..len).map(|_| self.rng.random()).collect()
    }

    fn rtp(&mut self, world: &mut World, peer: u64) -> Vec<u8> {
        let (payload, rid) = (self.bytes(300), ["h", "m", "l", "x"][self.rng.random_range(0..4)]);
        let sequence = self.rng.random::<u16>().to_be_bytes();
        let rng = &mut self.rng;
        let attacker = world.peer::<Attacker>(peer_at(peer));
        if rng.random_ratio(1, 10) {
            attacker.index = rng.random_range(0..1 << 20);
        }
        let ssrcs = if rng.random_ratio(1, 20) { 5_000 } else { 6 };
        let ssrc = 1 + rng.random_range(0..ssrcs);
        let payload_type = if rng.random_ratio(1, 5) {
            rng.random_range(0..64)
        } else {
            PAYLOAD_TYPE + rng.random_range(0..4)
        };
        let mut extensions: Vec<(u8, &[u8])> = vec![(EXTENSIONS.transport_cc, &sequence)];
        if rng.random() {
            extensions.push((EXTENSIONS.mid, b"0"));
            extensions
                .push((if rng.random() { EXTENSIONS.rid } else { EXTENSIONS.repaired_rid }, rid.as_bytes()));
        }
        attacker.rtp(ssrc, payload_type, &extensions, &payload)
    }

    fn rtcp(&mut self, world: &mut World, peer: u64) -> Vec<u8> {
        let noise = self.bytes(200);
        let id = self.transports[peer as usize];
        let rng = &mut self.rng;
        let ssrc = if rng.random() { 0x2000_0000 + id as u32 * 16 } else { rng.random_range(0..12) };
        let mut packet = Vec::new();
        for _ in 0..rng.random_range(1..4) {
            match rng.random_range(0..9) {
                0 => rtcp::write_pli(&mut packet, 1, ssrc),
                1 => rtcp::write_fir(&mut packet, 1, ssrc, rng.random()),
                2 => rtcp::write_bye(&mut packet, &[ssrc]),
                3 => rtcp::write_remb(&mut packet, 1, rng.random(), &[ssrc]),
                4 => {
                    let mut lost: Vec<u16> = (0..rng.random_range(1..300)).map(|_| rng.random()).collect();
                    lost.sort_unstable();
                    rtcp::write_nack(&mut packet, 1, ssrc, &lost);
                }
                5 => {
                    let info =
                        rtcp::SenderInfo { ntp: rng.random(), rtp_time: rng.random(), packets: 0, octets: 0 };
                    rtcp::write_sr(&mut packet, ssrc, info, &[]);
                }
                6 => {
                    let block = rtcp::ReportBlock {
                        ssrc,
                        fraction_lost: rng.random(),
                        cumulative_lost: rng.random(),
                        highest: rng.random(),
                        jitter: rng.random(),
                        last_sr: rng.random(),
                        delay_since_sr: rng.random(),
                    };
                    rtcp::write_rr(&mut packet, ssrc, &[block]);
                }
                7 => {
                    let words = noise.len() / 4;
                    packet.extend_from_slice(&[
                        0x80 | rng.random_range(0..32),
                        rng.random_range(192..224),
                        0,
                        words as u8,
                    ]);
                    packet.extend_from_slice(&noise[..words * 4]);
                }
                _ => packet.extend_from_slice(&noise),
            }
        }
        packet.resize(packet.len().max(8), 0);
        world.peer::<Attacker>(peer_at(peer)).wire.seal_rtcp(&packet)
    }

    fn step(&mut self, world: &mut World) {
        let peer = self.rng.random_range(0..PEERS);
        let mut source = peer_at(peer);
        let id = self.transports[peer as usize];
        if world.directory.transport(id).is_none() && self.rng.random_ratio(1, 50) {
            world.remove_peer(peer_at(peer)); // it was too fast
            self.join(world, peer);
            return;
        }
        let data = match self.rng.random_range(0..100) {
            0..=34 => self.rtp(world, peer),
            35..=59 => self.rtcp(world, peer),
            60..=69 => {
                let nominate = self.rng.random();
                source = match self.rng.random_range(0..4) {
                    0 => anywhere(&mut self.rng),
                    1 => viewer_at(self.rng.random_range(0..3)),
                    _ => source,
                };
                world.peer::<Attacker>(peer_at(peer)).wire.request(nominate)
            }
            70..=79 => {
                let mut data = self.bytes(200);
                let kind = [0, 1, 20, 22, 23, 63, 128, 144, 191, 255][self.rng.random_range(0..10)];
                data.insert(0, kind);
                if kind == 22 {
                    data.splice(1..1, [254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1]);
                }
                data
            }
            80..=94 if !self.heard.is_empty() => {
                // What was sent before, whole or damaged.
                let mut data = self.heard[self.rng.random_range(0..self.heard.len())].clone();
                if !data.is_empty() && self.rng.random() {
                    let at = self.rng.random_range(0..data.len());
                    data[at] ^= 1 << self.rng.random_range(0..8u32);
                    data.truncate(self.rng.random_range(0..=data.len()));
                }
                data
            }
            95..=96 => {
                let encoding = Choice::Rid(["h", "m", "l", "?"][self.rng.random_range(0..4)].into());
                world.command(Command::SetEncoding { transport: id, subscription: id * 10 + 1, encoding });
                return;
            }
            97 => {
                let source = [11, 11, id * 10 + 1, self.rng.random_range(0..99)][self.rng.random_range(0..4)];
                world.command(Command::SetSource { transport: id, subscription: id * 10 + 1, source });
                return;
            }
            98 if self.rng.random_ratio(1, 10) => {
                world.remove_peer(peer_at(peer));
                world.command(Command::CloseTransport { transport: id });
                self.join(world, peer);
                return;
            }
            _ => self.bytes(1_500),
        };
        if self.heard.len() < 500 {
            self.heard.push(data.clone());
        } else {
            let at = self.rng.random_range(0..500);
            self.heard[at] = data.clone();
        }
        world.send_to_node(source, data);
    }
}

#[test]
fn random_peers_neither_break_nor_fill_anything() {
    let steps = number("HOSTILE_STEPS", 20_000);
    let seeds = std::env::var("HOSTILE_SEED").is_ok().then(|| number("HOSTILE_SEED", 0));
    for seed in seeds.map_or(0..2, |seed| seed..seed + 1) {
        println!("seed {seed}");
        let mut world = scene(seed, 1 + seed as usize % 3, Limits::default());
        let rng = SmallRng::seed_from_u64(seed);
        let mut peers = Peers { rng, transports: vec![0; PEERS as usize], heard: vec![] };
        for peer in 0..PEERS {
            peers.join(&mut world, peer);
        }
        world.run(Duration::from_secs(1));
        let mut first = None;
        for _ in 0..(steps as u32).div_ceil(ROUND) {
            let from = world.now;
            for step in 0..ROUND {
                peers.step(&mut world);
                if step % 4 == 0 {
                    world.run(Duration::from_millis(1));
                }
            }
            unharmed(&mut world, from, &format!("seed {seed}"));
            forget(&mut world);
            let live = memory::live();
            let first = *first.get_or_insert(live);
            // Rings of five hostile tracks and what six transports may remember.
            assert!(
                live - first < 12_000_000,
                "seed {seed}: {} bytes more than after the first round",
                live - first
            );
        }
    }
}
