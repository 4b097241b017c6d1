//! Python's dictionaries and words to the core's types, and codecs back.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::message::{Choice, CodecSpec, Extensions, IceCredentials, Kind, SrtpKeys};
use proto::srtp::Profile;
use proto::Limits;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::fields::{fit, Fields};

pub const CODEC_FIELDS: [&str; 9] =
    ["payload_type", "rtx_payload_type", "name", "clock_rate", "channels", "fmtp", "nack", "pli", "fir"];

pub fn codec(dict: &Bound<'_, PyDict>) -> PyResult<CodecSpec> {
    let fields = Fields::new("codec", dict, &CODEC_FIELDS)?;
    let payload_type = |name| -> PyResult<Option<u8>> {
        let number: Option<u8> = fields.number(name, "0 to 127")?;
        match number {
            Some(number) if number > 127 => {
                Err(PyValueError::new_err(format!("codec[{name:?}] must be 0 to 127, not {number}")))
            }
            number => Ok(number),
        }
    };
    let clock_rate: u32 = fields.required("clock_rate", fields.number("clock_rate", "a rate in Hz")?)?;
    if clock_rate == 0 {
        return Err(PyValueError::new_err("codec[\"clock_rate\"] must be positive"));
    }
    Ok(CodecSpec {
        payload_type: fields.required("payload_type", payload_type("payload_type")?)?,
        rtx_payload_type: payload_type("rtx_payload_type")?,
        name: fields.required("name", fields.text("name")?)?,
        clock_rate,
        channels: fields.number("channels", "1 to 255")?.unwrap_or(1),
        fmtp: fields.text("fmtp")?.unwrap_or_default(),
        nack: fields.flag("nack")?,
        pli: fields.flag("pli")?,
        fir: fields.flag("fir")?,
    })
}

/// At least one.
pub fn codecs(dicts: &[Bound<'_, PyDict>]) -> PyResult<Vec<CodecSpec>> {
    if dicts.is_empty() {
        return Err(PyValueError::new_err("codecs is empty"));
    }
    dicts.iter().map(codec).collect()
}

pub fn codec_dict<'py>(py: Python<'py>, codec: &CodecSpec) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("payload_type", codec.payload_type)?;
    dict.set_item("rtx_payload_type", codec.rtx_payload_type)?;
    dict.set_item("name", &codec.name)?;
    dict.set_item("clock_rate", codec.clock_rate)?;
    dict.set_item("channels", codec.channels)?;
    dict.set_item("fmtp", &codec.fmtp)?;
    dict.set_item("nack", codec.nack)?;
    dict.set_item("pli", codec.pli)?;
    dict.set_item("fir", codec.fir)?;
    Ok(dict)
}

macro_rules! extension_fields {
    ($($field:ident),*) => {
        pub const EXTENSION_FIELDS: [&str; 8] = [$(stringify!($field)),*];

        pub fn extensions(dict: &Bound<'_, PyDict>) -> PyResult<Extensions> {
            let fields = Fields::new("extensions", dict, &EXTENSION_FIELDS)?;
            Ok(Extensions { $($field: fields.number(stringify!($field), "0 to 255")?.unwrap_or(0)),* })
        }
    };
}

extension_fields!(
    mid,
    rid,
    repaired_rid,
    audio_level,
    abs_send_time,
    transport_cc,
    video_orientation,
    playout_delay
);

pub fn kind(name: &str) -> PyResult<Kind> {
    match name {
        "audio" => Ok(Kind::Audio),
        "video" => Ok(Kind::Video),
        _ => Err(PyValueError::new_err(format!("kind must be \"audio\" or \"video\", not {name:?}"))),
    }
}

pub fn choice(encoding: &str) -> Choice {
    match encoding {
        "auto" => Choice::Auto,
        rid => Choice::Rid(rid.to_owned()),
    }
}

/// RFC 8839 section 5.4: a ufrag of 4 to 256 characters, a password of 22 to 256. The values are never
/// part of the error.
pub fn credentials(side: &str, ufrag: String, pwd: String) -> PyResult<IceCredentials> {
    if !(4..=256).contains(&ufrag.len()) {
        return Err(PyValueError::new_err(format!("{side}_ufrag must have 4 to 256 characters")));
    }
    if !(22..=256).contains(&pwd.len()) {
        return Err(PyValueError::new_err(format!("{side}_pwd must have 22 to 256 characters")));
    }
    Ok(IceCredentials { ufrag, pwd })
}

pub fn address(ip: &str, port: i64) -> PyResult<SocketAddr> {
    Ok(SocketAddr::new(ip_address(ip)?, fit("port", port)?))
}

pub fn ip_address(text: &str) -> PyResult<IpAddr> {
    text.parse().map_err(|_| PyValueError::new_err(format!("not an IP address: {text:?}")))
}

pub fn profile(name: &str) -> PyResult<Profile> {
    Profile::from_dtls_name(name)
        .ok_or_else(|| PyValueError::new_err(format!("unknown SRTP profile: {name:?}")))
}

pub fn keys(profile: &str, receive: Vec<u8>, send: Vec<u8>) -> PyResult<SrtpKeys> {
    let profile = self::profile(profile)?;
    let len = profile.key_len() + profile.salt_len();
    for (name, key) in [("receive", &receive), ("send", &send)] {
        if key.len() != len {
            return Err(PyValueError::new_err(format!(
                "{name} must be {len} bytes (key, then salt) for {profile:?}, not {}",
                key.len()
            )));
        }
    }
    Ok(SrtpKeys { profile, receive, send })
}

const LIMIT_FIELDS: [&str; 20] = [
    "publisher_bps",
    "publisher_packets_per_s",
    "ssrcs_per_transport",
    "history_bytes",
    "history_packets",
    "replay_age_ms",
    "replay_bps",
    "queue_packets",
    "handshakes",
    "consent_ms",
    "connect_ms",
    "publisher_patience_ms",
    "paths_per_transport",
    "rtx_per_s",
    "nacked_per_s",
    "dtls_per_s",
    "tcp_connections",
    "tcp_connections_per_address",
    "tcp_pending_bytes",
    "shed_above_ms",
];

pub fn limits(dict: Option<&Bound<'_, PyDict>>) -> PyResult<Limits> {
    let mut limits = Limits::default();
    let Some(dict) = dict else { return Ok(limits) };
    let fields = Fields::new("limits", dict, &LIMIT_FIELDS)?;
    macro_rules! take {
        ($($field:ident),*) => {
            $(if let Some(value) = fields.number(stringify!($field), "a number that is not negative")? {
                limits.$field = value;
            })*
        };
    }
    take!(
        publisher_bps,
        publisher_packets_per_s,
        ssrcs_per_transport,
        history_bytes,
        history_packets,
        replay_bps,
        queue_packets,
        handshakes,
        paths_per_transport,
        rtx_per_s,
        nacked_per_s,
        dtls_per_s,
        tcp_connections,
        tcp_connections_per_address,
        tcp_pending_bytes
    );
    for (name, limit) in [
        ("replay_age_ms", &mut limits.replay_age),
        ("consent_ms", &mut limits.consent),
        ("connect_ms", &mut limits.connect),
        ("publisher_patience_ms", &mut limits.publisher_patience),
        ("shed_above_ms", &mut limits.shed_above),
    ] {
        if let Some(ms) = fields.number(name, "a number of milliseconds")? {
            *limit = Duration::from_millis(ms);
        }
    }
    Ok(limits)
}
