//! What is found, as values and as sentences.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// Something that a future, a lock or a runtime does wrong. Its `Display` is one sentence that says what to look for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The name of the future that it is about.
    pub future: String,
    /// The task in which that future was last polled, if it is only a part of one.
    pub task: Option<String>,
    /// Where the future got its name.
    pub named_at: &'static Location<'static>,
    /// How sure it is.
    pub certainty: Certainty,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// What it says is so. No time and no threshold is involved.
    Exact,
    /// It goes beyond a limit of [`Limits`](crate::Limits), or depends on what the rest of the task does.
    Heuristic,
}

/// What can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The future waits, and every waker that it was given is gone without a wake: nobody can wake it any more.
    /// Exact for a task. For a part of a task it is a hint, because the task may poll it without being told.
    LostWake {
        /// The poll that returned `Pending`, counted from 1.
        poll: u64,
    },
    /// The future waits, and the waker of its last poll is gone without a wake, but one of an earlier poll is still
    /// there: it works only as long as the task does not move. As sure as a lost wake.
    StaleWaker {
        /// The poll that returned `Pending`, counted from 1.
        poll: u64,
    },
    /// The future was polled although it had ended. Exact.
    PolledAfterReady,
    /// A task sleeps and waits for a lock, and a future in the same task that has the lock was woken and passed over:
    /// nothing but another event of that task can undo this. Exact.
    Futurelock {
        /// The lock.
        lock: String,
        /// How the future has it.
        hold: Hold,
        /// The future in the same task that waits for it.
        waiter: String,
    },
    /// A part of a task was woken, the task was polled since and sleeps, the part was not polled. Heuristic:
    /// [`Limits::passed_over`](crate::Limits::passed_over) and [`Limits::unpolled`](crate::Limits::unpolled).
    PassedOver {
        /// How many polls of the task passed it over.
        polls: u64,
        /// For how long at least, if [`check`](crate::Detect::check) found it.
        waited: Option<Duration>,
        /// A lock that it holds or is the next to get.
        lock: Option<String>,
    },
    /// A task was woken and its runtime did not poll it. Heuristic: [`Limits::unpolled`](crate::Limits::unpolled).
    WakeIgnored {
        /// For how long at least.
        waited: Duration,
    },
    /// A task wakes itself in most of its polls. Heuristic: [`Limits::self_wakes`](crate::Limits::self_wakes).
    SelfWakes {
        /// In how many polls of a hundred.
        percent: u64,
        /// Of so many polls.
        polls: u64,
    },
    /// A task was often polled without a wake, as by a runtime that queues a task once per wake. Heuristic:
    /// [`Limits::spurious_polls`](crate::Limits::spurious_polls). Not for the future of a `block_on` that polls it whenever it
    /// polls anything, as smol's executor does.
    SpuriousPolls {
        /// How many polls had no wake before them.
        spurious: u64,
        /// Of so many.
        polls: u64,
    },
}

/// How a future has a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It has the guard.
    Holds,
    /// The lock has woken it because it is its turn; a fair lock gives it to nobody else.
    NextInLine,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::NextInLine => "is next in line for",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, future, named_at: at, .. } = self;
        write!(f, "`{future}` ({}:{})", at.file(), at.line())?;
        if let Some(task) = &self.task {
            write!(f, " in task `{task}`")?;
        }
        match kind {
            Kind::LostWake { poll } => write!(
                f,
                ": nobody can wake it any more, because poll {poll} returned Pending and all its wakers were dropped without \
                 a wake; look for a path that returns Pending without keeping the waker, or that drops a kept one"
            ),
            Kind::StaleWaker { poll } => write!(
                f,
                ": only a waker of a poll before the last is left, because poll {poll} returned Pending and its waker was \
                 dropped; look for code that keeps the first waker and does not replace it"
            ),
            Kind::PolledAfterReady => write!(
                f,
                ": polled although it had ended; look for a loop around `&mut` of it that goes on after Ready, and put \
                 `fuse` there"
            ),
            Kind::Futurelock { lock, hold, waiter } => write!(
                f,
                ": futurelock, because it {hold} `{lock}`, was woken and is not polled, while its own task sleeps in `{waiter}`, \
                 which waits for `{lock}`; look for an await beside a future that is kept but no longer polled (a branch of \
                 `select!` on `&mut`, the body of a loop over FuturesUnordered), and spawn that future, drop it, or poll both"
            ),
            Kind::PassedOver { polls, waited, lock } => {
                write!(f, ": woken, and passed over by {polls} polls of its task")?;
                if let Some(waited) = waited {
                    write!(f, " for {waited:?}")?;
                }
                if let Some(lock) = lock {
                    write!(f, ", with `{lock}` in its hand")?;
                }
                f.write_str("; look for a future that is kept but no longer polled, and spawn it or drop it")
            }
            Kind::WakeIgnored { waited } => write!(
                f,
                ": woken {waited:?} ago and not polled; look for a blocked or starved thread, or a runtime that loses wakes"
            ),
            Kind::SelfWakes { percent, polls } => write!(
                f,
                ": woke itself in {percent} % of {polls} polls; look for a loop that spins on `yield_now` or \
                 `wake_by_ref` where it could wait for an event"
            ),
            Kind::SpuriousPolls { spurious, polls } => write!(
                f,
                ": {spurious} of {polls} polls came without a wake; look for a runtime that queues a task once per wake"
            ),
        }
    }
}
