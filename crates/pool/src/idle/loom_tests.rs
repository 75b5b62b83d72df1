//! Models of announce and recheck: a push and a worker that falls asleep, in every interleaving.

use super::{AfterSearch, Idle};
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::sync::{Arc, Mutex};
use loom::thread;

/// Work that is visible at once, as an injector's is; its counter tells nothing about order.
#[derive(Default)]
struct Work(AtomicUsize);

impl Work {
    fn push(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn has_some(&self) -> bool {
        self.0.load(Relaxed) > 0
    }
}

/// Whether the worker fell asleep for good: it slept, and was not called.
fn sleeps(idle: &Idle, work: &Work, worker: usize) -> bool {
    idle.begin_search();
    if work.has_some() {
        let _ = idle.found();
        return false;
    }
    idle.announce(worker);
    if work.has_some() {
        idle.retract(worker);
        let _ = idle.found();
        return false;
    }
    true
}

#[test]
fn loom_a_push_finds_the_sleeper_or_the_sleeper_finds_the_push() {
    loom::model(|| {
        let (idle, work) = (Arc::new(Idle::new(1)), Arc::new(Work::default()));
        let worker = {
            let (idle, work) = (idle.clone(), work.clone());
            thread::spawn(move || sleeps(&idle, &work, 0))
        };
        work.push();
        let called = idle.call_one();
        let asleep = worker.join().unwrap();
        assert!(!asleep || called == Some(0), "the worker sleeps over the work");
    });
}

#[test]
fn loom_one_sleeper_is_called_once() {
    loom::model(|| {
        let idle = Arc::new(Idle::new(1));
        idle.begin_search();
        idle.announce(0);
        let calls = Arc::new(Mutex::new(0));
        let caller = |idle: Arc<Idle>, calls: Arc<Mutex<i32>>| {
            move || {
                if idle.call_one().is_some() {
                    *calls.lock().unwrap() += 1;
                }
            }
        };
        let other = thread::spawn(caller(idle.clone(), calls.clone()));
        caller(idle.clone(), calls.clone())();
        other.join().unwrap();
        assert_eq!(*calls.lock().unwrap(), 1);
        assert_eq!(idle.found(), AfterSearch::CallNext, "the called worker counts as searching");
    });
}

#[test]
fn loom_the_last_searcher_sees_what_a_pusher_left_to_it() {
    loom::model(|| {
        // Worker 1 sleeps; worker 0 searches and is about to find something.
        let (idle, work) = (Arc::new(Idle::new(2)), Arc::new(Work::default()));
        idle.begin_search();
        idle.announce(1);
        idle.begin_search();
        let searcher = {
            let (idle, work) = (idle.clone(), work.clone());
            thread::spawn(move || {
                let after = idle.found();
                (after == AfterSearch::CallNext && work.has_some()).then(|| idle.call_one()).flatten()
            })
        };
        work.push();
        let called = idle.call_one();
        let called_by_searcher = searcher.join().unwrap();
        assert_eq!(called.or(called_by_searcher), Some(1), "nobody was called for the second runnable");
    });
}

#[test]
fn loom_a_push_for_one_worker_finds_that_one_or_is_found_by_it() {
    loom::model(|| {
        // `Notify::Worker`: worker 1, which sleeps, would not look for it.
        let (idle, work) = (Arc::new(Idle::new(2)), Arc::new(Work::default()));
        idle.begin_search();
        idle.announce(1);
        let worker = {
            let (idle, work) = (idle.clone(), work.clone());
            thread::spawn(move || sleeps(&idle, &work, 0))
        };
        work.push();
        let called = idle.call(0);
        let asleep = worker.join().unwrap();
        assert!(!asleep || called, "the worker sleeps over what only it would look for");
        assert_eq!(idle.sleepers(), 1 + usize::from(asleep && !called), "the other one sleeps on");
    });
}

#[test]
fn loom_two_searchers_do_not_rely_on_each_other() {
    loom::model(|| {
        let (idle, work) = (Arc::new(Idle::new(2)), Arc::new(Work::default()));
        let worker = |index| {
            let (idle, work) = (idle.clone(), work.clone());
            move || sleeps(&idle, &work, index)
        };
        let other = thread::spawn(worker(1));
        let pusher = {
            let (idle, work) = (idle.clone(), work.clone());
            thread::spawn(move || {
                work.push();
                idle.call_one()
            })
        };
        let first = worker(0)();
        let second = other.join().unwrap();
        let called = pusher.join().unwrap();
        assert!(
            !first || !second || called.is_some(),
            "both sleep over the work, each counting on the other"
        );
    });
}

#[test]
fn loom_a_push_beside_a_call_that_is_half_done_wakes_somebody() {
    loom::model(|| {
        // Both workers sleep.
        let (idle, work) = (Arc::new(Idle::new(2)), Arc::new(Work::default()));
        for worker in [0, 1] {
            idle.begin_search();
            idle.announce(worker);
        }
        let caller = {
            let idle = idle.clone();
            thread::spawn(move || idle.pick())
        };
        // Worker 0 wakes up by itself, finds something, and is in a long poll then.
        let worker = {
            let (idle, work) = (idle.clone(), work.clone());
            thread::spawn(move || {
                idle.retract(0);
                let after = idle.found();
                (after == AfterSearch::CallNext && work.has_some()).then(|| idle.call_one()).flatten()
            })
        };
        work.push();
        let called = [idle.call_one(), caller.join().unwrap(), worker.join().unwrap()];
        assert!(called.contains(&Some(1)), "nobody was called for the runnable: {called:?}");
    });
}

#[test]
fn loom_a_worker_that_leaves_hands_its_search_on() {
    loom::model(|| {
        // Worker 1 sleeps; worker 0 searches, and goes on standby instead of finding something.
        let (idle, work) = (Arc::new(Idle::new(2)), Arc::new(Work::default()));
        idle.begin_search();
        idle.announce(1);
        idle.begin_search();
        let leaver = {
            let (idle, work) = (idle.clone(), work.clone());
            thread::spawn(move || {
                idle.leave();
                work.has_some().then(|| idle.pick()).flatten()
            })
        };
        work.push();
        let called = idle.call_one();
        let called_by_leaver = leaver.join().unwrap();
        assert_eq!(called.or(called_by_leaver), Some(1), "nobody was called for the runnable");
    });
}
