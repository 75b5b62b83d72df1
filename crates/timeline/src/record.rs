//! Labelled futures: what happened, in which order, and if asked when and where.
//!
//! Invariant: labels are on futures, not on tasks, so that both arms of a `race` have a lane although they live in one
//! task, and every runtime can be looked at without its help. The order of events is always kept; times are read only
//! when a timeline was asked for, and numbers of such a run are not used. They are read under the lock, so that whatever a lane has
//! is in order.

use crate::{Lane, Mark, Recording, Slice, Timeline, why};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What a program tells of itself. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    began: SystemTime,
    events: Mutex<Vec<String>>,
    /// Present when a timeline was asked for.
    recorder: Option<Mutex<Recorder>>,
}

#[derive(Debug, Default)]
struct Recorder {
    lanes: Vec<Growing>,
    /// Workers, in the order of their first poll.
    threads: Vec<ThreadId>,
    /// How many polls there were, however they are drawn.
    polls: u64,
}

/// A lane, and what belongs to none that is complete.
#[derive(Debug, Default)]
struct Growing {
    lane: Lane,
    /// How many futures of this label are not over.
    living: usize,
    /// Polls that have begun: when, and by which worker.
    under_way: Vec<(f64, usize)>,
}

/// After so many polls a lane draws short polls of one worker that follow each other closely as one.
const KEPT_POLLS: usize = 500;
/// How closely, and how short, in microseconds.
const CLOSE_US: f64 = 50.0;
/// More polls than this a lane counts and does not draw: a program may run for days.
const DRAWN_POLLS: usize = 20_000;
/// More wakes and marks than this are not drawn.
const KEPT_MARKS: usize = 2_000;

#[expect(
    clippy::disallowed_methods,
    reason = "what is recorded is real time, whatever clock the runtime has"
)]
fn now() -> Instant {
    Instant::now()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// An empty log, with a timeline if `traced`.
    #[must_use]
    pub fn new(traced: bool) -> Self {
        let recorder = traced.then(Mutex::default);
        let (start, began) = (now(), SystemTime::now());
        Self { shared: Arc::new(Shared { start, began, events: Mutex::default(), recorder }) }
    }

    /// Notes that `event` happened in what `lane` does.
    pub fn say(&self, lane: &str, event: impl Into<String>) {
        let event = event.into();
        self.record(|recorder, now| {
            let marks = &mut recorder.lane(lane).marks;
            if marks.len() < KEPT_MARKS {
                marks.push(Mark { at_us: now, text: event.clone() });
            }
        });
        lock(&self.shared.events).push(event);
    }

    /// Labels `future`. Its polls and wakes become the lane `label`.
    pub fn trace<F: Future>(&self, label: &str, future: F) -> Traced<F> {
        self.record(|recorder, _| {
            let growing = recorder.growing(label);
            growing.living += 1;
            growing.lane.ended_us = None;
        });
        Traced { future, label: label.to_owned(), log: self.clone(), waker: None, is_over: false }
    }

    /// Labels `future`, which is about to be spawned and is ready from now on.
    pub fn task<F: Future>(&self, label: &str, future: F) -> Traced<F> {
        self.woken(label);
        self.trace(label, future)
    }

    /// The events so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        lock(&self.shared.events).clone()
    }

    /// The timeline, if one was asked for, with the sentence that `why` makes of it. A poll that is under way lasts until now.
    pub fn timeline(&self, why: impl FnOnce(&Timeline) -> String) -> Option<Timeline> {
        let recorder = self.shared.recorder.as_ref()?;
        let mut timeline = Timeline::default();
        {
            let recorder = lock(recorder);
            timeline.total_us = self.elapsed_us();
            timeline.lanes = recorder.lanes.iter().map(|growing| growing.until(timeline.total_us)).collect();
        }
        timeline.why = why(&timeline);
        Some(timeline)
    }

    /// The timeline, if one was asked for, as it is kept in a file: of a run on `on`, with the sentence that [`why`] makes of it.
    pub fn recording(&self, on: impl Into<String>) -> Option<Recording> {
        let timeline = self.timeline(why)?;
        let began = self.shared.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let began_unix_us = u64::try_from(began.as_micros()).unwrap_or(u64::MAX);
        Some(Recording { on: on.into(), began_unix_us, unlabelled: 0, timeline })
    }

    /// How often labelled futures were polled, if that was noted.
    #[must_use]
    pub fn polls(&self) -> Option<u64> {
        self.shared.recorder.as_ref().map(|recorder| lock(recorder).polls)
    }

    fn elapsed_us(&self) -> f64 {
        self.shared.start.elapsed().as_secs_f64() * 1e6
    }

    /// Runs `f` on the recorder with the present time, if a timeline was asked for.
    fn record(&self, f: impl FnOnce(&mut Recorder, f64)) {
        if let Some(recorder) = &self.shared.recorder {
            let mut recorder = lock(recorder);
            f(&mut recorder, self.elapsed_us());
        }
    }

    fn woken(&self, label: &str) {
        self.record(|recorder, now| {
            let wakes = &mut recorder.lane(label).wakes_us;
            if wakes.len() < KEPT_MARKS {
                wakes.push(now);
            }
        });
    }

    /// Begins a poll on this thread, which has its number from its first poll's beginning on.
    fn begins<'a>(&'a self, label: &'a str, is_last: bool) -> UnderWay<'a> {
        let thread = thread::current().id();
        let (mut from_us, mut worker) = (0.0, 0);
        self.record(|recorder, now| {
            (from_us, worker) = (now, recorder.worker(thread));
            recorder.growing(label).under_way.push((from_us, worker));
        });
        UnderWay { log: self, label, from_us, worker, is_last }
    }

    fn polled(&self, label: &str, from_us: f64, worker: usize, is_last: bool) {
        self.record(|recorder, to_us| {
            recorder.polls += 1;
            let poll = Slice::new(from_us, to_us, worker);
            let growing = recorder.growing(label);
            growing.under_way.retain(|begun| *begun != (from_us, worker));
            if is_last {
                growing.one_less(to_us);
            }
            let lane = &mut growing.lane;
            let (is_full, is_over) = (lane.polls.len() >= KEPT_POLLS, lane.polls.len() >= DRAWN_POLLS);
            let Some(last) = lane.polls.last_mut().filter(|_| is_full) else {
                return lane.polls.push(poll);
            };
            let is_short = |slice: &Slice| slice.longest_us() < CLOSE_US;
            let is_close = last.worker == worker && from_us - last.to_us < CLOSE_US;
            let joins = is_close && is_short(last) && is_short(&poll);
            if !joins && !is_over {
                return lane.polls.push(poll);
            }
            let since = last.from_us;
            if joins {
                last.join(&poll);
            } else {
                lane.undrawn += 1;
            }
            lane.forget_answered(since, from_us);
        });
    }

    /// A future of this label was dropped before its end.
    fn dropped(&self, label: &str) {
        self.record(|recorder, now| recorder.growing(label).one_less(now));
    }
}

/// A poll, noted when it ends, also by a panic.
struct UnderWay<'a> {
    log: &'a Log,
    label: &'a str,
    from_us: f64,
    worker: usize,
    /// Unless the future says that there will be more.
    is_last: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.log.polled(self.label, self.from_us, self.worker, self.is_last);
    }
}

impl Growing {
    /// A future of this label is over; the lane is with the last of them.
    fn one_less(&mut self, now: f64) {
        self.living = self.living.saturating_sub(1);
        if self.living == 0 {
            self.lane.ended_us = Some(now);
        }
    }

    /// The lane as it is at this moment.
    fn until(&self, now: f64) -> Lane {
        let mut lane = self.lane.clone();
        for &(from_us, worker) in &self.under_way {
            match lane.polls.last().map(|last| last.from_us) {
                // A place behind those that have none would give it a wrong number.
                Some(since) if lane.undrawn > 0 => {
                    lane.undrawn += 1;
                    lane.forget_answered(since, from_us);
                }
                _ => lane.polls.push(Slice::new(from_us, now, worker)),
            }
        }
        lane
    }
}

impl Recorder {
    fn growing(&mut self, label: &str) -> &mut Growing {
        let known = self.lanes.iter().position(|growing| growing.lane.label == label);
        let index = known.unwrap_or_else(|| {
            let lane = Lane { label: label.to_owned(), ..Lane::default() };
            self.lanes.push(Growing { lane, ..Growing::default() });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }

    fn lane(&mut self, label: &str) -> &mut Lane {
        &mut self.growing(label).lane
    }

    fn worker(&mut self, thread: ThreadId) -> usize {
        self.threads.iter().position(|known| *known == thread).unwrap_or_else(|| {
            self.threads.push(thread);
            self.threads.len() - 1
        })
    }
}

pin_project! {
    /// A labelled future.
    #[derive(Debug)]
    pub struct Traced<F> {
        #[pin]
        future: F,
        label: String,
        log: Log,
        // The task's waker in its disguise, kept as long as it stays the same.
        waker: Option<(Waker, Waker)>,
        // Whether a poll has said so.
        is_over: bool,
    }

    impl<F> PinnedDrop for Traced<F> {
        fn drop(this: Pin<&mut Self>) {
            if !this.is_over {
                this.log.dropped(&this.label);
            }
        }
    }
}

impl<F: Future> Future for Traced<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.log.shared.recorder.is_none() {
            return this.future.poll(cx);
        }
        let watched = match this.waker {
            Some((inner, watched)) if inner.will_wake(cx.waker()) => watched,
            kept => {
                let inner = cx.waker().clone();
                let watched =
                    Watched { inner: inner.clone(), label: this.label.clone(), log: this.log.clone() };
                &mut kept.insert((inner, Waker::from(Arc::new(watched)))).1
            }
        };
        // As it is if the poll panics; and nobody is over twice.
        let was_over = std::mem::replace(this.is_over, true);
        let mut under_way = this.log.begins(this.label, !was_over);
        let polled = this.future.poll(&mut Context::from_waker(watched));
        *this.is_over = was_over || polled.is_ready();
        under_way.is_last = !was_over && polled.is_ready();
        polled
    }
}

/// A waker that notes when it is woken.
struct Watched {
    inner: Waker,
    label: String,
    log: Log,
}

impl Wake for Watched {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.log.woken(&self.label);
        self.inner.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn a_traced_future_leaves_polls_wakes_and_marks() {
        let log = Log::new(true);
        let say = log.clone();
        block_on(log.trace("a", async move {
            say.say("a", "before");
            pending_once().await;
            say.say("a", "after");
        }));
        assert_eq!(log.events(), ["before", "after"]);
        let timeline = log.timeline(|timeline| format!("{} lanes", timeline.lanes.len())).unwrap();
        assert_eq!(timeline.why, "1 lanes");
        let lane = &timeline.lanes[0];
        assert_eq!((lane.polls.len(), lane.wakes_us.len(), lane.marks.len()), (2, 1, 2));
        assert!(lane.polls.iter().all(|poll| poll.worker == 0 && poll.from_us <= poll.to_us));
        assert_eq!(lane.ended_us, Some(lane.polls[1].to_us));
    }

    #[test]
    fn a_future_that_is_dropped_or_panics_is_over_and_a_later_wake_is_nothing() {
        let log = Log::new(true);
        let ended = || log.timeline(|_| String::new()).unwrap().lanes[0].ended_us;
        let mut task = Box::pin(log.task("a", std::future::pending::<()>()));
        assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(ended(), None);
        let watched = task.waker.as_ref().unwrap().1.clone();
        drop(task);
        watched.wake();
        let lane = &log.timeline(|_| String::new()).unwrap().lanes[0];
        assert_eq!(lane.wakes_us.len(), 2, "by the spawn, and too late");
        assert!(lane.waits(f64::MAX).iter().all(|(_, to)| *to <= lane.polls[0].from_us));

        let panics = log.trace("a", async { panic!("on purpose") });
        assert_eq!(ended(), None, "the next of its name");
        let panics = std::panic::AssertUnwindSafe(|| block_on(panics));
        std::panic::catch_unwind(panics).unwrap_err();
        assert!(ended().is_some());
    }

    #[test]
    fn a_poll_that_is_under_way_is_no_wait() {
        let log = Log::new(true);
        let look = log.clone();
        block_on(log.task("a", async move {
            look.woken("a");
            let timeline = look.timeline(|_| String::new()).unwrap();
            let lane = &timeline.lanes[0];
            assert_eq!((lane.count(), lane.polls[0].to_us), (1, timeline.total_us));
            assert!(lane.waits(timeline.total_us).iter().all(|(_, to)| *to <= lane.polls[0].from_us));
        }));
        assert_eq!(log.timeline(|_| String::new()).unwrap().lanes[0].count(), 1);
    }

    #[test]
    fn a_lane_is_over_with_the_last_of_those_who_share_it() {
        let log = Log::new(true);
        let ended = || log.timeline(|_| String::new()).unwrap().lanes[0].ended_us.is_some();
        let (one, two, waits) = (
            log.trace("a", async {}),
            log.trace("a", async {}),
            log.trace("a", std::future::pending::<()>()),
        );
        block_on(one);
        assert!(!ended());
        drop(two);
        assert!(!ended());
        drop(waits);
        assert!(ended());
    }

    #[test]
    fn who_is_polled_on_after_its_end_is_over_once() {
        let log = Log::new(true);
        let other = log.trace("a", std::future::pending::<()>());
        let mut ready = Box::pin(log.trace("a", std::future::poll_fn(|_| Poll::Ready(()))));
        for _ in 0..2 {
            assert!(ready.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        drop(ready);
        let ended = || log.timeline(|_| String::new()).unwrap().lanes[0].ended_us;
        assert_eq!(ended(), None);
        drop(other);
        assert!(ended().is_some());
    }

    /// Of polls that are drawn as one, only the last one's wake may still be answered.
    #[test]
    fn what_a_poll_without_a_place_of_its_own_has_answered_is_no_wait() {
        let log = Log::new(true);
        let mut task = Box::pin(log.trace("a", async {
            yields(KEPT_POLLS + 100).await;
            std::future::pending::<()>().await;
        }));
        for _ in 0..=KEPT_POLLS + 100 {
            assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let lane = &log.timeline(|_| String::new()).unwrap().lanes[0];
        assert!(lane.wakes_us.len() < lane.polls.len());
        let last = lane.polls.last().unwrap().to_us;
        assert!(lane.waits(f64::MAX).iter().all(|(_, to)| *to <= last), "it sleeps");
    }

    #[test]
    fn polls_that_are_drawn_as_one_are_counted_and_are_one_workers() {
        let log = Log::new(true);
        let task = log.trace("a", async { yields(2 * KEPT_POLLS).await });
        let (mut task, mut cx) = (Box::pin(task), Context::from_waker(Waker::noop()));
        for _ in 0..KEPT_POLLS + 100 {
            assert!(task.as_mut().poll(&mut cx).is_pending());
        }
        let task = thread::spawn(move || {
            let mut task = task;
            while task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
        });
        task.join().unwrap();
        assert_eq!(log.polls(), Some(2 * KEPT_POLLS as u64 + 1));
        let timeline = log.timeline(|_| String::new()).unwrap();
        let polls = &timeline.lanes[0].polls;
        assert_eq!(timeline.lanes[0].count(), 2 * KEPT_POLLS + 1);
        assert!((KEPT_POLLS + 1..2 * KEPT_POLLS).contains(&polls.len()), "{}", polls.len());
        assert_eq!((polls[KEPT_POLLS - 1].worker, polls.last().unwrap().worker), (0, 1));
    }

    /// The part's poll ends before the whole's, on another thread: as a task's that is spawned in main's first poll.
    #[test]
    fn a_thread_has_its_number_from_its_first_polls_beginning() {
        let log = Log::new(true);
        block_on(log.trace("main", async {
            let task = log.trace("task", async {});
            thread::scope(|scope| scope.spawn(|| block_on(task)).join().unwrap());
        }));
        let lanes = log.timeline(|_| String::new()).unwrap().lanes;
        let worker = |label: &str| lanes.iter().find(|lane| lane.label == label).unwrap().polls[0].worker;
        assert_eq!((worker("main"), worker("task")), (0, 1));
    }

    #[test]
    fn a_lane_of_a_program_that_runs_for_days_stays_small() {
        let log = Log::new(true);
        for poll in 0..DRAWN_POLLS + 10 {
            // Never close enough to be drawn as one.
            log.polled("a", 1e12, poll % 2, false);
        }
        assert_eq!(log.polls(), Some(DRAWN_POLLS as u64 + 10));
        let lane = &log.timeline(|_| String::new()).unwrap().lanes[0];
        assert_eq!((lane.polls.len(), lane.count()), (DRAWN_POLLS, DRAWN_POLLS + 10));
    }

    #[test]
    fn polls_of_two_futures_of_one_label_may_overlap() {
        let log = Log::new(true);
        for poll in 0..DRAWN_POLLS {
            log.polled("a", 1e9 + poll as f64, poll % 2, false);
        }
        log.woken("a");
        // It began before the last one, and has no place of its own.
        log.polled("a", 0.0, 2, true);
        assert_eq!(log.timeline(|_| String::new()).unwrap().lanes[0].wakes_us.len(), 1);
    }

    #[test]
    fn without_a_timeline_only_the_events_are_kept() {
        let log = Log::new(false);
        block_on(log.trace("a", async { log.say("a", "x") }));
        assert_eq!(log.events(), ["x"]);
        assert_eq!(log.timeline(|_| unreachable!()), None);
    }

    async fn yields(times: usize) {
        for _ in 0..times {
            pending_once().await;
        }
    }

    /// Wakes its task and is ready at the next poll.
    async fn pending_once() {
        let mut polled = false;
        std::future::poll_fn(|cx| match std::mem::replace(&mut polled, true) {
            true => Poll::Ready(()),
            false => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }
}
