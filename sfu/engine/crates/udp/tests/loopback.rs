//! A node with real sockets and threads carries a publisher to viewers, over workers and profiles.

use std::time::Duration;

use proto::srtp::Profile;
use udp::bench::{run, Options};

fn carries(workers: usize, gso: bool, profile: Profile) {
    let report = run(Options {
        viewers: 6,
        mbps: 2.5,
        seconds: 1.0,
        warm_up: Duration::from_millis(500),
        spread: Duration::from_millis(4),
        gso,
        workers,
        profile,
        listening: 6,
        shed: true,
    })
    .unwrap();
    assert_eq!(report.lost, 0);
    // Each sample was authenticated and decrypted by the viewer that got it.
    assert!(report.samples > 0);
    assert!(report.packets_per_s > 0.0 && report.cpu_us_per_packet > 0.0 && report.floor_us_per_packet > 0.0);
}

#[test]
fn one_worker_with_gso() {
    carries(1, true, Profile::AeadAes128Gcm);
}

#[test]
fn three_workers_hand_packets_to_each_other() {
    carries(3, true, Profile::AeadAes256Gcm);
}

#[test]
fn one_worker_without_gso() {
    carries(1, false, Profile::Aes128CmSha1_80);
}
