//! The detectors of a program: the lock around their state, and the sink.
//!
//! Invariant: the sink, and every foreign waker, is called with no lock held.

use crate::finding::Finding;
use crate::probe::{Label, Probe};
use crate::state::{Counts, Found, Role, State};
use crate::watch::Watched;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Detectors that share one account. Clones are the same.
///
/// Every poll and every wake of a watched future takes the lock of the account for a moment, so a program under watch
/// is slower and its threads meet more often.
#[derive(Clone)]
pub struct Detect {
    shared: Arc<Shared>,
}

type Sink = Box<dyn Fn(&Finding) + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    sink: Sink,
}

/// From where on a heuristic speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a wake may wait for its poll, as measured by [`Detect::check`]. 1 s unless said otherwise.
    pub unpolled: Duration,
    /// How many polls of a task, at whose end it slept, may pass over a part that was woken before. 100 unless said otherwise.
    pub passed_over: u64,
    /// How many polls of a hundred may wake their own task, once there were so many polls. 50 of 1,000 unless said otherwise.
    pub self_wakes: (u64, u64),
    /// How many polls of a task may come without a wake; also, they must be a tenth of all. 16 unless said otherwise.
    pub spurious_polls: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpolled: Duration::from_secs(1),
            passed_over: 100,
            self_wakes: (50, 1_000),
            spurious_polls: 16,
        }
    }
}

impl Detect {
    /// Detectors that keep what they find, the first 1,000 findings, for [`findings`](Self::findings).
    #[expect(
        clippy::new_without_default,
        reason = "an account is made on purpose; two defaults would not be equal"
    )]
    pub fn new() -> Self {
        Self::with(Limits::default(), |_| ())
    }

    /// Detectors that also tell `sink` what they find, at once.
    ///
    /// The sink is called inside of polls, wakes and drops of wakers, on any thread, and perhaps under a lock of whoever drops
    /// a waker. So it should note, print or send what it gets, and neither wait nor panic.
    pub fn with(limits: Limits, sink: impl Fn(&Finding) + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::new(State::new(limits)), sink: Box::new(sink) }) }
    }

    /// Watches a whole task: what is given to `spawn` or `block_on`.
    ///
    /// Only then is it exact that nobody can wake it, and known which polls are its task's.
    #[track_caller]
    pub fn task<F>(&self, name: &str, future: F) -> Watched<F> {
        Watched::new(self.probe(name, Role::Task), future)
    }

    /// Watches a part of a task: a branch of `select!`, a member of a `FuturesUnordered`, a leaf.
    #[track_caller]
    pub fn watch<F>(&self, name: &str, future: F) -> Watched<F> {
        Watched::new(self.probe(name, Role::Part), future)
    }

    /// Looks for wakes that have waited for their poll too long. `now` is the time since any fixed beginning, by any clock.
    ///
    /// The time counts from the first look that sees the wake, so nothing is found before the second one, and a wake costs no
    /// look at the clock. Call it from whatever runs anyway, twice per [`Limits::unpolled`] or more often; where nothing does,
    /// from a thread of its own:
    ///
    /// ```
    /// # use std::{thread, time::{Duration, Instant}};
    /// # let detect = polyloop_detect::Detect::new();
    /// let monitor = detect.clone();
    /// thread::spawn(move || {
    ///     let start = Instant::now();
    ///     loop {
    ///         thread::sleep(Duration::from_millis(250));
    ///         monitor.check(start.elapsed());
    ///     }
    /// });
    /// ```
    pub fn check(&self, now: Duration) {
        self.note(|state| state.check(now));
    }

    /// What was found so far, the oldest first.
    pub fn findings(&self) -> Vec<Finding> {
        self.look(|state| state.findings())
    }

    /// How often what happened, by the names of the futures, in the order of their first polls.
    pub fn counts(&self) -> Vec<(String, Counts)> {
        self.look(|state| state.counts())
    }

    #[track_caller]
    fn probe(&self, name: &str, role: Role) -> Probe {
        let label = Label { name: Arc::from(name), role, named_at: Location::caller() };
        Probe::new(label, Some(self.clone()))
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Notes an event, and tells what it leads to.
    pub(crate) fn note(&self, event: impl FnOnce(&mut State) -> Found) {
        let found = self.look(event);
        for finding in &found {
            (self.shared.sink)(finding);
        }
    }

    fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Detect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detect").field("findings", &self.findings()).finish_non_exhaustive()
    }
}

/// Watches a part of whatever watched task it is polled in, by that one's detectors; outside of one it watches nothing and
/// costs a look at a thread-local per poll. So a library can name its futures and leave the choice to the program.
#[track_caller]
pub fn watched<F>(name: &str, future: F) -> Watched<F> {
    let label = Label { name: Arc::from(name), role: Role::Part, named_at: Location::caller() };
    Watched::new(Probe::new(label, None), future)
}
