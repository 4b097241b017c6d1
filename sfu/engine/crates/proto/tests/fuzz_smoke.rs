//! Mutated valid packets against every parser, from a seed. `SPILLWAY_FUZZ` is the number of inputs for
//! each parser, 200,000 by default, and a twentieth of it for the worker. A failing input is printed with its
//! number.

mod exercise;

use exercise::corpus;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::panic::{catch_unwind, resume_unwind};

/// One to four changes of the kinds that break parsers.
fn mutate(rng: &mut SmallRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = corpus[rng.random_range(0..corpus.len())].clone();
    for _ in 0..rng.random_range(1..=4) {
        if data.is_empty() {
            break;
        }
        let at = rng.random_range(0..data.len());
        match rng.random_range(0..8) {
            0 => data[at] ^= 1 << rng.random_range(0..8),
            1 => data[at] = rng.random(),
            2 => data[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][rng.random_range(0..6)],
            3 => data.truncate(at),
            4 => data.insert(at, rng.random()),
            5 => {
                data.remove(at);
            }
            6 => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                data.truncate(at);
                data.extend_from_slice(&other[rng.random_range(0..other.len())..]);
            }
            _ => {
                let end = (at + 4).min(data.len());
                rng.fill(&mut data[at..end]);
            }
        }
    }
    // A STUN length that fits lets the parser look at the attributes.
    if data.len() >= 20 && data[0] & 0xc0 == 0 && rng.random() {
        let len = (data.len() - 20) as u16;
        data[2..4].copy_from_slice(&len.to_be_bytes());
    }
    data
}

fn inputs() -> u64 {
    match std::env::var("SPILLWAY_FUZZ") {
        Ok(text) => text.parse().expect("SPILLWAY_FUZZ is a number of inputs"),
        Err(_) => 200_000,
    }
}

fn smoke(seed: u64, inputs: u64, corpus: &[Vec<u8>], target: fn(&[u8])) {
    for data in corpus {
        target(data);
    }
    let mut rng = SmallRng::seed_from_u64(seed);
    for number in 0..inputs {
        let data = mutate(&mut rng, corpus);
        if let Err(panic) = catch_unwind(|| target(&data)) {
            eprintln!("input {number} of seed {seed}: {data:02x?}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn stun_inputs() {
    smoke(1, inputs(), &corpus::stun(), exercise::stun);
}

#[test]
fn rtp_inputs() {
    smoke(2, inputs(), &corpus::rtp(), exercise::rtp);
}

#[test]
fn rtcp_inputs() {
    smoke(3, inputs(), &corpus::rtcp(), exercise::rtcp);
}

#[test]
fn codec_inputs() {
    smoke(4, inputs(), &corpus::codec(), exercise::codec);
}

#[test]
fn srtp_inputs() {
    smoke(5, inputs(), &corpus::srtp(), exercise::srtp);
}

#[test]
fn srtp_round_trip_inputs() {
    smoke(6, inputs(), &corpus::srtp_round_trip(), exercise::srtp_round_trip);
}

#[test]
fn peer_inputs() {
    smoke(7, inputs() / 20, &corpus::peer(), exercise::peer);
}
