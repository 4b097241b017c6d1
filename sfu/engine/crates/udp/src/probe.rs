//! What this kernel can do, asked once.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use crate::priority;
use crate::socket::{set, Socket};

/// Kernel features; each missing one has a fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// UDP_SEGMENT (Linux 4.18): one send for several datagrams to one destination.
    pub gso: bool,
    /// UDP_GRO (Linux 5.0): one receive for several datagrams from one source.
    pub gro: bool,
    /// SO_REUSEPORT (Linux 3.9): without it one worker only.
    pub reuseport: bool,
    /// Worker threads come before others of the machine; without it they share its processors.
    pub priority: bool,
}

impl Probe {
    pub fn detect() -> Probe {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let Ok(socket) = Socket::bind(any, false) else {
            return Probe { gso: false, gro: false, reuseport: false, priority: false };
        };
        Probe {
            gso: set(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, 1200).is_ok(),
            gro: set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok(),
            reuseport: set(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1).is_ok(),
            // In a thread of its own, which it is for.
            priority: thread::spawn(priority::raise).join().unwrap_or(false),
        }
    }
}
