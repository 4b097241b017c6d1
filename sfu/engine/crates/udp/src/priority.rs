//! A worker's thread comes before others of the machine, where we may say so, and wakes when it wanted to.

use std::time::Duration;

use proto::Time;

/// Added to the process's niceness. Three times the weight (sched(7)): beside two busy programs on two cores p99
/// of added latency at 500 viewers was 23 ms without it, 14 with it and 12 with -10. Not more, so that a worker
/// that can't keep up leaves a quarter of its processor to the control side.
const NICER: libc::c_int = -5;

/// The lowest of the real-time priorities (sched(7)): before all ordinary threads, behind all others of its kind.
const LOWEST: libc::c_int = 1;

/// How long a real-time thread may take more than half of a processor: three frames.
const WINDOW: Duration = Duration::from_millis(100);

/// An ordinary one is not tried as real-time before this: where others leave it little it takes little, whatever
/// it needs, and they are kept waiting for a window then.
const ORDINARY: Duration = Duration::from_secs(1);

/// Linux keeps niceness per thread (setpriority(2), "C library/kernel differences"). False without CAP_SYS_NICE
/// or an RLIMIT_NICE of 25: then the calling thread shares its processor as others do.
pub fn raise() -> bool {
    // SAFETY: no pointers; 0 is the calling thread, of which the first call can't fail.
    unsafe {
        let nice = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, nice + NICER) == 0
    }
}

/// The calling thread's sleeps end within a microsecond of their time. By default Linux lets them last 50 us longer,
/// to end several at once (PR_SET_TIMERSLACK of prctl(2)).
pub fn be_punctual() {
    // SAFETY: no pointers; the option concerns the calling thread alone and takes any value.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000 as libc::c_ulong) };
}

/// Make the calling thread real-time, or ordinary with its niceness again. False without CAP_SYS_NICE or an
/// RLIMIT_RTPRIO of 1.
pub fn set_urgent(urgent: bool) -> bool {
    let (policy, priority) = match urgent {
        true => (libc::SCHED_RR, LOWEST),
        false => (libc::SCHED_OTHER, 0),
    };
    // SAFETY: an integer is all that the kernel's sched_param has, and it lives through the call; 0 is the
    // calling thread. Not by way of the C library, of which some refuse it.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) == 0 }
}

/// Whether a thread is to be real-time. Weights alone don't do: the scheduler gives a thread that has waited a
/// processor until its next tick (4 ms of 250 Hz), whatever the weights, and a turn of 6 ms took up to 16. Who is
/// late by its own work is no better for it, and would leave others nothing: past half of a processor it is
/// ordinary.
#[derive(Debug)]
pub struct Urgency {
    urgent: bool,
    /// When the window began, and the thread's CPU time then.
    since: (Time, Duration),
}

impl Urgency {
    /// Of a thread that is `urgent` now.
    pub fn new(urgent: bool, now: Time, cpu: Duration) -> Urgency {
        Urgency { urgent, since: (now, cpu) }
    }

    /// Once a turn; `cpu` gives the thread's CPU time and is asked once a window. What the thread should be from
    /// now on, where that is something else.
    pub fn look(&mut self, now: Time, cpu: impl FnOnce() -> Duration) -> Option<bool> {
        let (began, before) = self.since;
        let passed = now.since(began);
        if passed < if self.urgent { WINDOW } else { ORDINARY } {
            return None;
        }
        let cpu = cpu();
        self.since = (now, cpu);
        // Back at two fifths, so that who needs half does not change with each window.
        let most = if self.urgent { passed / 2 } else { passed * 2 / 5 };
        let urgent = cpu.saturating_sub(before) <= most;
        (std::mem::replace(&mut self.urgent, urgent) != urgent).then_some(urgent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_more_than_half_of_a_processor_is_ordinary_until_it_takes_less() {
        let (mut now, mut cpu) = (Time::from_micros(1_000_000), Duration::from_secs(7));
        let mut urgency = Urgency::new(true, now, cpu);
        let mut second = |share_percent: u32| {
            let mut changes = Vec::new();
            for millisecond in 1..=1_000 {
                now += Duration::from_millis(1);
                cpu += Duration::from_micros(10) * share_percent;
                changes.extend(urgency.look(now, || cpu).map(|urgent| (millisecond, urgent)));
            }
            changes
        };
        assert_eq!(second(20), []);
        assert_eq!(second(49), []);
        assert_eq!(second(60), [(100, false)]);
        assert_eq!(second(100), []);
        assert_eq!(second(45), []);
        assert_eq!(second(45), []);
        assert_eq!(second(39), []);
        assert_eq!(second(39), [(100, true)], "of the last second");
    }

    #[test]
    fn a_real_time_thread_becomes_ordinary_with_the_niceness_it_had() {
        std::thread::spawn(|| {
            // SAFETY: no pointers; 0 is the calling thread.
            let state = || unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
            raise();
            let ordinary = state();
            if set_urgent(true) {
                assert_eq!(state().0, libc::SCHED_RR);
            }
            assert!(set_urgent(false), "less is always allowed");
            assert_eq!(state(), ordinary);
        })
        .join()
        .unwrap();
    }
}
