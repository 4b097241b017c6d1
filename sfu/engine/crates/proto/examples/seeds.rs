//! `seeds FOLDER`: writes what each fuzz target starts from to `FOLDER/TARGET/`.

#[allow(dead_code, unused_imports)] // the tests', of which this needs the corpora
#[path = "../tests/exercise/mod.rs"]
mod exercise;

use exercise::corpus;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: seeds FOLDER"));
    for (target, seeds) in [
        ("stun", corpus::stun()),
        ("rtp", corpus::rtp()),
        ("rtcp", corpus::rtcp()),
        ("codec", corpus::codec()),
        ("srtp", corpus::srtp()),
        ("srtp_round_trip", corpus::srtp_round_trip()),
        ("peer", corpus::peer()),
    ] {
        std::fs::create_dir_all(folder.join(target))?;
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(target).join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
