//! The forwarding benchmark without Python, for profilers: `forward VIEWERS SECONDS GSO(on|off) WORKERS`.

use std::time::Duration;

use proto::srtp::Profile;
use udp::bench::{run, Options};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, or: f64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(or);
    let viewers = number(0, 500.0) as usize;
    let report = run(Options {
        viewers,
        mbps: 2.5,
        seconds: number(1, 10.0),
        warm_up: Duration::from_secs(1),
        spread: Duration::ZERO,
        gso: arguments.get(2).is_none_or(|gso| gso != "off"),
        workers: number(3, 1.0) as usize,
        profile: Profile::AeadAes128Gcm,
        listening: viewers,
        shed: true,
    })?;
    println!("{report:#?}");
    Ok(())
}
