//! A node's sockets and worker threads, and the control side's hold on them.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proto::directory::Directory;
use proto::route::{Route, Router};
use proto::worker::Worker;
use proto::{Command, Config, Message};

use crate::clock::{self, Clock};
use crate::events::Events;
use crate::inbox::Inbox;
use crate::poll::Poll;
use crate::priority;
use crate::probe::Probe;
use crate::socket::{bind_group, Socket};
use crate::tcp::{listen_group, TcpPeers};
use crate::thread::{Shared, WorkerThread};

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Addresses to bind, IPv4 or IPv6.
    pub bind: Vec<IpAddr>,
    /// One port on all of them, for UDP and TCP; 0 for a free one.
    pub port: u16,
    /// `seed` and `wall_offset_us` are taken from the system; `gso` holds if the kernel has it.
    pub config: Config,
}

/// Running workers; dropping it stops them.
pub struct Node {
    port: u16,
    workers: usize,
    gso: bool,
    probe: Probe,
    directory: Arc<Directory>,
    shared: Arc<Shared>,
    /// Held while a command is handed over, so that all workers see commands in one order.
    router: Mutex<Router>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    cpu_clocks: Vec<libc::clockid_t>,
}

impl Node {
    /// Bind the sockets and start the threads.
    ///
    /// # Errors
    /// No address, an address that can't be bound, several workers without SO_REUSEPORT.
    pub fn start(options: Options) -> io::Result<Node> {
        let Options { bind, port, mut config } = options;
        let invalid = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if bind.is_empty() {
            return invalid("no address to bind");
        }
        config.workers = config.workers.max(1);
        let probe = Probe::detect();
        if config.workers > 1 && !probe.reuseport {
            return invalid("several workers need SO_REUSEPORT, which this kernel lacks");
        }
        let clock = Clock;
        config.gso &= probe.gso;
        config.wall_offset_us = clock.wall_offset_us();
        config.seed = random_u64()?;
        let (workers, gso) = (config.workers, config.gso);
        let (groups, listeners, port) = bind_both(&bind, port, workers, probe.gro)?;
        let directory = Arc::new(Directory::new(workers));
        let inboxes = (0..workers).map(|_| Inbox::new()).collect::<io::Result<_>>()?;
        let shared = Arc::new(Shared {
            clock,
            inboxes,
            events: Events::new()?,
            tcp: Arc::default(),
            stop: AtomicBool::new(false),
        });
        let mut node = Node {
            port,
            workers,
            gso,
            probe,
            router: Mutex::new(Router::new(directory.clone())),
            directory,
            shared,
            threads: Mutex::default(),
            cpu_clocks: Vec::new(),
        };
        for (index, bound) in groups.into_iter().zip(listeners).enumerate() {
            node.spawn(index, bound, &config)?;
        }
        Ok(node)
    }

    fn spawn(&mut self, index: usize, bound: Bound, config: &Config) -> io::Result<()> {
        let (sockets, listeners) = bound;
        let poll = Poll::new()?;
        let (config, gso) = (config.clone(), self.gso);
        let (directory, shared) = (self.directory.clone(), self.shared.clone());
        let thread = thread::Builder::new().name(format!("sfu-{index}")).spawn(move || {
            // A node without one of its workers would look alive and carry nothing for its share of
            // viewers: end the process, its supervisor starts it anew.
            let guard = AbortOnUnwind;
            priority::raise();
            priority::be_punctual();
            let stats = directory.workers[index].clone();
            let tcp = TcpPeers::new(listeners, shared.tcp.clone(), config.limits.clone());
            let worker = Worker::new(index, config, directory);
            if let Err(error) = WorkerThread::new(worker, sockets, shared, stats, poll, tcp, gso).run() {
                panic!("worker {index}: {error}");
            }
            std::mem::forget(guard);
        })?;
        let mut clock = libc::CLOCK_THREAD_CPUTIME_ID;
        // SAFETY: the thread is neither joined nor detached, so its pthread_t is valid.
        let known = unsafe { libc::pthread_getcpuclockid(thread.as_pthread_t(), &mut clock) } == 0;
        self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        if !known {
            return Err(io::Error::last_os_error());
        }
        self.cpu_clocks.push(clock);
        Ok(())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Whether GSO messages are sent.
    pub fn gso(&self) -> bool {
        self.gso
    }

    pub fn probe(&self) -> Probe {
        self.probe
    }

    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Everybody's counters.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What the workers have to tell.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// CPU time of each worker's thread since its start.
    pub fn cpu_times(&self) -> Vec<Duration> {
        self.cpu_clocks.iter().map(|clock| clock::read(*clock)).collect()
    }

    /// Hand a command to the workers that it concerns. Never waits for them; nothing after `close`.
    pub fn send(&self, command: Command) {
        if self.shared.stop.load(Ordering::Acquire) {
            return;
        }
        let mut router = self.router.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.shared.clock.now();
        match router.route(command) {
            Route::All(command) => {
                for inbox in &self.shared.inboxes {
                    inbox.push(now, &mut vec![Message::Command(command.clone())]);
                }
            }
            Route::One(index, command) => {
                self.shared.inboxes[index].push(now, &mut vec![Message::Command(command)]);
            }
            Route::Kept | Route::Gone => {}
        }
    }

    /// Stop the threads and close the sockets. Commands sent before are still carried out. Idempotent.
    pub fn close(&self) {
        self.shared.stop.store(true, Ordering::Release);
        for inbox in &self.shared.inboxes {
            inbox.wake();
        }
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A thread that panicked has ended the process.
            let _ = thread.join();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

/// One worker's sockets and listeners.
type Bound = (Vec<Socket>, Vec<TcpListener>);
type Groups = (Vec<Vec<Socket>>, Vec<Vec<TcpListener>>, u16);

/// UDP and TCP on one port. With port 0 the free UDP port may be taken for TCP: then another is tried.
fn bind_both(bind: &[IpAddr], port: u16, workers: usize, gro: bool) -> io::Result<Groups> {
    let mut tries = if port == 0 { 16 } else { 1 };
    loop {
        tries -= 1;
        let (sockets, bound) = bind_group(bind, port, workers, gro)?;
        match listen_group(bind, bound, workers) {
            Ok(listeners) => return Ok((sockets, listeners, bound)),
            Err(error) if tries > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}

struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

fn random_u64() -> io::Result<u64> {
    let mut bytes = [0u8; 8];
    // SAFETY: writes at most eight bytes into a live array.
    match unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } {
        8 => Ok(u64::from_ne_bytes(bytes)),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn options(workers: usize) -> Options {
        let config = Config { workers, ..Config::default() };
        Options { bind: vec![Ipv4Addr::LOCALHOST.into()], port: 0, config }
    }

    #[test]
    fn a_node_starts_and_stops_and_frees_its_port() {
        let node = Node::start(options(2)).unwrap();
        let port = node.port();
        let taken = Node::start(Options { port, ..options(2) });
        assert_eq!(taken.err().map(|e| e.kind()), Some(io::ErrorKind::AddrInUse));
        assert_eq!(node.cpu_times().len(), 2);
        node.close();
        node.close();
        assert!(Node::start(Options { port, ..options(1) }).is_ok());
    }

    #[test]
    fn no_address_is_an_error() {
        let nowhere = Node::start(Options { bind: vec![], ..options(1) });
        assert_eq!(nowhere.err().map(|e| e.kind()), Some(io::ErrorKind::InvalidInput));
    }
}
