//! Counts at their limits: references abort the process, wakes saturate without losing one.

use super::state::{REF_LIMIT_FOR_TEST as REF_LIMIT, State, WAKE_LIMIT_FOR_TEST as WAKE_LIMIT};
use super::*;

/// The state word of the task behind the oldest runnable.
fn state_of_queued(world: &World) -> &State {
    let (runnable, why) = world.pop().unwrap();
    let raw = runnable.into_raw();
    // SAFETY: it was made from a runnable a line above.
    world.collect.queue.lock().unwrap().push_front((unsafe { Runnable::from_raw(raw) }, why));
    TaskPtr(raw).state()
}

#[test]
fn a_wake_during_a_poll_that_began_at_the_limit_is_not_lost() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let woken = shelf.clone();
    let mut polls = 0;
    let handle = world.spawn(scripted(&counts, move |cx| {
        polls += 1;
        if polls == 2 {
            // From another thread, so that it is not a self-wake.
            let waker = woken.take().pop().unwrap();
            std::thread::spawn(move || waker.wake()).join().unwrap();
        }
        woken.put(cx);
        if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert_eq!(world.run_one(), Outcome::Pending);
    shelf.0.lock().unwrap()[0].wake_by_ref();
    state_of_queued(&world).add_for_test(0, WAKE_LIMIT - 1);
    assert_eq!(world.run_one(), Outcome::Woken);
    assert_eq!(world.run_one(), Outcome::Done);
    joined(handle).unwrap();
    drop(shelf);
    world.assert_empty();
}

#[test]
fn wakes_beyond_the_limit_are_taken_back() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    drop(world.spawn(shelf.stores(&counts, 0)));
    assert_eq!(world.run_one(), Outcome::Pending);
    let waker = shelf.take().pop().unwrap();
    waker.wake_by_ref();
    let state = state_of_queued(&world);
    state.add_for_test(0, WAKE_LIMIT - 3);
    for _ in 0..100 {
        waker.wake_by_ref();
        assert!(state.load().wakes() <= WAKE_LIMIT);
    }
    for _ in 0..100 {
        waker.wake_by_ref();
        assert!(state.load().wakes() <= WAKE_LIMIT + 1);
    }
    assert_eq!((state.load().references(), world.queued()), (1, 1));
    // The overhang makes one poll too many, never one too few.
    assert_eq!(world.run_one(), Outcome::Woken);
    assert_eq!(world.run_one(), Outcome::Pending);
    assert_eq!(state.load().wakes(), 0);
    drop((waker, shelf));
    world.assert_empty();
}

#[test]
fn wakes_of_an_ended_task_may_pass_every_limit() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let handle = world.spawn(shelf.stores(&counts, 2));
    assert_eq!(world.run_one(), Outcome::Pending);
    let waker = shelf.take().pop().unwrap();
    waker.wake_by_ref();
    let state = state_of_queued(&world);
    assert_eq!(world.run_one(), Outcome::Done);
    state.add_for_test(0, 2 * WAKE_LIMIT - 10);
    for _ in 0..100 {
        waker.wake_by_ref();
        waker.wake_by_ref();
    }
    assert_eq!((state.load().references(), world.queued()), (1, 0));
    assert_eq!(joined(handle).unwrap(), 2);
    waker.wake();
    world.assert_empty();
}

/// Runs the named test of this binary again, in a process that is expected to die of `SIGABRT`.
#[cfg(all(unix, not(miri)))]
fn assert_aborts(test: &str) {
    use std::os::unix::process::ExitStatusExt;
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(MUST_ABORT, "1")
        .output()
        .unwrap();
    const SIGABRT: i32 = 6;
    assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
}

#[cfg(all(unix, not(miri)))]
const MUST_ABORT: &str = "POLYLOOP_TEST_MUST_ABORT";

#[test]
#[cfg(all(unix, not(miri)))]
fn more_references_than_fit_abort_the_process() {
    if std::env::var_os(MUST_ABORT).is_none() {
        return assert_aborts("task::tests::limits::more_references_than_fit_abort_the_process");
    }
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    drop(world.spawn(shelf.stores(&counts, 0)));
    state_of_queued(&world).add_for_test(REF_LIMIT, 0);
    world.run_one();
}

#[test]
fn as_many_references_as_fit_are_fine() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    drop(world.spawn(shelf.stores(&counts, 0)));
    let state = state_of_queued(&world);
    state.add_for_test(REF_LIMIT - 1, 0);
    assert_eq!(world.run_one(), Outcome::Pending);
    assert_eq!((state.load().references(), state.load().wakes()), (REF_LIMIT, 0));
    state.sub_for_test(REF_LIMIT - 1, 0);
    drop(shelf);
    world.assert_empty();
}
