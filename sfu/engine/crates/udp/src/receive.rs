//! Receiving: recvmmsg into buffers that take what GRO joined.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use crate::address::RawAddress;
use crate::cmsg::{self, Control};
use crate::socket::Socket;

/// Messages per call: 32 publishers' bursts, after which what they made is sent.
const BATCH: usize = 32;
/// GRO joins up to 64 KiB.
const BUFFER: usize = 65_536;

/// A received datagram; it may be changed in place.
#[derive(Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The address it was sent to.
    pub local: Option<IpAddr>,
    pub remote: SocketAddr,
    /// When the kernel got it, on the wall clock; None if it doesn't say.
    pub stamp: Option<Duration>,
    pub data: &'a mut [u8],
}

/// Buffers of one thread for all its sockets.
pub struct Receiver {
    buffers: Vec<u8>,
    addresses: Vec<RawAddress>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    /// How many of the headers the last call filled: only these are written anew for the next.
    filled: usize,
    oldest: Option<Duration>,
}

// SAFETY: the headers point into this receiver's own arrays, which move with it and never grow.
unsafe impl Send for Receiver {}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver::new()
    }
}

impl Receiver {
    pub fn new() -> Receiver {
        Receiver {
            buffers: vec![0; BATCH * BUFFER],
            addresses: vec![RawAddress::empty(); BATCH],
            controls: vec![Control::empty(); BATCH],
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH],
            // SAFETY: all zeroes is a valid mmsghdr: null pointers with zero lengths.
            headers: vec![unsafe { zeroed() }; BATCH],
            filled: BATCH,
            oldest: None,
        }
    }

    /// When the kernel got the first of the last batch, on the wall clock; None if it doesn't say.
    pub fn oldest(&self) -> Option<Duration> {
        self.oldest
    }

    /// Receive one batch and give each datagram to `handle`; false if nothing waited.
    pub fn receive(&mut self, socket: &Socket, mut handle: impl FnMut(Datagram<'_>)) -> io::Result<bool> {
        for (i, buffer) in self.buffers.chunks_exact_mut(BUFFER).take(self.filled).enumerate() {
            self.vectors[i] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: BUFFER };
            let header = &mut self.headers[i].msg_hdr;
            header.msg_name = (&raw mut self.addresses[i]).cast();
            header.msg_namelen = size_of::<RawAddress>() as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = self.controls[i].0.len() as _;
            header.msg_flags = 0;
        }
        // SAFETY: each header points to its own live address, vector, buffer and control room with the
        // lengths given above.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        self.oldest = None;
        // A call that failed wrote to the first at most.
        self.filled = usize::try_from(count).unwrap_or(1);
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(false),
                _ => Err(error),
            };
        };
        for (i, buffer) in self.buffers.chunks_exact_mut(BUFFER).take(count).enumerate() {
            let header = &self.headers[i];
            let cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            let (Some(remote), false) = (self.addresses[i].get(), cut) else { continue };
            // SAFETY: recvmmsg filled this header, its control room is alive.
            let info = unsafe { cmsg::read(&header.msg_hdr) };
            if i == 0 {
                self.oldest = info.stamp;
            }
            let len = (header.msg_len as usize).min(BUFFER);
            let segment = info.segment.unwrap_or(len).max(1);
            for data in buffer[..len].chunks_mut(segment) {
                handle(Datagram { local: info.local, remote, stamp: info.stamp, data });
            }
        }
        Ok(count > 0)
    }
}
