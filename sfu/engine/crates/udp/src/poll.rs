//! Sleeping until a descriptor is readable or a deadline has come (epoll(7)).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// The kernel takes timeouts of nanoseconds (epoll_pwait2, Linux 5.11) or of milliseconds only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    Nanoseconds,
    Milliseconds,
}

/// A level-triggered epoll instance.
#[derive(Debug)]
pub struct Poll {
    fd: OwnedFd,
    resolution: Resolution,
    ready: Vec<libc::epoll_event>,
}

impl Poll {
    pub fn new() -> io::Result<Poll> {
        // SAFETY: no pointers; a non-negative result is a new descriptor that nobody else owns.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: see above.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let ready = vec![libc::epoll_event { events: 0, u64: 0 }; 256];
        let mut poll = Poll { fd, resolution: Resolution::Nanoseconds, ready };
        // Where it is missing (or filtered) a wait of no time says so.
        if poll.wait_nanoseconds(Some(Duration::ZERO)).is_err() {
            poll.resolution = Resolution::Milliseconds;
        }
        Ok(poll)
    }

    /// Report `fd` as `token` while it is readable.
    pub fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        self.control(fd, token, libc::EPOLLIN)
    }

    fn control(&self, fd: RawFd, token: u64, events: libc::c_int) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: `event` lives through the call; bad descriptors are errors.
        match unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Report `fd` no more.
    pub fn remove(&self, fd: RawFd) -> io::Result<()> {
        // SAFETY: no event is read for a removal (Linux 2.6.9); bad descriptors are errors.
        match unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Report `fd` as `token` whenever it becomes readable or writable (edge-triggered).
    pub fn add_stream(&self, fd: RawFd, token: u64) -> io::Result<()> {
        self.control(fd, token, libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET)
    }

    /// Sleep until something is readable or `timeout` is over (None: without end), and give the tokens
    /// of what is readable. With milliseconds only, the timeout is rounded up: it oversleeps by less
    /// than 1 ms, where rounding down would spin.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<impl Iterator<Item = u64> + '_> {
        let count = match self.resolution {
            Resolution::Nanoseconds => self.wait_nanoseconds(timeout),
            Resolution::Milliseconds => self.wait_milliseconds(timeout),
        };
        let count = match count {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count?,
        };
        Ok(self.ready[..count].iter().map(|event| event.u64))
    }

    fn wait_nanoseconds(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout = timeout.map(|t| libc::timespec {
            tv_sec: t.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: libc::c_long::from(t.subsec_nanos() as i32),
        });
        let timeout = timeout.as_ref().map_or(std::ptr::null(), |t| t as *const libc::timespec);
        // SAFETY: `ready` has room for as many events as said, `timeout` is null or lives through the
        // call, no signal mask is given. glibc below 2.35 has no wrapper, so by number.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                self.ready.as_mut_ptr(),
                self.ready.len() as libc::c_int,
                timeout,
                std::ptr::null::<libc::sigset_t>(),
                size_of::<u64>(),
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    fn wait_milliseconds(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout =
            timeout.map_or(-1, |t| i32::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        // SAFETY: `ready` has room for as many events as said.
        let count = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                self.ready.as_mut_ptr(),
                self.ready.len() as libc::c_int,
                timeout,
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

/// Wait until `fd` can be written, at most `timeout`.
pub fn wait_writable(fd: RawFd, timeout: Duration) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one live pollfd.
    unsafe { libc::poll(&mut poll, 1, timeout.as_millis() as libc::c_int) > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::Wake;

    #[test]
    fn both_resolutions_report_what_is_readable() {
        for resolution in [Resolution::Nanoseconds, Resolution::Milliseconds] {
            let mut poll = Poll::new().unwrap();
            poll.resolution = resolution;
            let (quiet, loud) = (Wake::new().unwrap(), Wake::new().unwrap());
            poll.add(quiet.as_raw_fd(), 1).unwrap();
            poll.add(loud.as_raw_fd(), 2).unwrap();
            assert_eq!(poll.wait(Some(Duration::from_micros(10))).unwrap().count(), 0);
            loud.notify();
            loud.notify();
            assert_eq!(poll.wait(None).unwrap().collect::<Vec<_>>(), [2]);
            loud.clear();
            assert_eq!(poll.wait(Some(Duration::ZERO)).unwrap().count(), 0);
        }
    }
}
