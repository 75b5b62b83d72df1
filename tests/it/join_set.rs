//! Sets of tasks, on every combination.
//!
//! Invariant: order and counts; where time is needed, it is the paused clock's.

use crate::subjects::{builder, names};
use polyloop::task::{Id, JoinSet, consume_budget, id, yield_now};
use polyloop::time::sleep;
use polyloop::{Runtime, select};
use polyloop_conformance::{LIMIT, watched};
use std::collections::HashSet;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `body` on each combination, its clock paused.
fn everywhere(body: fn(&Runtime)) {
    for name in names(&[1, 2, 4]) {
        watched(&name.clone(), LIMIT, move || body(&builder(&name).start_paused(true).build().unwrap()));
    }
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

async fn forever(_counted: Counted) {
    pending().await
}

/// Lets time pass until everybody has had a turn.
async fn settle() {
    sleep(SECOND).await;
}

#[test]
fn tasks_are_joined_in_the_order_in_which_they_end() {
    everywhere(|runtime| {
        let ended = runtime.block_on(async {
            let mut set = JoinSet::new();
            // 7 has no factor in common with 10, so each second once, in disorder.
            for n in 0..10 {
                let at = n * 7 % 10;
                set.spawn(async move {
                    sleep(SECOND * at).await;
                    at
                });
            }
            let mut ended = Vec::new();
            while let Some(at) = set.join_next().await {
                ended.push(at.unwrap());
            }
            ended
        });
        assert_eq!(ended, Vec::from_iter(0..10));
    });
}

#[test]
fn an_empty_set_has_nothing_to_join() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::<u8>::new();
            assert!(set.is_empty() && set.join_next().await.is_none() && set.try_join_next().is_none());
            set.shutdown().await;
            set.spawn(async { 1 });
            assert_eq!(set.len(), 1);
            assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
            assert!(set.is_empty() && set.join_next().await.is_none());
        });
    });
}

#[test]
fn a_thousand_tasks_are_joined_once_each_while_others_come() {
    everywhere(|runtime| {
        let seen = runtime.block_on(async {
            let mut set = JoinSet::from_iter((0..500).map(async |n| n));
            let (mut seen, mut more) = (HashSet::new(), 500..1000);
            while let Some(n) = set.join_next().await {
                assert!(seen.insert(n.unwrap()), "joined once");
                // Into the place that has become vacant.
                if let Some(n) = more.next() {
                    set.spawn(async move {
                        if n % 3 == 0 {
                            yield_now().await;
                        }
                        n
                    });
                }
            }
            seen
        });
        assert_eq!(seen, HashSet::from_iter(0..1000));
    });
}

#[test]
fn a_join_takes_one_poll_per_end_however_many_tasks_there_are() {
    everywhere(|runtime| {
        let polls = runtime.block_on(async {
            let mut set = JoinSet::new();
            for _ in 0..1000 {
                set.spawn(pending());
            }
            for n in 1..=10 {
                set.spawn(sleep(SECOND * n));
            }
            let mut polls = 0;
            for _ in 0..10 {
                poll_fn(|cx| {
                    polls += 1;
                    set.poll_join_next(cx)
                })
                .await
                .unwrap()
                .unwrap();
            }
            polls
        });
        assert!(polls <= 20, "once to wait and once to take: {polls}");
    });
}

#[test]
fn a_join_that_loses_a_select_loses_no_output() {
    everywhere(|runtime| {
        let sum = runtime.block_on(async {
            let mut set = JoinSet::from_iter((0..300).map(async |n: u32| {
                for _ in 0..n % 7 {
                    yield_now().await;
                }
                n
            }));
            let mut sum = 0;
            loop {
                select! {
                    joined = set.join_next() => match joined {
                        Some(n) => sum += n.unwrap(),
                        None => break sum,
                    },
                    () = yield_now() => {}
                }
            }
        });
        assert_eq!(sum, 299 * 300 / 2);
    });
}

#[test]
fn joining_at_once_disturbs_nobody_who_waits() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(sleep(SECOND));
            // Waits, and then looks without waiting, all in one poll.
            let both = poll_fn(|cx| match set.poll_join_next(cx) {
                Poll::Ready(joined) => Poll::Ready(joined),
                Poll::Pending => {
                    assert!(set.try_join_next().is_none() && set.try_join_next_with_id().is_none());
                    Poll::Pending
                }
            });
            both.await.unwrap().unwrap();
        });
    });
}

#[test]
fn ids_are_the_same_on_all_ways() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let known: HashSet<Id> = (0..20).map(|_| set.spawn(async { id() }).id()).collect();
            assert_eq!(known.len(), 20);
            for _ in 0..10 {
                let (id, inside) = set.join_next_with_id().await.unwrap().unwrap();
                assert!(known.contains(&id) && id == inside);
            }
            settle().await;
            for _ in 0..10 {
                let (id, inside) = set.try_join_next_with_id().unwrap().unwrap();
                assert!(known.contains(&id) && id == inside);
            }
            let failing = set.spawn(async { panic!("on purpose") });
            assert_eq!(set.join_next_with_id().await.unwrap().unwrap_err().id(), failing.id());
        });
    });
}

#[test]
fn the_root_of_block_on_and_a_task_have_ids_and_a_job_has_none() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let root = id();
            let child = polyloop::spawn(async { id() });
            let known = child.id();
            assert_eq!(child.await.unwrap(), known);
            assert_ne!(known, root);
            assert_eq!(id(), root);
            let job = polyloop::task::spawn_blocking(polyloop::task::try_id);
            assert_eq!(job.await.unwrap(), None);
        });
    });
}

#[test]
fn all_are_aborted_and_still_joined() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let drops = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            for _ in 0..10 {
                set.spawn(forever(Counted(drops.clone())));
            }
            set.spawn(async {});
            settle().await;
            set.abort_all();
            assert_eq!(set.len(), 11);
            let (mut cancelled, mut done) = (0, 0);
            while let Some(joined) = set.join_next().await {
                match joined {
                    Err(error) if error.is_cancelled() => cancelled += 1,
                    joined => {
                        joined.unwrap();
                        done += 1;
                    }
                }
            }
            assert_eq!((cancelled, done, drops.load(SeqCst)), (10, 1, 10));
        });
    });
}

#[test]
fn a_set_that_shuts_down_has_dropped_all_its_futures() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let drops = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            for _ in 0..100 {
                set.spawn(forever(Counted(drops.clone())));
            }
            set.shutdown().await;
            assert_eq!((set.len(), drops.load(SeqCst)), (0, 100));
        });
    });
}

#[test]
fn a_set_that_is_dropped_aborts_its_tasks() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let drops = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            for _ in 0..100 {
                set.spawn(forever(Counted(drops.clone())));
            }
            drop(set);
            settle().await;
            assert_eq!(drops.load(SeqCst), 100);
        });
    });
}

#[test]
fn tasks_that_are_detached_run_on() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let ran = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            for _ in 0..10 {
                let ran = ran.clone();
                set.spawn(async move {
                    sleep(SECOND).await;
                    ran.fetch_add(1, SeqCst);
                });
            }
            set.detach_all();
            assert!(set.is_empty() && set.join_next().await.is_none());
            set.spawn(async {});
            settle().await;
            settle().await;
            assert_eq!((ran.load(SeqCst), set.len()), (10, 1));
            drop(set);
        });
    });
}

#[test]
fn outputs_are_collected_in_the_order_of_the_ends() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let sleeps = (0..5).rev().map(async |n: u32| {
                sleep(SECOND * n).await;
                n
            });
            assert_eq!(JoinSet::from_iter(sleeps).join_all().await, [0, 1, 2, 3, 4]);
        });
    });
}

#[test]
fn a_panic_comes_out_of_join_all_and_the_others_are_aborted() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let drops = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            set.spawn(forever(Counted(drops.clone())));
            set.spawn(async { panic!("on purpose") });
            let mut all = pin!(set.join_all());
            // As a boxed poll, because a panic of this very future is what is looked for.
            let panicked = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| all.as_mut().poll(cx))) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(_)) => unreachable!("one of them never ends"),
                Err(payload) => Poll::Ready(payload),
            });
            assert_eq!(panicked.await.downcast_ref(), Some(&"on purpose"));
            settle().await;
            assert_eq!(drops.load(SeqCst), 1);
        });
    });
}

#[test]
fn tasks_of_all_kinds_fit_into_one_set() {
    everywhere(|runtime| {
        let other = Runtime::from_name("steal:1").unwrap();
        let mut seen = runtime.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(async { "here" });
            set.spawn_on(async { "there" }, other.handle());
            set.spawn_blocking(|| "job");
            set.spawn_blocking_on(|| "job there", other.handle());
            let not_send = Rc::new("local");
            set.spawn_local(async move {
                yield_now().await;
                *not_send
            });
            let named = set.build_task().name("named").spawn(async { "named" });
            assert!(named.meta().is_some_and(|meta| meta.name.as_deref() == Some("named")));
            set.join_all().await
        });
        seen.sort_unstable();
        assert_eq!(seen, ["here", "job", "job there", "local", "named", "there"]);
    });
}

#[test]
fn the_spawn_site_of_a_member_is_where_it_was_spawned() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let (spawned, line) = (set.spawn(async {}), line!());
            let (built, built_line) = (set.build_task().spawn(async {}), line!());
            let (job, job_line) = (set.spawn_blocking(|| ()), line!());
            for (handle, line) in [(spawned, line), (built, built_line), (job, job_line)] {
                let location = handle.meta().unwrap().location;
                assert_eq!((location.file(), location.line()), (file!(), line));
            }
        });
    });
}

#[test]
fn a_set_outlives_the_runtime_of_its_tasks() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let (here, there) = (Runtime::from_name("fifo").unwrap(), builder(&name).build().unwrap());
            let mut set = JoinSet::new();
            set.spawn_on(pending::<()>(), there.handle());
            drop(there);
            let joined = here.block_on(set.join_next());
            assert!(joined.unwrap().unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn many_that_have_ended_are_joined_within_the_budget_of_a_poll() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::from_iter((0..1000).map(|_| async {}));
            settle().await;
            let mut joined = 0;
            let mut joining: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {
                while set.join_next().await.is_some() {
                    joined += 1;
                }
            });
            consume_budget().await;
            // The first poll of a fresh budget, one operation of which is gone.
            let first = poll_fn(|cx| Poll::Ready(joining.as_mut().poll(cx).is_pending())).await;
            assert!(first, "a thousand are more than the budget of one poll");
            joining.await;
            assert_eq!(joined, 1000);
        });
    });
}
