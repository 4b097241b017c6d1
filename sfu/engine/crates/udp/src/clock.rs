//! The only place that reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::Time;

/// CLOCK_MONOTONIC as it is, so that arrival times mean the same in every process of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    pub fn now(&self) -> Time {
        Time::from_micros(read(libc::CLOCK_MONOTONIC).as_micros() as u64)
    }

    /// How long ago the wall clock showed `stamp`, as the kernel stamps datagrams. A step of the wall clock
    /// in between makes it wrong once, for what was waiting then.
    pub fn age(&self, stamp: Duration) -> Duration {
        read(libc::CLOCK_REALTIME).saturating_sub(stamp)
    }

    /// Wall clock minus this clock in microseconds, for `Config::wall_offset_us`.
    pub fn wall_offset_us(&self) -> i64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        wall.as_micros() as i64 - self.now().micros() as i64
    }
}

/// What a clock of the kernel says: CPU time of a thread, zero once the thread has ended.
pub fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; an unknown clock id is an error, not UB.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return Duration::ZERO;
    }
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time of the calling thread.
pub fn thread_cpu_time() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}
