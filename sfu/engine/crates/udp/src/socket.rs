//! UDP sockets with the options that a media server wants (socket(7), ip(7), ipv6(7), udp(7)).

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::address::RawAddress;

/// Kernel buffers in each direction: 8 MiB is a frame of 10 packets to 600 viewers at once.
const BUFFER_BYTES: libc::c_int = 8 << 20;
/// With port 0 the first address picks a port that another process may hold on the next address.
const FREE_PORT_TRIES: usize = 16;

/// A bound, non-blocking UDP socket of one address family.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    address: SocketAddr,
}

impl Socket {
    /// A socket that nobody else may share the port with. Port 0 picks a free one.
    pub fn bind(address: SocketAddr, gro: bool) -> io::Result<Socket> {
        let fd = open(address, gro)?;
        bind(fd, address)
    }

    /// One more socket on an address that this process already holds.
    fn join(address: SocketAddr, gro: bool) -> io::Result<Socket> {
        let fd = open(address, gro)?;
        set(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        bind(fd, address)
    }

    /// Let sockets made by `join` share the port from now on. Set after bind, so that a port which
    /// another process of the same user holds with SO_REUSEPORT counts as taken, not as shared.
    fn share(&self) -> io::Result<()> {
        set(&self.fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
    }

    /// Let the kernel say when it got each datagram (SO_TIMESTAMPNS, Linux 2.6.22).
    pub(crate) fn stamp(&self) -> io::Result<()> {
        set(&self.fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// For each worker its sockets, one per address of `bind`, all on one port; and that port.
///
/// # Errors
/// What bind(2) says, with the address in the text.
pub fn bind_group(
    bind: &[IpAddr],
    port: u16,
    workers: usize,
    gro: bool,
) -> io::Result<(Vec<Vec<Socket>>, u16)> {
    let mut tries = if port == 0 { FREE_PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match try_bind_group(bind, port, workers, gro) {
            Err(error) if tries > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
}

fn try_bind_group(
    bind: &[IpAddr],
    port: u16,
    workers: usize,
    gro: bool,
) -> io::Result<(Vec<Vec<Socket>>, u16)> {
    let mut port = port;
    let mut group: Vec<Vec<Socket>> = (0..workers).map(|_| Vec::with_capacity(bind.len())).collect();
    for ip in bind {
        let first = Socket::bind(SocketAddr::new(*ip, port), gro)?;
        port = first.address().port();
        first.share()?;
        let mut sockets = vec![first];
        for _ in 1..workers {
            sockets.push(Socket::join(SocketAddr::new(*ip, port), gro)?);
        }
        for (worker, socket) in group.iter_mut().zip(sockets) {
            socket.stamp()?;
            worker.push(socket);
        }
    }
    Ok((group, port))
}

fn open(address: SocketAddr, gro: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; a non-negative result is a new descriptor that nobody else owns.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: see above.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // FORCE goes past net.core.rmem_max, but needs CAP_NET_ADMIN; the plain option is cut to the limit.
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        if set(&fd, libc::SOL_SOCKET, force, BUFFER_BYTES).is_err() {
            set(&fd, libc::SOL_SOCKET, plain, BUFFER_BYTES)?;
        }
    }
    // IP_RECVERR off (it is the default; said because a dead peer must not fail the next send).
    if address.is_ipv4() {
        set(&fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        set(&fd, libc::IPPROTO_IP, libc::IP_RECVERR, 0)?;
    } else {
        set(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        set(&fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
        set(&fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 0)?;
    }
    if gro {
        set(&fd, libc::SOL_UDP, libc::UDP_GRO, 1)?;
    }
    Ok(fd)
}

fn bind(fd: OwnedFd, address: SocketAddr) -> io::Result<Socket> {
    let mut raw = RawAddress::empty();
    let mut len = raw.set(address);
    let at = |error: io::Error| io::Error::new(error.kind(), format!("UDP {address}: {error}"));
    // SAFETY: `raw` holds an address of `len` bytes.
    if unsafe { libc::bind(fd.as_raw_fd(), (&raw const raw).cast(), len) } != 0 {
        return Err(at(io::Error::last_os_error()));
    }
    len = size_of::<RawAddress>() as libc::socklen_t;
    // SAFETY: `raw` has room for `len` bytes.
    if unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut raw).cast(), &mut len) } != 0 {
        return Err(at(io::Error::last_os_error()));
    }
    let address = raw.get().ok_or_else(|| at(io::ErrorKind::Unsupported.into()))?;
    Ok(Socket { fd, address })
}

pub(crate) fn set(fd: &impl AsRawFd, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option's value is a live c_int.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::Receiver;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_group_shares_one_port_over_workers_and_addresses() {
        let bind = [V4, IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), Ipv6Addr::LOCALHOST.into()];
        let (group, port) = bind_group(&bind, 0, 3, true).unwrap();
        assert_eq!(group.len(), 3);
        for worker in &group {
            let bound: Vec<SocketAddr> = worker.iter().map(Socket::address).collect();
            assert_eq!(bound, bind.map(|ip| SocketAddr::new(ip, port)));
        }
    }

    #[test]
    fn the_kernel_shares_peers_out_among_the_workers() {
        let (group, port) = bind_group(&[V4], 0, 2, false).unwrap();
        let mut receiver = Receiver::new();
        let mut peers = vec![0; group.len()];
        // With 64 peers the chance that one worker gets none is 2^-63.
        let clients: Vec<_> = (0..64).map(|_| std::net::UdpSocket::bind((V4, 0)).unwrap()).collect();
        for client in &clients {
            client.send_to(b"x", (V4, port)).unwrap();
        }
        for (worker, sockets) in group.iter().enumerate() {
            while receiver.receive(&sockets[0], |_| peers[worker] += 1).unwrap() {}
        }
        assert_eq!(peers.iter().sum::<usize>(), clients.len());
        assert!(peers.iter().all(|n| *n > 0), "{peers:?}");
    }

    #[test]
    fn a_group_tells_how_old_a_datagram_is() {
        let (group, port) = bind_group(&[V4], 0, 1, true).unwrap();
        let client = std::net::UdpSocket::bind((V4, 0)).unwrap();
        let before = crate::clock::read(libc::CLOCK_REALTIME);
        client.send_to(b"x", (V4, port)).unwrap();
        let sent = crate::clock::read(libc::CLOCK_REALTIME);
        let mut receiver = Receiver::new();
        assert!(receiver.receive(&group[0][0], |_| {}).unwrap());
        let stamp = receiver.oldest().expect("a time of arrival");
        assert!(before <= stamp && stamp <= sent, "{before:?} {stamp:?} {sent:?}");
        assert!(!receiver.receive(&group[0][0], |_| {}).unwrap());
        assert_eq!(receiver.oldest(), None);
    }

    #[test]
    fn a_port_that_another_group_holds_is_taken() {
        let (_group, port) = bind_group(&[V4], 0, 2, false).unwrap();
        let error = bind_group(&[V4], port, 2, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    }
}
