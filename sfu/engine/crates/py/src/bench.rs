//! `bench_forward`: the forwarding benchmark of crate udp as a dictionary.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use udp::bench::{self, Options};

use crate::{fields::fit, specs};

#[pyfunction]
#[allow(clippy::too_many_arguments)] // keyword arguments
#[pyo3(signature = (*, viewers, mbps, seconds, gso, workers, profile, shed = true, listening = None,
    warm_up = 1.0, spread_ms = 0.0))]
pub fn bench_forward<'py>(
    py: Python<'py>,
    viewers: i64,
    mbps: f64,
    seconds: f64,
    gso: bool,
    workers: i64,
    profile: &str,
    shed: bool,
    listening: Option<i64>,
    warm_up: f64,
    spread_ms: f64,
) -> PyResult<Bound<'py, PyDict>> {
    if !(0.1..=200.0).contains(&mbps) || !(0.1..=3_600.0).contains(&seconds) {
        return Err(PyValueError::new_err("mbps must be 0.1 to 200, seconds 0.1 to 3600"));
    }
    if !(0.0..=600.0).contains(&warm_up) || !(0.0..=30.0).contains(&spread_ms) {
        return Err(PyValueError::new_err("warm_up must be 0 to 600 s, spread_ms 0 to 30"));
    }
    let options = Options {
        viewers: usize::from(fit::<u16>("viewers", viewers)?),
        mbps,
        seconds,
        warm_up: Duration::from_secs_f64(warm_up),
        spread: Duration::from_secs_f64(spread_ms / 1e3),
        gso,
        workers: usize::from(fit::<u8>("workers", workers)?),
        profile: specs::profile(profile)?,
        shed,
        listening: usize::from(fit::<u16>("listening", listening.unwrap_or(viewers))?),
    };
    if options.listening == 0 || options.listening > options.viewers {
        return Err(PyValueError::new_err("listening must be 1 to viewers"));
    }
    if options.viewers == 0 || options.workers == 0 {
        return Err(PyValueError::new_err("viewers and workers must be at least 1"));
    }
    let report = py.detach(|| bench::run(options))?;
    let dict = PyDict::new(py);
    dict.set_item("viewers", viewers)?;
    dict.set_item("packets_per_s", report.packets_per_s)?;
    dict.set_item("cpu_us_per_packet", report.cpu_us_per_packet)?;
    dict.set_item("floor_us_per_packet", report.floor_us_per_packet)?;
    dict.set_item("ratio_to_floor", report.cpu_us_per_packet / report.floor_us_per_packet)?;
    dict.set_item("gso", report.gso)?;
    dict.set_item("listening", options.listening)?;
    dict.set_item("lost", report.lost)?;
    let shed = PyDict::new(py);
    shed.set_item("packets", report.shed.packets)?;
    shed.set_item("viewers_paused", report.shed.viewers_paused)?;
    shed.set_item("seats_refused", report.shed.seats_refused)?;
    shed.set_item("lateness_ms", report.shed.lateness.as_secs_f64() * 1e3)?;
    dict.set_item("shed", shed)?;
    for (key, percentiles) in [("added_latency_ms", report.latency_ms), ("arrival_ms", report.arrival_ms)] {
        let latency = PyDict::new(py);
        latency.set_item("p50", percentiles.p50)?;
        latency.set_item("p99", percentiles.p99)?;
        dict.set_item(key, latency)?;
    }
    dict.set_item("workers", workers)?;
    dict.set_item("profile", profile)?;
    dict.set_item("mbps", mbps)?;
    dict.set_item("seconds", report.seconds)?;
    dict.set_item("samples", report.samples)?;
    let kernel = PyDict::new(py);
    kernel.set_item("gso", report.probe.gso)?;
    kernel.set_item("gro", report.probe.gro)?;
    kernel.set_item("reuseport", report.probe.reuseport)?;
    kernel.set_item("priority", report.probe.priority)?;
    dict.set_item("kernel", kernel)?;
    Ok(dict)
}
