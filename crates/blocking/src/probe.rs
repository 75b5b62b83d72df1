//! What a thread is doing, seen from outside: asleep or running, and how much processor time it has had.
//!
//! Invariant: looking changes nothing for the thread that is looked at. What the system does not tell is
//! [`State::Unknown`], never a guess.

use crate::stall::Place;
use std::time::Duration;

/// Looks at one thread.
#[derive(Debug)]
pub struct Probe(imp::Probe);

/// What a thread was doing at the moment of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Whether it waits or runs.
    pub state: State,
    /// How long it has run on a processor since it began.
    pub ran: Duration,
    /// How long it was ready and waited for a processor, as far as the system tells.
    pub waited: Duration,
}

impl Sample {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { state: State::Unknown, ran: Duration::ZERO, waited: Duration::ZERO };
}

/// Whether a thread waits or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits in the kernel, for an event or for a disk.
    Asleep,
    /// It runs, or would run if it had a processor.
    Running,
    /// A signal or a debugger has stopped it.
    Stopped,
    /// This system does not tell.
    Unknown,
}

impl Probe {
    /// A probe of the calling thread, for others to look through.
    pub fn here() -> Self {
        Self(imp::Probe::here())
    }

    /// Looks.
    pub fn sample(&self) -> Sample {
        self.0.sample().unwrap_or(Sample::UNKNOWN)
    }

    /// How long the thread was ready so far and waited for a processor, if the system tells.
    pub fn waited(&self) -> Option<Duration> {
        self.0.waited()
    }

    /// Where the thread is in the kernel.
    pub fn place(&self) -> Place {
        self.0.place()
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{Place, Sample, State};
    use std::fs;
    use std::io::Read;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    /// The unit of the times in `stat`, which are used only where the kernel keeps no finer ones: 100 Hz on every
    /// architecture that it knows.
    const CLOCK_TICK: Duration = Duration::from_millis(10);

    /// The thread's folder in `/proc`, if there is one.
    #[derive(Debug)]
    pub(super) struct Probe(Option<Folder>);

    /// With the names of the files that are read at every look.
    #[derive(Debug)]
    struct Folder {
        path: PathBuf,
        stat: PathBuf,
        schedstat: PathBuf,
    }

    /// Has room for either file: `stat` is 52 numbers and a name.
    const ROOM: usize = 1_024;

    /// What stands in the file. Allocates nothing, so that looking costs a program no more than time.
    fn read<'a>(file: &Path, room: &'a mut [u8; ROOM]) -> Option<&'a [u8]> {
        let length = fs::File::open(file).ok()?.read(room).ok()?;
        Some(&room[..length])
    }

    impl Probe {
        pub(super) fn here() -> Self {
            let own = fs::read_link("/proc/thread-self").ok();
            let path = own.map(|own| Path::new("/proc").join(own));
            Self(path.map(|path| Folder { stat: path.join("stat"), schedstat: path.join("schedstat"), path }))
        }

        pub(super) fn sample(&self) -> Option<Sample> {
            let (state, coarse) = parse_stat(read(&self.0.as_ref()?.stat, &mut [0; ROOM])?)?;
            let (ran, waited) = self.times().unwrap_or((coarse, Duration::ZERO));
            Some(Sample { state, ran, waited })
        }

        pub(super) fn waited(&self) -> Option<Duration> {
            self.times().map(|(_, waited)| waited)
        }

        /// On a processor, and waiting for one.
        fn times(&self) -> Option<(Duration, Duration)> {
            parse_schedstat(read(&self.0.as_ref()?.schedstat, &mut [0; ROOM])?)
        }

        pub(super) fn place(&self) -> Place {
            let read = |file| fs::read_to_string(self.0.as_ref()?.path.join(file)).ok();
            Place::parse(read("syscall").as_deref(), read("wchan").as_deref())
        }
    }

    /// `pid (comm) S …`: the name may contain anything, also parentheses.
    pub(super) fn parse_stat(text: &[u8]) -> Option<(State, Duration)> {
        let after = text.iter().rposition(|byte| *byte == b')')? + 1;
        let mut fields = str::from_utf8(&text[after..]).ok()?.split_ascii_whitespace();
        let state = match fields.next()? {
            "S" | "D" | "I" => State::Asleep,
            "R" => State::Running,
            "T" | "t" => State::Stopped,
            _ => State::Unknown,
        };
        // `utime` and `stime` are the 14th and 15th field, counted from the pid.
        let mut times = fields.skip(10);
        let user: u32 = times.next()?.parse().ok()?;
        let system: u32 = times.next()?.parse().ok()?;
        Some((state, CLOCK_TICK * user.saturating_add(system)))
    }

    /// `time-on-processor time-waiting-for-one stretches`, in nanoseconds.
    pub(super) fn parse_schedstat(text: &[u8]) -> Option<(Duration, Duration)> {
        let mut fields = str::from_utf8(text).ok()?.split_ascii_whitespace();
        let mut time = || Some(Duration::from_nanos(fields.next()?.parse().ok()?));
        Some((time()?, time()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Place, Sample};

    #[derive(Debug)]
    pub(super) struct Probe;

    impl Probe {
        pub(super) fn here() -> Self {
            Self
        }

        pub(super) fn sample(&self) -> Option<Sample> {
            None
        }

        pub(super) fn waited(&self) -> Option<Duration> {
            None
        }

        pub(super) fn place(&self) -> Place {
            Place::default()
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::imp::{parse_schedstat, parse_stat};
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_hide_the_state() {
        let line = b"12 (a) R b (c) S 1 2 3 4 5 6 7 8 9 10 7 5 0 0 20 0";
        assert_eq!(parse_stat(line), Some((State::Asleep, Duration::from_millis(120))));
        assert_eq!(parse_stat(b"12 (x) Z 1 2 3 4 5 6 7 8 9 10 0 0").unwrap().0, State::Unknown);
        assert_eq!(parse_stat(b"12 (x"), None);
        assert_eq!(parse_stat(b"12 (x) S 1"), None);
        let times = (Duration::from_nanos(1500), Duration::from_nanos(20));
        assert_eq!(parse_schedstat(b"1500 20 3\n"), Some(times));
        assert_eq!(parse_schedstat(b""), None);
    }

    #[test]
    fn a_thread_that_waits_is_asleep_and_its_time_stands_still() {
        let (tell, told) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(Probe::here()).unwrap();
            let _ = wait.recv();
        });
        let probe = told.recv().unwrap();
        while probe.sample().state != State::Asleep {
            std::thread::yield_now();
        }
        assert_eq!(probe.sample(), probe.sample());
        drop(release);
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_that_computes_is_running_and_its_time_goes_on() {
        let probe = Probe::here();
        let before = probe.sample();
        assert_eq!(before.state, State::Running);
        while probe.sample().ran <= before.ran {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_thread_that_has_ended_is_not_known() {
        let probe = std::thread::spawn(Probe::here).join().unwrap();
        // The kernel takes a moment to forget it.
        while probe.sample().state != State::Unknown {
            std::thread::yield_now();
        }
    }
}
