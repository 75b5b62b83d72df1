//! Labelled futures: what happened, in which order, and if asked when and where.
//!
//! Invariant: labels are on futures, not on tasks, so that both arms of a `race` have a lane although they live in one
//! task, and every runtime can be looked at without its help. The order of events is always kept; times are read only
//! when a timeline was asked for, and numbers of such a run are not used.

use super::kit::clock;
use crate::cell::{Lane, Mark, Slice, Timeline};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Instant;

/// What an experiment tells of itself. Clones are the same log.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    events: Mutex<Vec<String>>,
    /// Present when a timeline was asked for.
    recorder: Option<Mutex<Recorder>>,
}

#[derive(Debug, Default)]
struct Recorder {
    lanes: Vec<Lane>,
    /// Workers, in the order of their first poll.
    threads: Vec<ThreadId>,
    /// How many polls there were, however they are drawn.
    polls: u64,
}

/// After so many polls a lane draws polls of one worker that follow each other closely as one.
const KEPT_POLLS: usize = 500;
/// How closely, in microseconds.
const CLOSE_US: f64 = 50.0;
/// More wakes and marks than this are not drawn.
const KEPT_MARKS: usize = 2_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// An empty log, with a timeline if `traced`.
    pub(crate) fn new(traced: bool) -> Self {
        let recorder = traced.then(Mutex::default);
        Self { shared: Arc::new(Shared { start: clock::now(), events: Mutex::default(), recorder }) }
    }

    /// Notes that `event` happened in what `lane` does.
    pub(crate) fn say(&self, lane: &str, event: impl Into<String>) {
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
    pub(crate) fn trace<F: Future>(&self, label: &str, future: F) -> Traced<F> {
        self.record(|recorder, _| _ = recorder.lane(label));
        Traced { future, label: label.to_owned(), log: self.clone(), waker: None }
    }

    /// Labels `future`, which is about to be spawned and is ready from now on.
    pub(crate) fn task<F: Future>(&self, label: &str, future: F) -> Traced<F> {
        self.woken(label);
        self.trace(label, future)
    }

    /// The events so far, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        lock(&self.shared.events).clone()
    }

    /// The timeline, if one was asked for, with the sentence that `why` makes of it.
    pub(crate) fn timeline(&self, why: impl FnOnce(&Timeline) -> String) -> Option<Timeline> {
        let recorder = self.shared.recorder.as_ref()?;
        let lanes = lock(recorder).lanes.clone();
        let mut timeline = Timeline { lanes, total_us: self.elapsed_us(), why: String::new() };
        timeline.why = why(&timeline);
        Some(timeline)
    }

    /// How often labelled futures were polled, if that was noted.
    pub(crate) fn polls(&self) -> Option<u64> {
        self.shared.recorder.as_ref().map(|recorder| lock(recorder).polls)
    }

    fn elapsed_us(&self) -> f64 {
        self.shared.start.elapsed().as_secs_f64() * 1e6
    }

    /// Runs `f` on the recorder with the present time, if a timeline was asked for.
    fn record(&self, f: impl FnOnce(&mut Recorder, f64)) {
        if let Some(recorder) = &self.shared.recorder {
            let now = self.elapsed_us();
            f(&mut lock(recorder), now);
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

    fn polled(&self, label: &str, from_us: f64) {
        let thread = thread::current().id();
        self.record(|recorder, to_us| {
            recorder.polls += 1;
            let worker = recorder.worker(thread);
            let polls = &mut recorder.lane(label).polls;
            let is_full = polls.len() >= KEPT_POLLS;
            let close = |last: &&mut Slice| last.worker == worker && from_us - last.to_us < CLOSE_US;
            match polls.last_mut().filter(|_| is_full).filter(close) {
                Some(last) => last.to_us = to_us,
                None => polls.push(Slice { from_us, to_us, worker }),
            }
        });
    }
}

impl Recorder {
    fn lane(&mut self, label: &str) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.label == label);
        let index = known.unwrap_or_else(|| {
            self.lanes.push(Lane { label: label.to_owned(), ..Lane::default() });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
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
    pub(crate) struct Traced<F> {
        #[pin]
        future: F,
        label: String,
        log: Log,
        // The task's waker in its disguise, kept as long as it stays the same.
        waker: Option<(Waker, Waker)>,
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
        let from_us = this.log.elapsed_us();
        let polled = this.future.poll(&mut Context::from_waker(watched));
        this.log.polled(this.label, from_us);
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

/// A stretch for which a lane was ready and not polled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wait {
    /// How long, in microseconds.
    pub(crate) us: f64,
    /// The other lane whose poll covers most of it: its label, which of its polls counted from 1, and its worker.
    pub(crate) behind: Option<(String, usize, usize)>,
}

/// The longest time for which `label` was ready and not polled. A wake that no poll followed does not count.
pub(crate) fn longest_wait(timeline: &Timeline, label: &str) -> Option<Wait> {
    let lane = timeline.lanes.iter().find(|lane| lane.label == label)?;
    let waits = lane.wakes_us.iter().filter_map(|&woken| {
        let next = lane.polls.iter().find(|poll| poll.from_us >= woken)?;
        // Woken in the middle of its own poll, it waits from the poll's end.
        let own = lane.polls.iter().rfind(|poll| poll.from_us < woken).map_or(woken, |poll| poll.to_us);
        Some((woken.max(own), next.from_us))
    });
    let (from, to) = waits.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)))?;
    Some(Wait { us: to - from, behind: cover(timeline, label, from, to) })
}

/// The poll of another lane that covers most of a stretch.
fn cover(timeline: &Timeline, label: &str, from: f64, to: f64) -> Option<(String, usize, usize)> {
    let others = timeline.lanes.iter().filter(|lane| lane.label != label);
    let polls = others.flat_map(|lane| lane.polls.iter().enumerate().map(move |(i, poll)| (lane, i, poll)));
    let overlap = |poll: &Slice| poll.to_us.min(to) - poll.from_us.max(from);
    let (lane, i, poll) = polls.max_by(|a, b| overlap(a.2).total_cmp(&overlap(b.2)))?;
    (overlap(poll) > 0.0).then(|| (lane.label.clone(), i + 1, poll.worker))
}

/// When `event` first happened, in microseconds.
pub(crate) fn at(timeline: &Timeline, event: &str) -> Option<f64> {
    let marks = timeline.lanes.iter().flat_map(|lane| &lane.marks);
    marks.filter(|mark| mark.text == event).map(|mark| mark.at_us).min_by(f64::total_cmp)
}

/// The longest poll of any lane: its label, which one counted from 1, and its length in microseconds.
pub(crate) fn longest_poll(timeline: &Timeline) -> Option<(String, usize, f64)> {
    let polls = timeline.lanes.iter().flat_map(|lane| {
        lane.polls
            .iter()
            .enumerate()
            .map(move |(i, poll)| (lane.label.clone(), i + 1, poll.to_us - poll.from_us))
    });
    polls.max_by(|a, b| a.2.total_cmp(&b.2))
}

/// `b was ready for 60 ms while worker 0 sat in a's first poll`.
pub(crate) fn say_wait(label: &str, wait: &Wait) -> String {
    let time = say_us(wait.us);
    match &wait.behind {
        Some((other, nth, worker)) => {
            format!(
                "{label} was ready for {time} while worker {worker} sat in {other}'s {} poll",
                ordinal(*nth)
            )
        }
        None => format!("{label} was ready for {time} and no labelled future ran meanwhile"),
    }
}

/// A time for a sentence.
pub(crate) fn say_us(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A place for a sentence.
pub(crate) fn ordinal(n: usize) -> String {
    match (n, n % 10, n / 10 % 10) {
        (1, ..) => "first".to_owned(),
        (2, ..) => "second".to_owned(),
        (3, ..) => "third".to_owned(),
        (_, 1, tens) if tens != 1 => format!("{n}st"),
        (_, 2, tens) if tens != 1 => format!("{n}nd"),
        (_, 3, tens) if tens != 1 => format!("{n}rd"),
        _ => format!("{n}th"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    fn slice(from_us: f64, to_us: f64) -> Slice {
        Slice { from_us, to_us, worker: 0 }
    }

    fn lane(label: &str, polls: Vec<Slice>, wakes_us: Vec<f64>) -> Lane {
        Lane { label: label.to_owned(), polls, wakes_us, marks: Vec::new() }
    }

    #[test]
    fn the_longest_wait_names_the_poll_it_waited_behind() {
        let a = lane("a", vec![slice(0.0, 10.0), slice(20.0, 80_000.0)], vec![0.0]);
        let b = lane("b", vec![slice(11.0, 19.0), slice(80_001.0, 80_002.0)], vec![0.0, 15.0]);
        let timeline = Timeline { lanes: vec![a, b], ..Timeline::default() };
        let wait = longest_wait(&timeline, "b").unwrap();
        assert_eq!(wait.us, 80_001.0 - 19.0, "from the end of the poll in which it was woken");
        assert_eq!(say_wait("b", &wait), "b was ready for 80 ms while worker 0 sat in a's second poll");
    }

    #[test]
    fn a_wake_without_a_poll_is_no_wait() {
        let timeline = Timeline { lanes: vec![lane("a", vec![], vec![1.0])], ..Timeline::default() };
        assert_eq!(longest_wait(&timeline, "a"), None);
        assert_eq!(longest_wait(&timeline, "unknown"), None);
    }

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
        assert!((KEPT_POLLS + 1..2 * KEPT_POLLS).contains(&polls.len()), "{}", polls.len());
        assert_eq!((polls[KEPT_POLLS - 1].worker, polls.last().unwrap().worker), (0, 1));
    }

    #[test]
    fn places_are_said_as_people_say_them() {
        let said = [1, 3, 4, 11, 12, 13, 21, 22, 53, 101, 111].map(ordinal);
        let expected =
            ["first", "third", "4th", "11th", "12th", "13th", "21st", "22nd", "53rd", "101st", "111th"];
        assert_eq!(said, expected);
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
