//! Timers (C4).

use super::{Counter, New};
use futures::future::{Either, select};
use polyloop_traits::Runtime;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A sleep takes as long as asked, or longer.
pub fn a_sleep_is_never_early<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        for micros in [1, 100, 999, 1000, 1001, 1500, 5000, 17_300] {
            let duration = Duration::from_micros(micros);
            let start = rt.now();
            rt.sleep(duration).await;
            assert!(rt.now() - start >= duration, "a sleep of {duration:?} took {:?}", rt.now() - start);
            let deadline = rt.now() + duration;
            rt.sleep_until(deadline).await;
            assert!(rt.now() >= deadline);
        }
    });
}

/// A sleep of no time ends, in a loop too.
pub fn a_sleep_of_no_time_ends<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        for _ in 0..100 {
            rt.sleep(Duration::ZERO).await;
        }
    });
}

/// A deadline that has passed ends at once.
pub fn a_deadline_in_the_past_ends<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let past = rt.now();
        rt.sleep(Duration::from_millis(2)).await;
        rt.sleep_until(past).await;
    });
}

/// A sleep without end, and one of a thousand years, do not keep a near one waiting.
pub fn a_far_timer_hides_no_near_one<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let mut never = pin!(rt.sleep(Duration::MAX));
        let mut late = pin!(rt.sleep(Duration::from_secs(1000 * 365 * 86_400)));
        poll_fn(|cx| {
            assert!(never.as_mut().poll(cx).is_pending());
            assert!(late.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        rt.sleep(Duration::from_millis(3)).await;
        match select(select(never, late), pin!(rt.sleep(Duration::from_millis(3)))).await {
            Either::Left(_) => panic!("the far timer ended"),
            Either::Right(((), _)) => {}
        }
    });
}

/// Tasks that wait for the same instant all go on.
pub fn tasks_with_one_deadline_all_wake<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let deadline = rt.now() + Duration::from_millis(20);
        let spawn = |_| rt.spawn(rt.sleep_until(deadline));
        let tasks: Vec<_> = (0..10).map(spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(rt.now() >= deadline);
    });
}

/// Counts wakes and passes them on.
struct Forward {
    wakes: Counter,
    to: Waker,
}

impl Wake for Forward {
    fn wake(self: Arc<Self>) {
        self.wakes.add();
        self.to.wake_by_ref();
    }
}

/// A thousand polls leave one entry, which wakes once.
pub fn a_sleep_polled_often_wakes_once<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    unless_stalled(|time| {
        let wakes = Counter::default();
        let in_time = rt.block_on(async {
            let begin = rt.now();
            let mut sleep = pin!(rt.sleep(time));
            let mut in_time = None;
            poll_fn(|cx| {
                if in_time.is_some() {
                    return sleep.as_mut().poll(cx);
                }
                let forward = Arc::new(Forward { wakes: wakes.clone(), to: cx.waker().clone() });
                let waker = Waker::from(forward);
                let mut polled = Poll::Pending;
                for _ in 0..1000 {
                    polled = sleep.as_mut().poll(&mut Context::from_waker(&waker));
                    if polled.is_ready() {
                        break;
                    }
                }
                in_time = Some(rt.now() - begin < time);
                polled
            })
            .await;
            in_time == Some(true)
        });
        (in_time || wakes.get() > 1).then(|| assert_eq!(wakes.get(), 1))
    });
}

/// A sleep that moves from one task to another wakes the one that polled it last.
pub fn a_sleep_wakes_who_polled_last<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    unless_stalled(|time| {
        let wakes = Counter::default();
        let moved_after = rt.block_on(async {
            let begin = rt.now();
            let mut sleep = Box::pin(rt.sleep(time));
            let waker = Waker::from(Arc::new(wakes.clone()));
            let _ = sleep.as_mut().poll(&mut Context::from_waker(&waker));
            let (mut moved_after, clock) = (None, rt.clone());
            let moved = poll_fn(move |cx| {
                let polled = sleep.as_mut().poll(cx);
                let after = *moved_after.get_or_insert_with(|| clock.now() - begin);
                polled.map(|_| after)
            });
            rt.spawn(moved).await.unwrap()
        });
        (moved_after < time).then(|| assert_eq!(wakes.get(), 0))
    });
}

/// A timer whose waker does nothing fires, and the program goes on.
pub fn a_timer_that_wakes_nobody_ends_nothing<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let mut idle = pin!(rt.sleep(Duration::from_millis(5)));
        // Ready only if the machine stood still for 5 ms.
        let _ = idle.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        rt.sleep(Duration::from_millis(30)).await;
        idle.await;
    });
}

/// A sleep that was dropped does not wake who waited for it.
pub fn a_dropped_sleep_wakes_nobody<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    unless_stalled(|time| {
        let wakes = Counter::default();
        let dropped_after = rt.block_on(async {
            let waker = Waker::from(Arc::new(wakes.clone()));
            let begin = rt.now();
            for _ in 0..10 {
                let mut sleep = Box::pin(rt.sleep(time));
                let _ = sleep.as_mut().poll(&mut Context::from_waker(&waker));
            }
            let dropped_after = rt.now() - begin;
            rt.sleep(time * 3 / 2).await;
            dropped_after
        });
        (dropped_after < time).then(|| assert_eq!(wakes.get(), 0))
    });
}

/// Makes an attempt with a time in which a few polls are done, unless the machine stands still for that long: then the
/// attempt says nothing (`None`), and there is another one with twice the time.
fn unless_stalled(attempt: impl Fn(Duration) -> Option<()>) {
    let mut time = Duration::from_millis(40);
    while attempt(time).is_none() {
        time *= 2;
        assert!(time < Duration::from_secs(10), "the machine stood still in every attempt");
    }
}

/// A timeout cancels a future that never ends, and spares one that is faster.
pub fn a_timeout_ends_what_never_ends<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let late = select(Box::pin(pending::<()>()), Box::pin(rt.sleep(Duration::from_millis(2)))).await;
        assert!(matches!(late, Either::Right(_)));
        let task = rt.spawn(async { 5 });
        let within = rt.clone();
        let in_time = rt.spawn(async move {
            match select(task, Box::pin(within.sleep(Duration::from_secs(5)))).await {
                Either::Left((value, _)) => value.unwrap(),
                Either::Right(_) => panic!("5 s for a task of no time"),
            }
        });
        assert_eq!(in_time.await.unwrap(), 5);
    });
}

/// A thousand tasks that sleep are a thousand timers, not a thousand sleeps in a row.
pub fn a_thousand_sleeps_take_the_time_of_one<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let awake = Arc::new(Mutex::new(0));
    let most = Arc::new(Mutex::new(0));
    rt.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..1000 {
            let (within, sleeping, most) = (rt.clone(), awake.clone(), most.clone());
            tasks.push(rt.spawn(async move {
                let now = {
                    let mut sleeping = sleeping.lock().unwrap();
                    *sleeping += 1;
                    *sleeping
                };
                {
                    let mut most = most.lock().unwrap();
                    *most = now.max(*most);
                }
                within.sleep(Duration::from_millis(100)).await;
                *sleeping.lock().unwrap() -= 1;
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    // All at once, unless the machine stood still for 100 ms while they were spawned.
    assert!(*most.lock().unwrap() > 100, "{} slept at a time", most.lock().unwrap());
    assert_eq!(*awake.lock().unwrap(), 0);
}
