//! Control messages: packet info, segment sizes and receive times (cmsg(3), ip(7), udp(7), socket(7)).

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;
use std::time::Duration;

use crate::address::{in6_addr, in_addr};

/// Room for a packet info of either family, a segment size and a receive time, aligned as cmsghdr wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Control(pub [u8; 128]);

impl Control {
    pub const fn empty() -> Control {
        Control([0; 128])
    }
}

/// Writes what a message needs into `control` and sets the header's control fields.
///
/// `local`: source address (IP_PKTINFO, IPV6_PKTINFO). `segment`: GSO segment size (UDP_SEGMENT).
pub fn write(header: &mut libc::msghdr, control: &mut Control, local: Option<IpAddr>, segment: Option<u16>) {
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len() as _;
    let mut used = 0;
    match local {
        Some(IpAddr::V4(ip)) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr(ip),
                ipi_addr: in_addr(Ipv4Addr::UNSPECIFIED),
            };
            used += push(control, used, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        }
        Some(IpAddr::V6(ip)) => {
            let info = libc::in6_pktinfo { ipi6_addr: in6_addr(ip), ipi6_ifindex: 0 };
            used += push(control, used, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
        }
        None => {}
    }
    if let Some(segment) = segment {
        used += push(control, used, libc::SOL_UDP, libc::UDP_SEGMENT, segment);
    }
    header.msg_controllen = used as _;
    if used == 0 {
        header.msg_control = ptr::null_mut();
    }
}

/// Appends one control message at `at` and returns the bytes it takes.
fn push<T: Copy>(control: &mut Control, at: usize, level: i32, kind: i32, value: T) -> usize {
    // SAFETY: CMSG_SPACE and CMSG_LEN are plain arithmetic.
    let (space, len) = unsafe {
        (libc::CMSG_SPACE(size_of::<T>() as u32) as usize, libc::CMSG_LEN(size_of::<T>() as u32) as usize)
    };
    assert!(at + space <= control.0.len(), "control buffer holds one packet info and one segment size");
    let header = control.0[at..].as_mut_ptr().cast::<libc::cmsghdr>();
    // SAFETY: `space` bytes from `header` lie in the buffer (asserted); `at` is a sum of CMSG_SPACEs,
    // so the header is aligned; the value is written unaligned.
    unsafe {
        (*header).cmsg_level = level;
        (*header).cmsg_type = kind;
        (*header).cmsg_len = len as _;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast::<T>(), value);
    }
    space
}

/// What the kernel told about a received message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The address it was sent to.
    pub local: Option<IpAddr>,
    /// Size of each datagram but the last, if GRO joined several.
    pub segment: Option<usize>,
    /// When the kernel got it, on the wall clock (SO_TIMESTAMPNS).
    pub stamp: Option<Duration>,
}

/// Reads the control messages of `header`.
///
/// # Safety
/// `header` was filled by a successful recvmsg or recvmmsg and its control buffer is alive.
pub unsafe fn read(header: &libc::msghdr) -> Received {
    let mut received = Received::default();
    // SAFETY: by the caller's promise; the CMSG macros stay within msg_controllen.
    unsafe {
        let mut cmsg = libc::CMSG_FIRSTHDR(header);
        while !cmsg.is_null() {
            let data = libc::CMSG_DATA(cmsg);
            match ((*cmsg).cmsg_level, (*cmsg).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = ptr::read_unaligned(data.cast());
                    received.local = Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = ptr::read_unaligned(data.cast());
                    received.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let segment: libc::c_int = ptr::read_unaligned(data.cast());
                    received.segment = usize::try_from(segment).ok().filter(|s| *s > 0);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let stamp: libc::timespec = ptr::read_unaligned(data.cast());
                    received.stamp = Some(Duration::new(stamp.tv_sec as u64, stamp.tv_nsec as u32));
                }
                _ => {}
            }
            cmsg = libc::CMSG_NXTHDR(header, cmsg);
        }
    }
    received
}
