//! Settings of the engine. Each default names the operating point it was chosen for.

use std::time::Duration;

/// A frame that came at once is forwarded at once; one that does not come whole is forwarded in 5 ms runs.
const HOLD: Duration = Duration::from_millis(5);

#[derive(Debug, Clone)]
pub struct Config {
    /// Workers of this node; every worker has its own index below this.
    pub workers: usize,
    /// Seeds transaction ids, first sequence numbers and SSRCs. The driver takes it from the system.
    pub seed: u64,
    /// Group packets to one destination into GSO messages.
    pub gso: bool,
    /// How long packets of a frame wait for its last one: 5 ms is the longest run of packets that leaves at
    /// once, and what a paced publisher takes for a frame's first third. Zero: nothing waits.
    pub hold: Duration,
    /// Wall clock minus the driver's clock in microseconds, for NTP times in sender reports. It only
    /// labels: nothing is scheduled by it, so a step of the wall clock changes nothing.
    pub wall_offset_us: i64,
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Config {
        Config { workers: 1, seed: 1, gso: true, hold: HOLD, wall_offset_us: 0, limits: Limits::default() }
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
    /// Standing lateness from which on load is shed, zero never. 100 ms is three frames: other programs make
    /// a thread wait for tens of milliseconds now and then, but not through two ticks of 200 ms, and
    /// conversation is not hurt by a delay below 150 ms (ITU-T G.114).
    pub shed_above: Duration,
    /// A transport that nobody has reached yet, or that has no keys yet, is closed after this: else a guest
    /// who never ends a handshake would hold its place.
    pub connect: Duration,
    /// Time that a publisher may stay past its bounds before it is closed: an encoder that overshoots at a
    /// change of scene is back within a second or two.
    pub publisher_patience: Duration,
    /// Addresses remembered per transport: a phone has two interfaces, two families each, and a TURN relay.
    pub paths_per_transport: usize,
    /// Packets sent again to one peer per second: a quarter of 25 Mb/s. More is a storm, or a path that
    /// retransmissions only make worse.
    pub rtx_per_s: usize,
    /// Sequence numbers of one peer's NACKs that are looked up per second: all packets of 100 Mb/s. One NACK
    /// of the largest size names 6,000.
    pub nacked_per_s: usize,
    /// DTLS datagrams of one peer that go up to the control side per second, and as many at once: a handshake
    /// takes ten, a data channel's chat some; the control side works a millisecond on each.
    pub dtls_per_s: u32,
    /// ICE-TCP connections of a node: browsers open one beside UDP, so four nodes' seats.
    pub tcp_connections: usize,
    /// Of those from one address: an office behind one NAT.
    pub tcp_connections_per_address: usize,
    /// Bytes that wait for a peer that reads its TCP connection slowly: 1 s at 2 Mb/s.
    pub tcp_pending_bytes: usize,
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
            shed_above: Duration::from_millis(100),
            connect: Duration::from_secs(30),
            publisher_patience: Duration::from_secs(5),
            paths_per_transport: 8,
            rtx_per_s: 640,
            nacked_per_s: 10_240,
            dtls_per_s: 64,
            tcp_connections: 4_096,
            tcp_connections_per_address: 256,
            tcp_pending_bytes: 256 * 1024,
        }
    }
}
