//! A budget of time, counted in operations by a clock that moves with every look.

#![forbid(unsafe_code)]

mod subjects;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use polyloop::spawn;
use polyloop::sync::mpsc;
use polyloop::task::coop::{OPERATIONS, has_budget_remaining, poll_proceed};
use polyloop::task::{budgeted, budgeted_for, consume_budget, spawn_local, unconstrained, yield_now};
use polyloop_conformance::{LIMIT, watched};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use subjects::{builder, names};

const SECOND: Duration = Duration::from_secs(1);

/// How many operations `hog` does in its first poll, of at most `most`.
fn operations_in_a_poll(name: &str, most: u32, wrap: fn(BoxFuture) -> BoxFuture) -> u32 {
    let runtime = stepping(name).build().unwrap();
    runtime.block_on(async { spawn(operations(most, wrap)).await.unwrap() })
}

/// Each look at the clock moves it by a millisecond. Nobody is relieved: on a machine that is busy a poll of microseconds may seem
/// long, and then two would be polled at a time.
fn stepping(name: &str) -> polyloop::Builder {
    let builder = builder(name).block_policy(polyloop::BlockPolicy::None);
    builder.clock(polyloop::ManualClock::new().stepping(Duration::from_millis(1)))
}

/// How many operations, of at most `most`, `hog` does until it is pending for the first time.
fn operations(most: u32, wrap: fn(BoxFuture) -> BoxFuture) -> impl Future<Output = u32> + Send {
    let count = Arc::new(AtomicU32::new(0));
    let counter = count.clone();
    let hog = wrap(Box::pin(async move {
        for _ in 0..most {
            budgeted(std::future::ready(())).await;
            counter.fetch_add(1, Relaxed);
        }
    }));
    async move {
        let mut hog = hog;
        std::future::poll_fn(|cx| {
            let _ = hog.as_mut().poll(cx);
            std::task::Poll::Ready(count.load(Relaxed))
        })
        .await
    }
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[test]
fn a_budget_of_time_ends_with_the_slice_in_which_the_time_is_over() {
    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let first_poll = |operations: u32, wrap: fn(BoxFuture) -> BoxFuture| {
                let found = most(operations, || operations_in_a_poll(&name, 10_000, wrap));
                assert_eq!(found, operations, "{name}");
            };
            // A look at the beginning, and one after each sixteen.
            first_poll(16, |hog| Box::pin(budgeted_for(ms(0), hog)));
            first_poll(4 * 16, |hog| Box::pin(budgeted_for(ms(3), hog)));
            const { assert!(21 * 16 > OPERATIONS) };
            first_poll(21 * 16, |hog| Box::pin(budgeted_for(ms(20), hog)));
            // The second beginning is a look as well.
            first_poll(3 * 16, |hog| Box::pin(budgeted_for(ms(3), budgeted_for(SECOND, hog))));
            first_poll(10_000, |hog| Box::pin(budgeted_for(ms(3), unconstrained(hog))));
            first_poll(10_000, |hog| Box::pin(unconstrained(budgeted_for(ms(3), hog))));
        });
    }
}

/// The most of some runs, of which the first one that reaches `allowed` is the last. Each look at the clock moves it, and another
/// thread of the runtime, or the monitor, may look as well: so none has more than is allowed, and one that is not disturbed has
/// all of it.
fn most(allowed: u32, mut run: impl FnMut() -> u32) -> u32 {
    let mut most = 0;
    for _ in 0..20 {
        most = most.max(run());
        if most >= allowed {
            break;
        }
    }
    most
}

#[test]
fn a_runtime_can_have_one_for_every_poll() {
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = stepping(&name).poll_budget(Duration::from_millis(3)).build().unwrap();
            let slices = 4 * 16;
            let plain: fn(BoxFuture) -> BoxFuture = |hog| hog;
            let here = most(slices, || runtime.block_on(operations(10_000, plain)));
            assert_eq!(here, slices, "{name}: the future of `block_on`");
            let as_task = |allowed: u32, wrap: fn(BoxFuture) -> BoxFuture| {
                most(allowed, || runtime.block_on(runtime.spawn(operations(10_000, wrap))).unwrap())
            };
            assert_eq!(as_task(slices, plain), slices, "{name}: a task");
            let local = most(slices, || {
                runtime.block_on(async { spawn_local(operations(10_000, plain)).await.unwrap() })
            });
            assert_eq!(local, slices, "{name}: a local task");
            let longer = as_task(3 * 16, |hog| Box::pin(budgeted_for(SECOND, hog)));
            assert_eq!(longer, 3 * 16, "{name}: the earlier end holds");
            assert_eq!(as_task(10_000, |hog| Box::pin(unconstrained(hog))), 10_000, "{name}: unconstrained");
        });
    }
}

/// The least of some runs, of which the first one that is within `allowed` is the last. What a worker has queued goes to the injector
/// when it seems stuck, and on a busy machine one that was not let run does: then a few polls of a hog may come one after the other.
/// One that is not disturbed has none more than is allowed.
fn least(allowed: u32, mut run: impl FnMut() -> u32) -> u32 {
    let mut least = u32::MAX;
    for _ in 0..5 {
        least = least.min(run());
        if least <= allowed {
            break;
        }
    }
    least
}

/// Operations of a hog between two polls of a neighbour, at most. Whoever else looks at the clock makes it go faster.
fn gap_of_a_neighbour<H>(
    runtime: &polyloop::Runtime,
    hog: impl FnOnce(Arc<AtomicU32>, Arc<AtomicBool>) -> H,
) -> u32
where
    H: Future<Output = ()> + Send + 'static,
{
    let (count, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let hog = hog(count.clone(), over.clone());
    let neighbour = async move {
        let (mut most, mut last) = (0, count.load(Relaxed));
        for _ in 0..50 {
            yield_now().await;
            let now = count.load(Relaxed);
            (most, last) = (most.max(now - last), now);
        }
        over.store(true, Relaxed);
        most
    };
    let both = runtime.spawn(async move { (spawn(hog), spawn(neighbour)) });
    let (hog, neighbour) = runtime.block_on(both).unwrap();
    let most = runtime.block_on(neighbour).unwrap();
    runtime.block_on(hog).unwrap();
    most
}

/// Three hogs: a channel of ours that is never empty, and two of somebody else's that are wrapped.
#[test]
fn a_neighbour_waits_for_the_time_and_one_slice() {
    fn ours(count: Arc<AtomicU32>, over: Arc<AtomicBool>) -> BoxFuture {
        Box::pin(async move {
            let (sender, mut receiver) = mpsc::channel(1);
            while !over.load(Relaxed) {
                sender.try_send(()).unwrap();
                receiver.recv().await.unwrap();
                count.fetch_add(1, Relaxed);
            }
        })
    }
    fn foreign(count: Arc<AtomicU32>, over: Arc<AtomicBool>) -> BoxFuture {
        Box::pin(async move {
            let mut all: FuturesUnordered<_> = (0..4).map(|_| std::future::ready(())).collect();
            while !over.load(Relaxed) {
                budgeted(all.next()).await.unwrap();
                all.push(std::future::ready(()));
                count.fetch_add(1, Relaxed);
            }
        })
    }
    const LIMIT_MS: u32 = 20;
    let bound = (LIMIT_MS + 1) * 16;
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let limit = Duration::from_millis(LIMIT_MS.into());
            for hog in [ours, foreign] {
                let runtime = stepping(&name).build().unwrap();
                let wrapped = least(bound, || {
                    gap_of_a_neighbour(&runtime, |count, over| budgeted_for(limit, hog(count, over)))
                });
                assert!(wrapped <= bound, "{name}: {wrapped} in between");
                let runtime = stepping(&name).poll_budget(limit).build().unwrap();
                let everybody = least(bound, || gap_of_a_neighbour(&runtime, hog));
                assert!(everybody <= bound, "{name}: {everybody} in between");
                // It is one of time: more than there may be by number, as nobody else is there to look at the clock.
                assert!(wrapped.max(everybody) > OPERATIONS, "{name}: {wrapped}, {everybody}");
            }
        });
    }
}

#[test]
fn a_poll_that_ends_with_an_operation_that_was_pending_counts_as_one_all_the_same() {
    // A whole slice, and then something that is looked at, filled up for, and not to be had.
    async fn slice_and_wait() {
        for _ in 0..16 {
            consume_budget().await;
        }
        std::future::poll_fn(|cx| poll_proceed(cx).map(drop)).await;
        std::future::pending().await
    }
    for name in names(&[1]) {
        let runtime = builder(&name).build().unwrap();
        let polls = runtime.block_on(async {
            spawn(std::future::poll_fn(|cx| {
                let mut polls = 0;
                while has_budget_remaining() && polls < 10 * OPERATIONS {
                    let mut hog = std::pin::pin!(budgeted_for(10 * SECOND, slice_and_wait()));
                    assert!(hog.as_mut().poll(cx).is_pending());
                    polls += 1;
                }
                std::task::Poll::Ready(polls)
            }))
            .await
            .unwrap()
        });
        assert_eq!(polls, OPERATIONS, "{name}");
    }
}
