//! TCP listeners, one per address, on the port that UDP has.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::address::RawAddress;
use crate::socket::set;

const BACKLOG: libc::c_int = 1_024;

/// One listener per address of `bind` for each worker.
///
/// # Errors
/// What bind(2) and listen(2) say, with the address in the text.
pub fn listen_group(bind: &[IpAddr], port: u16, workers: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    let group =
        (0..workers).map(|_| bind.iter().map(|ip| listen(SocketAddr::new(*ip, port), workers > 1)).collect());
    group.collect()
}

fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let at = |error: io::Error| io::Error::new(error.kind(), format!("TCP {address}: {error}"));
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; a non-negative result is a new descriptor that nobody else owns.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(at(io::Error::last_os_error()));
    }
    // SAFETY: see above.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // Connections of the process before us may linger; a second listener is refused all the same.
    set(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if shared {
        set(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    if address.is_ipv6() {
        set(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    let mut raw = RawAddress::empty();
    let len = raw.set(address);
    // SAFETY: `raw` holds an address of `len` bytes; the descriptor is ours.
    let failed = unsafe {
        libc::bind(fd.as_raw_fd(), (&raw const raw).cast(), len) != 0
            || libc::listen(fd.as_raw_fd(), BACKLOG) != 0
    };
    if failed {
        return Err(at(io::Error::last_os_error()));
    }
    Ok(TcpListener::from(fd))
}

/// The listeners of one worker.
#[derive(Debug)]
pub struct Listeners {
    each: Vec<TcpListener>,
    /// A descriptor to give up when there are no others, so that who waits can be turned away.
    spare: Option<File>,
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

impl Listeners {
    pub fn new(each: Vec<TcpListener>) -> Listeners {
        Listeners { each, spare: spare() }
    }

    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> + '_ {
        self.each.iter().map(AsRawFd::as_raw_fd)
    }

    #[cfg(test)]
    pub fn address(&self) -> SocketAddr {
        self.each[0].local_addr().expect("it is bound")
    }

    /// Who waits at a listener. Out of descriptors it is turned away: waiting on, it would wake the worker for
    /// ever, since listeners are watched level-triggered.
    pub fn accept(&mut self, listener: usize) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.each[listener].accept() {
                Ok(peer) => {
                    // Another thread may have taken the descriptor that was given up.
                    self.spare = self.spare.take().or_else(spare);
                    return Some(peer);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                    self.spare.take()?;
                    let turned_away = self.each[listener].accept().is_ok();
                    self.spare = spare();
                    if !turned_away {
                        return None;
                    }
                }
                Err(_) => return None,
            }
        }
    }
}
