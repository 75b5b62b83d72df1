//! How many threads the process has, and whether anything but these can run code in it.
//!
//! Invariant: a number is only told where it is the whole truth.

/// How many threads the process has; `None` where the system does not tell, or where a signal handler may run code on any of
/// them, those left out that only a crash calls.
///
/// Threads that are about to end count until the kernel has forgotten them.
pub fn threads() -> Option<usize> {
    imp::threads()
}

#[cfg(target_os = "linux")]
mod imp {
    /// Signals whose handlers do not count, as a mask: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE and SIGSEGV tell of a crash
    /// (the standard library has handlers for two of them), and 32 and 33 are the C library's own.
    const HARMLESS: u64 = mask(&[4, 5, 6, 7, 8, 11, 32, 33]) | OWN_IN_MUSL;

    /// With musl 34 is the C library's, too; with glibc it is SIGRTMIN, and the program's.
    const OWN_IN_MUSL: u64 = if cfg!(target_env = "musl") { mask(&[34]) } else { 0 };

    const fn mask(signals: &[u32]) -> u64 {
        let mut mask = 0;
        let mut at = 0;
        while at < signals.len() {
            mask |= 1 << (signals[at] - 1);
            at += 1;
        }
        mask
    }

    pub(super) fn threads() -> Option<usize> {
        parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    pub(super) fn parse(status: &str) -> Option<usize> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let caught = u64::from_str_radix(field("SigCgt:")?, 16).ok()?;
        (caught & !HARMLESS == 0).then_some(())?;
        field("Threads:")?.parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn threads() -> Option<usize> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::imp::parse;

    #[test]
    fn a_handler_that_may_run_at_any_time_makes_the_count_worthless() {
        let status = |caught: &str| format!("Name:\tThreads: 9\nThreads:\t3\nSigCgt:\t{caught}\n");
        assert_eq!(parse(&status("0000000000000440")), Some(3));
        assert_eq!(parse(&status("0000000180000440")), Some(3));
        assert_eq!(parse(&status("0000000000004440")), None, "SIGTERM");
        assert_eq!(parse(&status("0000000800000000")), None, "a real-time signal");
        let first = 1_u64 << (libc::SIGRTMIN() - 1);
        assert_eq!(parse(&status(&format!("{first:016x}"))), None, "the first of them");
        assert_eq!(parse("Threads:\t3\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_thread_more_is_one_more() {
        // The harness has threads of its own, which come and go: only the order is certain.
        let here = super::threads().unwrap();
        assert!(here >= 1);
        let more: Vec<_> = (0..64).map(|_| std::thread::spawn(std::thread::park)).collect();
        assert!(super::threads().unwrap() > 64);
        more.iter().for_each(|thread| thread.thread().unpark());
        more.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
