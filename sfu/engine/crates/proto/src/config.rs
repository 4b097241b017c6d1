//! Settings of the engine. Each default names the operating point it was chosen for.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Config {
    /// Workers of this node; every worker has its own index below this.
    pub workers: usize,
    /// Seeds transaction ids, first sequence numbers and SSRCs. The driver takes it from the system.
    pub seed: u64,
    /// Group packets to one destination into GSO messages.
    pub gso: bool,
    /// Wall clock minus the driver's clock in microseconds, for NTP times in sender reports. It only
    /// labels: nothing is scheduled by it, so a step of the wall clock changes nothing.
    pub wall_offset_us: i64,
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Config {
        Config { workers: 1, seed: 1, gso: true, wall_offset_us: 0, limits: Limits::default() }
    }
}

/// Bounds on what peers may make us do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bits per second one publisher may send: 50 Mb/s is a 4K60 camera with simulcast.
    pub publisher_bps: u64,
    /// Packets per second of one publisher: 50 Mb/s in packets of 900 bytes.
    pub publisher_packets_per_s: u32,
    /// SSRCs of one transport: three encodings and their RTX for 16 tracks fit.
    pub ssrcs_per_transport: usize,
    /// Bytes of history per encoding: 2.5 s at 20 Mb/s.
    pub history_bytes: usize,
    /// Packets of history per encoding: 1,500 is 2.5 s at 6 Mb/s.
    pub history_packets: usize,
    /// Older groups of pictures are not replayed: at four times its rate 2.5 s takes 0.8 s to catch up.
    pub replay_age: Duration,
    /// Bits per second that all replays of a worker may take together: 150 joins a second of 5 Mb/s, each a
    /// second into its group of pictures. Who comes beyond that waits for the next keyframe.
    pub replay_bps: u64,
    /// Packets waiting in one transport's queue before video is dropped: 1 s at 10 Mb/s.
    pub queue_packets: usize,
    /// DTLS handshakes under way per worker; more ClientHellos are dropped and come again.
    pub handshakes: usize,
    /// Without an authenticated STUN request for this long a transport is closed (RFC 7675: 30 s).
    pub consent: Duration,
    /// Standing lateness from which on load is shed, zero never: 30 ms is a frame. Who is later than that
    /// through a whole tick of 200 ms does not keep up.
    pub shed_above: Duration,
    /// A transport that nobody has reached yet, or that has no keys yet, is closed after this: else a guest
    /// who never ends a handshake would hold its place.
    pub connect: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            publisher_bps: 50_000_000,
            publisher_packets_per_s: 7_000,
            ssrcs_per_transport: 128,
            history_bytes: 6_250_000,
            history_packets: 1_500,
            replay_age: Duration::from_millis(2_500),
            replay_bps: 1_000_000_000,
            queue_packets: 1_024,
            handshakes: 256,
            consent: Duration::from_secs(30),
            shed_above: Duration::from_millis(30),
            connect: Duration::from_secs(30),
        }
    }
}
