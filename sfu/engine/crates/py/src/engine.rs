//! The class `Engine`: orders go in, events come out.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use proto::message::{
    IceCredentials, InjectSpec, InjectedPacket, SubscriptionSpec, TapId, TrackId, TrackSpec, TransportSpec,
};
use proto::tap::{TapQueue, Tapped};
use proto::{Command, Config, Event};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use udp::{Node, Options};

use crate::events::event_tuple;
use crate::fields::fit;
use crate::sources::{Source, Sources};
use crate::{specs, taps};

type Stats = HashMap<&'static str, u64>;
type Injected<'py> = (i64, i64, bool, Bound<'py, PyBytes>, Option<i64>);

#[pyclass(frozen, module = "sfu._engine")]
pub struct Engine {
    node: Node,
    /// The last id given; transports, tracks, aliases, subscriptions and taps share one number space.
    last_id: AtomicU64,
    sources: Sources,
    taps: Mutex<HashMap<TapId, Arc<TapQueue>>>,
}

impl Engine {
    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<TrackId, Source>> {
        self.sources.lock()
    }

    fn taps(&self) -> MutexGuard<'_, HashMap<TapId, Arc<TapQueue>>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(
        signature = (*, bind = vec!["0.0.0.0".to_owned()], port = 0, workers = 0, gso = true, limits = None),
        text_signature = "(*, bind=('0.0.0.0',), port=0, workers=0, gso=True, limits=None)"
    )]
    fn new(
        py: Python<'_>,
        bind: Vec<String>,
        port: i64,
        workers: i64,
        gso: bool,
        limits: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Engine> {
        let bind = bind.iter().map(|ip| specs::ip_address(ip)).collect::<PyResult<Vec<_>>>()?;
        if bind.is_empty() {
            return Err(PyValueError::new_err("bind is empty"));
        }
        let workers = match fit::<u8>("workers", workers)? {
            // One core stays for the control side.
            0 => thread::available_parallelism().map_or(1, |cores| cores.get().max(2) - 1),
            workers => usize::from(workers),
        };
        let limits = specs::limits(limits.as_ref())?;
        let config = Config { workers, gso, limits, ..Config::default() };
        let options = Options { bind, port: fit("port", port)?, config };
        let node = py.detach(|| Node::start(options))?;
        Ok(Engine { node, last_id: AtomicU64::new(0), sources: Sources::default(), taps: Mutex::default() })
    }

    #[getter]
    fn port(&self) -> u16 {
        self.node.port()
    }

    #[getter]
    fn workers(&self) -> usize {
        self.node.workers()
    }

    #[getter]
    fn gso(&self) -> bool {
        self.node.gso()
    }

    fn fileno(&self) -> i32 {
        self.node.events().as_raw_fd()
    }

    #[pyo3(signature = (limit = 1024))]
    fn poll_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let (events, lost) = self.node.events().take(limit);
        let list = PyList::empty(py);
        for event in events {
            if let Event::Closed { transport, .. } = event {
                self.sources.forget_of(transport);
            }
            list.append(event_tuple(py, event)?)?;
        }
        if lost > 0 {
            list.append(("overflow", lost))?;
        }
        Ok(list)
    }

    fn now_us(&self) -> u64 {
        self.node.clock().now().micros()
    }

    #[pyo3(signature = (
        *, local_ufrag, local_pwd, remote_ufrag, remote_pwd, extensions, transport_cc, remb, cname, dial = None
    ))]
    #[allow(clippy::too_many_arguments)] // keyword arguments
    fn open_transport(
        &self,
        local_ufrag: String,
        local_pwd: String,
        remote_ufrag: String,
        remote_pwd: String,
        extensions: &Bound<'_, PyDict>,
        transport_cc: bool,
        remb: bool,
        cname: String,
        dial: Option<(String, i64)>,
    ) -> PyResult<u64> {
        let id = self.next_id();
        self.node.send(Command::OpenTransport(TransportSpec {
            id,
            local: specs::credentials("local", local_ufrag, local_pwd)?,
            remote: specs::credentials("remote", remote_ufrag, remote_pwd)?,
            dial: dial.map(|(ip, port)| specs::address(&ip, port)).transpose()?,
            extensions: specs::extensions(extensions)?,
            transport_cc,
            remb,
            cname,
        }));
        Ok(id)
    }

    #[pyo3(signature = (transport, *, local_ufrag, local_pwd, remote_ufrag, remote_pwd))]
    fn restart_ice(
        &self,
        transport: u64,
        local_ufrag: String,
        local_pwd: String,
        remote_ufrag: String,
        remote_pwd: String,
    ) -> PyResult<()> {
        let local: IceCredentials = specs::credentials("local", local_ufrag, local_pwd)?;
        let remote = specs::credentials("remote", remote_ufrag, remote_pwd)?;
        self.node.send(Command::RestartIce { transport, local, remote });
        Ok(())
    }

    fn send_dtls(&self, transport: u64, data: &[u8]) {
        self.node.send(Command::SendDtls { transport, data: data.to_vec() });
    }

    fn set_keys(&self, transport: u64, profile: &str, receive: &[u8], send: &[u8]) -> PyResult<()> {
        let keys = specs::keys(profile, receive.to_vec(), send.to_vec())?;
        self.node.send(Command::SetKeys { transport, keys });
        Ok(())
    }

    fn close_transport(&self, transport: u64) {
        self.sources.forget_of(transport);
        self.node.send(Command::CloseTransport { transport });
    }

    #[pyo3(
        signature = (transport, *, kind, mid, codecs, rids = vec![], ssrcs = vec![]),
        text_signature = "($self, transport, *, kind, mid, codecs, rids=(), ssrcs=())"
    )]
    #[allow(clippy::too_many_arguments)] // keyword arguments
    fn add_track(
        &self,
        transport: u64,
        kind: &str,
        mid: String,
        codecs: Vec<Bound<'_, PyDict>>,
        rids: Vec<String>,
        ssrcs: Vec<(i64, i64)>,
    ) -> PyResult<u64> {
        let id = self.next_id();
        let ssrcs = ssrcs
            .into_iter()
            .map(|(media, rtx)| Ok((fit("ssrc", media)?, fit("rtx ssrc", rtx)?)))
            .collect::<PyResult<_>>()?;
        let kind = specs::kind(kind)?;
        let track = TrackSpec { id, kind, mid, codecs: specs::codecs(&codecs)?, rids, ssrcs };
        self.sources().insert(id, Source { kind, transport: Some(transport) });
        self.node.send(Command::AddTrack { transport, track });
        Ok(id)
    }

    fn remove_track(&self, track: u64) {
        self.sources().remove(&track);
        self.node.send(Command::RemoveTrack { track });
    }

    #[pyo3(
        signature = (*, kind, codec, rids = vec![]),
        text_signature = "($self, *, kind, codec, rids=())"
    )]
    fn open_injector(&self, kind: &str, codec: &Bound<'_, PyDict>, rids: Vec<String>) -> PyResult<u64> {
        let id = self.next_id();
        let kind = specs::kind(kind)?;
        let spec = InjectSpec { id, kind, codec: specs::codec(codec)?, rids };
        self.sources().insert(id, Source { kind, transport: None });
        self.node.send(Command::OpenInjector(spec));
        Ok(id)
    }

    fn inject(&self, track: u64, rid: String, packets: Vec<Injected<'_>>) -> PyResult<()> {
        let packets = packets
            .into_iter()
            .map(|(sequence, timestamp, marker, payload, audio_level)| {
                Ok(InjectedPacket {
                    sequence: fit("sequence", sequence)?,
                    timestamp: fit("timestamp", timestamp)?,
                    marker,
                    audio_level: audio_level.map(|level| fit("audio_level", level)).transpose()?,
                    payload: payload.as_bytes().to_vec(),
                })
            })
            .collect::<PyResult<_>>()?;
        self.node.send(Command::Inject { track, rid, packets });
        Ok(())
    }

    fn inject_report(&self, track: u64, rid: String, ntp: u64, rtp_time: i64) -> PyResult<()> {
        self.node.send(Command::InjectReport { track, rid, ntp, rtp_time: fit("rtp_time", rtp_time)? });
        Ok(())
    }

    fn request_keyframe(&self, source: u64) {
        self.node.send(Command::RequestKeyframe { source });
    }

    fn open_alias(&self, kind: &str) -> PyResult<u64> {
        let (alias, kind) = (self.next_id(), specs::kind(kind)?);
        self.sources().insert(alias, Source { kind, transport: None });
        self.node.send(Command::PointAlias { alias, kind, target: None, picture: None });
        Ok(alias)
    }

    // Without a default for `target`: to point at nothing is said, not forgotten.
    #[pyo3(signature = (alias, target, picture=None))]
    fn point_alias(&self, alias: u64, target: Option<u64>, picture: Option<u64>) {
        let source = self.sources().get(&alias).copied();
        if let Some(Source { kind, .. }) = source {
            self.node.send(Command::PointAlias { alias, kind, target, picture });
        }
    }

    fn remove_alias(&self, alias: u64) {
        if self.sources().remove(&alias).is_some() {
            self.node.send(Command::RemoveAlias { alias });
        }
    }

    #[pyo3(signature = (transport, *, kind, mid, source, codecs, ssrc, rtx_ssrc, encoding = "auto", spared = false))]
    #[allow(clippy::too_many_arguments)] // keyword arguments
    fn add_subscription(
        &self,
        transport: u64,
        kind: &str,
        mid: String,
        source: u64,
        codecs: Vec<Bound<'_, PyDict>>,
        ssrc: i64,
        rtx_ssrc: i64,
        encoding: &str,
        spared: bool,
    ) -> PyResult<u64> {
        let id = self.next_id();
        let subscription = SubscriptionSpec {
            id,
            kind: specs::kind(kind)?,
            mid,
            source,
            codecs: specs::codecs(&codecs)?,
            ssrc: fit("ssrc", ssrc)?,
            rtx_ssrc: fit("rtx_ssrc", rtx_ssrc)?,
            encoding: specs::choice(encoding),
            spared,
        };
        self.node.send(Command::AddSubscription { transport, subscription });
        Ok(id)
    }

    fn remove_subscription(&self, transport: u64, subscription: u64) {
        self.node.send(Command::RemoveSubscription { transport, subscription });
    }

    fn set_source(&self, transport: u64, subscription: u64, source: u64) {
        self.node.send(Command::SetSource { transport, subscription, source });
    }

    fn set_encoding(&self, transport: u64, subscription: u64, encoding: &str) {
        let encoding = specs::choice(encoding);
        self.node.send(Command::SetEncoding { transport, subscription, encoding });
    }

    #[pyo3(signature = (source, *, encoding = "auto", queue_packets = 4096))]
    fn open_tap(&self, source: u64, encoding: &str, queue_packets: i64) -> PyResult<u64> {
        let capacity: usize = fit("queue_packets", queue_packets)?;
        if capacity == 0 {
            return Err(PyValueError::new_err("queue_packets must be at least 1"));
        }
        let (tap, queue) = (self.next_id(), Arc::new(TapQueue::new(capacity)));
        self.taps().insert(tap, queue.clone());
        let known = self.sources().get(&source).copied();
        match known {
            Some(Source { kind, .. }) => {
                let encoding = specs::choice(encoding);
                self.node.send(Command::OpenTap { tap, source, kind, encoding, queue });
            }
            // It ended a moment ago, and that is what the tap says.
            None => {
                queue.push(Tapped::Ended);
                self.node.events().push(&mut vec![Event::TapReadable { tap }]);
            }
        }
        Ok(tap)
    }

    fn read_tap<'py>(&self, py: Python<'py>, tap: u64) -> PyResult<Bound<'py, PyTuple>> {
        let queue = self.taps().get(&tap).cloned();
        match queue {
            Some(queue) => taps::read(py, &queue)?.into_pyobject(py),
            None => (PyList::empty(py), 0).into_pyobject(py),
        }
    }

    fn set_tap_encoding(&self, tap: u64, encoding: &str) {
        self.node.send(Command::SetTapEncoding { tap, encoding: specs::choice(encoding) });
    }

    fn close_tap(&self, tap: u64) {
        if self.taps().remove(&tap).is_some() {
            self.node.send(Command::CloseTap { tap });
        }
    }

    fn transport_stats(&self, transport: u64) -> Option<Stats> {
        let slot = self.node.directory().transport(transport)?;
        Some(slot.stats.snapshot().into_iter().collect())
    }

    fn track_stats(&self, track: u64) -> Option<Stats> {
        Some(self.node.directory().track(track)?.snapshot().into_iter().collect())
    }

    fn subscription_stats(&self, subscription: u64) -> Option<Stats> {
        Some(self.node.directory().subscription(subscription)?.snapshot().into_iter().collect())
    }

    fn track_totals(&self) -> Stats {
        self.node.directory().track_totals().snapshot().into_iter().collect()
    }

    fn subscription_totals(&self) -> Stats {
        self.node.directory().subscription_totals().snapshot().into_iter().collect()
    }

    /// Counters of each worker, and `cpu_us`: CPU time of its thread.
    fn worker_stats(&self) -> Vec<Stats> {
        let cpu_times = self.node.cpu_times();
        let stats = self.node.directory().workers.iter().zip(cpu_times);
        stats
            .map(|(stats, cpu)| {
                stats.snapshot().into_iter().chain([("cpu_us", cpu.as_micros() as u64)]).collect()
            })
            .collect()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.node.close());
    }
}
