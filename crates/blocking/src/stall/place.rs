//! Where a thread is in the kernel.
//!
//! Invariant: what the system does not tell is left out, never guessed.

/// Where a thread was at the moment of a look. What cannot be read, and what does not apply to a thread that runs, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The system call that it was in.
    pub syscall: Option<Syscall>,
    /// The function of the kernel that it waited in (`wchan`).
    pub wait: Option<Box<str>>,
}

/// A system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Syscall {
    /// Its number on this architecture.
    pub number: i64,
    /// What it is called, if it is one of those in which threads usually wait.
    pub name: Option<&'static str>,
}

#[cfg(target_os = "linux")]
impl Place {
    /// From the words of `/proc/self/task/N/syscall` and `wchan`.
    pub(crate) fn parse(syscall: Option<&str>, wait: Option<&str>) -> Self {
        // `running`, or `NUMBER ARGUMENTS…`, where -1 stands for a wait outside of any call.
        let number = syscall.and_then(|text| text.split_ascii_whitespace().next()?.parse::<i64>().ok());
        let syscall = number.filter(|number| *number >= 0);
        // `0` stands for nowhere, and for what we may not know.
        let wait = wait.map(str::trim).filter(|wait| !wait.is_empty() && *wait != "0");
        Self { syscall: syscall.map(Syscall::of), wait: wait.map(Into::into) }
    }
}

#[cfg(target_os = "linux")]
impl Syscall {
    fn of(number: i64) -> Self {
        let known = names::WAITING.iter().find(|(known, _)| *known == number);
        Self { number, name: known.map(|(_, name)| *name) }
    }
}

#[cfg(target_os = "linux")]
mod names {
    /// The name of a call from the name of its number.
    macro_rules! calls {
        ($($(#[$only:meta])? $name:ident $number:ident),* $(,)?) => {
            &[$($(#[$only])? (libc::$number as i64, stringify!($name))),*]
        };
    }

    /// Calls in which threads usually wait, on every architecture and on the older ones.
    pub(super) const WAITING: &[(i64, &str)] = calls![
        accept SYS_accept, accept4 SYS_accept4, clock_nanosleep SYS_clock_nanosleep, connect SYS_connect,
        copy_file_range SYS_copy_file_range, epoll_pwait SYS_epoll_pwait, fcntl SYS_fcntl, fdatasync SYS_fdatasync,
        flock SYS_flock, fsync SYS_fsync, futex SYS_futex, getdents64 SYS_getdents64, getrandom SYS_getrandom,
        io_uring_enter SYS_io_uring_enter, madvise SYS_madvise, mmap SYS_mmap, msync SYS_msync, munmap SYS_munmap,
        nanosleep SYS_nanosleep, openat SYS_openat, ppoll SYS_ppoll, pread64 SYS_pread64, pselect6 SYS_pselect6,
        pwrite64 SYS_pwrite64, read SYS_read, readv SYS_readv, recvfrom SYS_recvfrom, recvmmsg SYS_recvmmsg,
        recvmsg SYS_recvmsg, rt_sigtimedwait SYS_rt_sigtimedwait, sched_yield SYS_sched_yield, sendfile SYS_sendfile,
        sendmmsg SYS_sendmmsg, sendmsg SYS_sendmsg, sendto SYS_sendto, splice SYS_splice, sync SYS_sync,
        unlinkat SYS_unlinkat, wait4 SYS_wait4, waitid SYS_waitid, write SYS_write, writev SYS_writev,
        // These have newer forms, and newer architectures only those.
        #[cfg(target_arch = "x86_64")] epoll_wait SYS_epoll_wait,
        #[cfg(target_arch = "x86_64")] open SYS_open,
        #[cfg(target_arch = "x86_64")] pause SYS_pause,
        #[cfg(target_arch = "x86_64")] poll SYS_poll,
        #[cfg(target_arch = "x86_64")] select SYS_select,
    ];
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_and_what_cannot_be_read_is_left_out() {
        let line = format!("{} 0x0 0x0 0x7ffc 0x7ffd\n", libc::SYS_clock_nanosleep);
        let place = Place::parse(Some(&line), Some("hrtimer_nanosleep"));
        assert_eq!(place.syscall.unwrap().name, Some("clock_nanosleep"));
        assert_eq!(place.wait.as_deref(), Some("hrtimer_nanosleep"));
        for nothing in ["running\n", "-1 0x7ffc 0x7ffd\n", "", "huh"] {
            assert_eq!(Place::parse(Some(nothing), Some("0")), Place::default(), "{nothing:?}");
        }
        assert_eq!(Place::parse(None, None), Place::default());
        let unknown = Place::parse(Some("99999 0x0"), None).syscall.unwrap();
        assert_eq!(unknown, Syscall { number: 99_999, name: None });
    }
}
