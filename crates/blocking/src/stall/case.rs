//! One thread's poll under watch: from the first look at it to the report of its end.
//!
//! Invariant: a stall that was reported is reported once more when it is over, also if the watch ends first. What a thread does
//! between two polls is no part of the next one, although its desk shows the same number: a poll is watched from the last look on
//! that did not find the thread in it.

use super::report::report;
use super::{Cause, Phase, Stall, Stalls, What};
use crate::judge::{STALL_SHARE, Seen, Verdict};
use crate::monitor::{Round, now};
use crate::probe::Probe;
use polyloop_core::{Desk, TaskSpace, polls_task_of};
use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

/// What the monitor knows of the present poll of one thread.
#[derive(Debug, Default)]
pub struct Case {
    /// What was seen of it, for naming it.
    seen: Seen,
    /// The same for counting it, which has another limit.
    seen_for_count: Seen,
    /// When the poll was seen first.
    since: Option<Instant>,
    /// Whether it was counted as [detected](Stalls::detect).
    counted: bool,
    told: Option<Told>,
}

/// A stall that was reported and is not over.
#[derive(Debug)]
struct Told {
    stall: Stall,
    since: Instant,
    stalls: Stalls,
}

/// What can be asked about the thread.
#[derive(Debug)]
pub struct Witness {
    /// Looks at it.
    pub probe: Arc<Probe>,
    /// It.
    pub thread: Thread,
    /// Where the tasks live that it may poll.
    pub spaces: Vec<Arc<TaskSpace>>,
    /// Where the future of its `block_on` lies, if it is inside one.
    pub own: Option<usize>,
}

impl Case {
    /// One look at the thread whose desk this is. Whether it is at work. `witness` is only called if that may take a while.
    pub fn look(
        &mut self,
        desk: &Desk,
        round: &Round,
        stalls: &Stalls,
        witness: impl FnOnce() -> Option<Witness>,
    ) -> bool {
        let epoch = desk.epoch();
        self.seen_for_count.note(epoch, round);
        if self.seen.note(epoch, round) {
            self.close();
            self.since = Some(now());
            self.counted = false;
            return true;
        }
        if epoch.is_multiple_of(2) {
            return false;
        }
        // Timers and sockets may be due since it began.
        desk.hail();
        let to_count = stalls.detect.is_some() && !self.counted;
        let to_tell = stalls.threshold.is_some() && self.told.is_none();
        if (to_count || to_tell)
            && let Some(witness) = witness()
        {
            if !polls_task_of(witness.thread.id(), &witness.spaces) {
                self.seen.rests();
                self.seen_for_count.rests();
                self.since = Some(now());
                return true;
            }
            let sample = witness.probe.sample();
            if let Some(limit) = stalls.detect.filter(|_| to_count) {
                self.seen_for_count.look(sample, limit / STALL_SHARE);
                self.count(stalls, limit);
            }
            if let Some(limit) = stalls.threshold.filter(|_| to_tell) {
                self.seen.look(sample, limit / STALL_SHARE);
                self.name(desk, epoch, stalls, limit, witness);
            }
        }
        true
    }

    fn count(&mut self, stalls: &Stalls, limit: Duration) {
        if self.seen_for_count.proven() >= limit {
            self.counted = true;
            match self.seen_for_count.mostly() {
                Verdict::Blocked => stalls.counts.blocked.add(1),
                Verdict::Computing | Verdict::Unsure => stalls.counts.computing.add(1),
            }
        }
    }

    fn name(&mut self, desk: &Desk, epoch: u64, stalls: &Stalls, limit: Duration, witness: Witness) {
        let Some(since) = self.since else { return };
        if self.seen.proven() < limit {
            return;
        }
        // Before the name: if that is still right afterwards, so is the place.
        let place = witness.probe.place();
        let Some(polled) = desk.polled(epoch, witness.thread.id(), &witness.spaces) else { return };
        let what = if witness.own == Some(polled.address) { What::BlockOn } else { What::Task };
        let stall = Stall {
            what,
            task: polled.meta,
            phase: Phase::Lasting,
            lasted: now() - since,
            cause: Cause::of(self.seen.mostly()),
            thread: witness.thread.name().map(Into::into),
            place,
        };
        stalls.counts.stalls.add(1);
        report(stall.clone(), stalls);
        self.told = Some(Told { stall, since, stalls: stalls.clone() });
    }

    /// The poll is over, as far as anybody here will see.
    pub fn close(&mut self) {
        if let Some(Told { stall, since, stalls }) = self.told.take() {
            report(Stall { phase: Phase::Over, lasted: now() - since, ..stall }, &stalls);
        }
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyloop_core::{Hooks, Meta, Runnable, Schedule, Why};
    use std::panic::Location;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    /// Keeps what is ready.
    #[derive(Debug)]
    struct Queue(Mutex<Vec<Runnable>>);

    impl Schedule for Queue {
        fn schedule(&self, runnable: Runnable, _: Why) {
            self.0.lock().unwrap().push(runnable);
        }
    }

    #[test]
    fn a_thread_between_two_polls_is_named_for_nothing_and_the_next_poll_begins_with_itself() {
        const TIME: Duration = Duration::from_millis(20);
        const LOOK: Round = Round { passed: TIME, elapsed: TIME, waited: Duration::ZERO, gap: false };
        let (tell, told) = channel();
        let stalls = Stalls {
            threshold: Some(Duration::from_millis(25)),
            hook: Some(Arc::new(move |stall: &Stall| tell.send(stall.clone()).unwrap())),
            detect: Some(Duration::from_millis(25)),
            ..Stalls::off()
        };
        let queue = Arc::new(Queue(Mutex::default()));
        let space = TaskSpace::with_hooks(Arc::clone(&queue) as Arc<dyn Schedule>, &Hooks::default());
        let desk = Desk::new();
        let ((arrive, arrived), (begin, begins), (end, ends)) = (channel(), channel(), channel());
        std::thread::scope(|scope| {
            // Dropped with a failure, so that the thread does not wait for them.
            let (begin, end) = (begin, end);
            let _task = space.spawn(async move { ends.recv().unwrap() }, Meta::new(Location::caller()));
            let (queue, space, desk) = (&queue, &space, &desk);
            scope.spawn(move || {
                space.enter(|| {
                    desk.rise();
                    arrive.send((Arc::new(Probe::here()), std::thread::current())).unwrap();
                    // As one that is held up between two polls.
                    begins.recv().unwrap();
                    let runnable = queue.0.lock().unwrap().pop().unwrap();
                    let _ = runnable.run();
                    desk.rest();
                });
            });
            let (probe, thread) = arrived.recv().unwrap();
            let witness = || {
                let (probe, thread) = (Arc::clone(&probe), thread.clone());
                Some(Witness { probe, thread, spaces: vec![Arc::clone(space)], own: None })
            };
            let mut case = Case::default();
            // So long that it cannot be taken for the time that the report below takes.
            let first = now();
            while first.elapsed() < Duration::from_millis(50) {
                case.look(desk, &LOOK, &stalls, witness);
                std::thread::yield_now();
            }
            let counts = stalls.counts();
            assert_eq!((counts.stalls, counts.blocked, counts.computing), (0, 0, 0), "it polls nothing");
            let last = now();
            case.look(desk, &LOOK, &stalls, witness);
            begin.send(()).unwrap();
            while stalls.counts().stalls == 0 {
                case.look(desk, &LOOK, &stalls, witness);
                std::thread::yield_now();
            }
            let most = last.elapsed();
            let stall = told.recv().unwrap();
            assert!(stall.lasted <= most, "{stall}");
            end.send(()).unwrap();
        });
    }
}
