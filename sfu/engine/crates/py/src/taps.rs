//! What a tap read, as tuples: consecutive packets of one kind make one item.

use std::sync::Arc;

use proto::message::CodecSpec;
use proto::packet::Packet;
use proto::tap::{TapQueue, Tapped};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::specs::codec_dict;

/// Everything that waits, and how many packets were dropped since the last call.
pub fn read<'py>(py: Python<'py>, queue: &TapQueue) -> PyResult<(Bound<'py, PyList>, u64)> {
    let (tapped, dropped) = queue.drain();
    let items = PyList::empty(py);
    let mut run: Option<Run<'py>> = None;
    for one in tapped {
        match one {
            Tapped::Packet { rid, generation, packet } => {
                if !run.as_ref().is_some_and(|run| run.takes(&rid, generation, &packet.codec)) {
                    finish(py, &items, run.take())?;
                    let packets = PyList::empty(py);
                    run = Some(Run { rid, generation, codec: packet.codec.clone(), packets });
                }
                if let Some(run) = &run {
                    run.packets.append(packet_tuple(py, &packet)?)?;
                }
            }
            Tapped::Report { rid, generation, report } => {
                finish(py, &items, run.take())?;
                // RTP time as it was on the wire: the lower 32 bits.
                let rtp_time = report.rtp_time as u32;
                items.append(("report", &*rid, generation, report.ntp, rtp_time, report.arrival.micros()))?;
            }
            Tapped::Ended => {
                finish(py, &items, run.take())?;
                items.append(("ended",))?;
            }
        }
    }
    finish(py, &items, run)?;
    Ok((items, dropped))
}

/// Packets that share everything but themselves.
struct Run<'py> {
    rid: Arc<str>,
    generation: u64,
    codec: Arc<CodecSpec>,
    packets: Bound<'py, PyList>,
}

impl Run<'_> {
    fn takes(&self, rid: &Arc<str>, generation: u64, codec: &Arc<CodecSpec>) -> bool {
        self.generation == generation
            && self.rid == *rid
            && (Arc::ptr_eq(&self.codec, codec) || self.codec == *codec)
    }
}

fn finish<'py>(py: Python<'py>, items: &Bound<'py, PyList>, run: Option<Run<'py>>) -> PyResult<()> {
    let Some(run) = run else { return Ok(()) };
    items.append(("packets", &*run.rid, run.generation, codec_dict(py, &run.codec)?, run.packets))
}

fn packet_tuple<'py>(py: Python<'py>, packet: &Packet) -> PyResult<Bound<'py, PyTuple>> {
    // Sequence number and RTP time as they were on the wire: the lower bits.
    let (sequence, timestamp) = (packet.seq as u16, packet.rtp_time as u32);
    let payload = PyBytes::new(py, &packet.payload);
    (sequence, timestamp, packet.marker, payload, packet.arrival.micros(), packet.audio_level)
        .into_pyobject(py)
}
