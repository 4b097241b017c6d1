//! A worker's thread comes before others of the machine, where we may say so, and wakes when it wanted to.

/// Added to the process's niceness. Three times the weight (sched(7)): beside two busy programs on two cores p99
/// of added latency at 500 viewers was 23 ms without it, 14 with it and 12 with -10. Not more, so that a worker
/// that can't keep up leaves a quarter of its processor to the control side.
const NICER: libc::c_int = -5;

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
