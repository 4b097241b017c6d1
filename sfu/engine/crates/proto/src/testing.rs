//! Small makers for unit tests.

use std::sync::Arc;

use crate::message::CodecSpec;
use crate::packet::Packet;
use crate::time::Time;

pub fn codec(name: &str, payload_type: u8) -> CodecSpec {
    CodecSpec {
        payload_type,
        rtx_payload_type: Some(payload_type + 1),
        name: name.into(),
        clock_rate: if name == "opus" { 48_000 } else { 90_000 },
        channels: if name == "opus" { 2 } else { 1 },
        fmtp: String::new(),
        nack: true,
        pli: true,
        fir: false,
    }
}

pub fn packet(seq: u64, arrival: Time, keyframe_start: bool) -> Arc<Packet> {
    Arc::new(Packet {
        encoding: 0,
        generation: 0,
        seq,
        rtp_time: seq * 3000,
        marker: true,
        keyframe_start,
        empty: false,
        audio_level: None,
        orientation: None,
        vp8: None,
        arrival,
        codec: Arc::new(codec("VP8", 96)),
        payload: vec![0x10; 50].into(),
    })
}
