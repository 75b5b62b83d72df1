//! Models of looking: a wake that arrives during a look, and a rest that begins during one.

use super::*;
use crate::local::Unpark;
use crate::loom_parts::{Bell, BellParker, driver};
use crate::schedule::{Schedule, Why};
use crate::task::Runnable;
use loom::sync::Arc as LoomArc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

/// There are no tasks in these models.
#[derive(Debug)]
struct Nobody;

impl Schedule for Nobody {
    fn schedule(&self, runnable: Runnable, _: Why) {
        runnable.cancel();
    }
}

struct Scene {
    driver: Arc<Driver>,
    /// Of the thread inside `block_on`.
    inside: Arc<Parking>,
    worker: Arc<Parking>,
    space: Arc<TaskSpace>,
    /// How many threads the process has.
    threads: LoomArc<AtomicUsize>,
}

/// One thread inside `block_on`, one worker, and as many others as make up `threads`.
fn scene(threads: usize) -> Scene {
    let driver = driver();
    let [inside, worker] =
        [(); 2].map(|()| Arc::new(Parking::new(driver.clone(), Box::new(BellParker(Bell::new())))));
    let space = TaskSpace::new(Arc::new(Nobody));
    let threads = LoomArc::new(AtomicUsize::new(threads));
    let (gauge, count) = (Arc::downgrade(&worker), threads.clone());
    driver.deadlocks().begin(Lookout {
        space: Arc::downgrade(&space),
        staff: vec![Box::new(move || gauge.upgrade()?.at_rest().map(|moves| AtRest { threads: 1, moves }))],
        patience: Duration::ZERO,
        threads: Box::new(move || Some(count.load(loom::sync::atomic::Ordering::Acquire))),
        report: Arc::new(|_| ()),
        returned: None,
    });
    Scene { driver, inside, worker, space, threads }
}

#[test]
fn loom_a_wake_by_one_who_ends_is_seen_by_who_looks() {
    loom::model(|| {
        let scene = scene(3);
        let vigil = Vigil::begin(&scene.driver, &scene.inside, &scene.space);
        let (worker, threads) = (scene.worker.clone(), scene.threads.clone());
        let (works, inside) = (scene.worker.clone(), scene.inside.clone());
        let working = thread::spawn(move || {
            works.wait_in_thread();
            works.heed();
            inside.unpark();
            works.rest_for_ever();
        });
        let stranger = thread::spawn(move || {
            worker.unpark();
            threads.fetch_sub(1, loom::sync::atomic::Ordering::Release);
        });
        // The stranger has the worker wake this thread: there is no deadlock, whoever has got how far.
        assert!(!vigil.look(false));
        stranger.join().unwrap();
        working.join().unwrap();
        drop(vigil);
        scene.space.retire();
    });
}

#[test]
fn loom_the_last_one_to_rest_calls_who_found_it_at_work() {
    loom::model(|| {
        let scene = scene(2);
        let vigil = Vigil::begin(&scene.driver, &scene.inside, &scene.space);
        let works = scene.worker.clone();
        let working = thread::spawn(move || works.rest_for_ever());
        if !vigil.look(true) {
            scene.inside.mute(true);
            // loom reports a deadlock if this does not return.
            scene.inside.wait_in_thread();
        }
        working.join().unwrap();
        assert!(vigil.look(false), "both rest");
        drop(vigil);
        scene.space.retire();
    });
}
