//! The core's events as tuples that begin with their name.

use proto::load::Stage;
use proto::message::CloseReason;
use proto::Event;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::specs::codec_dict;

pub fn event_tuple(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    match event {
        Event::Reached { transport, remote } => ("reached", transport, remote.to_string()).into_pyobject(py),
        Event::Dtls { transport, data } => ("dtls", transport, PyBytes::new(py, &data)).into_pyobject(py),
        Event::Connected { transport } => ("connected", transport).into_pyobject(py),
        Event::Closed { transport, reason } => ("closed", transport, close_reason(reason)).into_pyobject(py),
        Event::Flowing { track, rid, codec, ssrc } => {
            ("flowing", track, rid, codec_dict(py, &codec)?, ssrc).into_pyobject(py)
        }
        Event::Idle { track, rid } => ("idle", track, rid).into_pyobject(py),
        Event::Resolution { track, rid, width, height } => {
            ("resolution", track, rid, width, height).into_pyobject(py)
        }
        Event::KeyframeNeeded { track, rid } => ("keyframe-needed", track, rid).into_pyobject(py),
        Event::CodecMismatch { transport, subscription, codec } => {
            ("codec-mismatch", transport, subscription, codec).into_pyobject(py)
        }
        Event::Load { worker, stage, lateness } => {
            ("load", worker, stage_name(stage), lateness.as_micros() as u64).into_pyobject(py)
        }
        Event::TapReadable { tap } => ("tap-readable", tap).into_pyobject(py),
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Clear => "clear",
        Stage::Layers => "layers",
        Stage::Seats => "seats",
        Stage::Thin => "thin",
    }
}

fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Consent => "consent",
        CloseReason::NeverReached => "never-reached",
        CloseReason::TooFast => "too-fast",
    }
}
