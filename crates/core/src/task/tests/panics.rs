//! Panics at every place where foreign code runs. Each is contained, and the task still ends once.

use super::*;
use crate::{WakeBatch, contained_panics};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::task::{RawWaker, RawWakerVTable};

/// Panics when dropped, having counted.
struct Bomb(Arc<Counts>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, SeqCst);
        panic!("bomb");
    }
}

fn text(error: JoinError) -> String {
    *error.into_panic().downcast::<&str>().map(|text| Box::new(text.to_string())).unwrap_or_default()
}

#[test]
fn in_poll() {
    let (world, counts) = (World::new(), Counts::new());
    let handle = world.spawn(scripted(&counts, |_| -> Poll<()> { panic!("in poll") }));
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!((counts.polls(), counts.drops()), (1, 1));
    let error = joined(handle).unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert_eq!(error.to_string(), "the task panicked: in poll");
    assert_eq!(text(error), "in poll");
    world.assert_empty();
}

#[test]
fn in_poll_of_a_detached_task() {
    let (world, counts) = (World::new(), Counts::new());
    world.space.spawn_detached(scripted(&counts, |_| -> Poll<()> { panic!("in poll") }), here());
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(counts.drops(), 1);
    world.assert_empty();
}

#[test]
fn in_the_drop_of_a_future_that_ended() {
    let (world, counts) = (World::new(), Counts::new());
    let bomb = Bomb(counts.clone());
    let output = Counts::new();
    let result = OnDrop(output.clone());
    let mut result = Some(result);
    let handle = world.spawn(std::future::poll_fn(move |_| {
        let _ = &bomb;
        Poll::Ready(result.take())
    }));
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(text(joined(handle).map(drop).unwrap_err()), "bomb");
    assert_eq!((counts.drops(), output.drops()), (1, 1), "the output gives way to the panic");
    world.assert_empty();
}

#[test]
fn in_poll_and_in_the_drop_after_it() {
    let (world, counts) = (World::new(), Counts::new());
    let bomb = Bomb(counts.clone());
    let handle = world.spawn(std::future::poll_fn(move |_| -> Poll<()> {
        let _ = &bomb;
        panic!("first")
    }));
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(text(joined(handle).unwrap_err()), "first");
    assert_eq!(counts.drops(), 1);
    world.assert_empty();
}

#[test]
fn in_the_drop_of_a_cancelled_future() {
    let (world, counts) = (World::new(), Counts::new());
    let bomb = Bomb(counts.clone());
    let handle = world.spawn(async move {
        let _bomb = bomb;
        std::future::pending::<()>().await;
    });
    world.pop().unwrap().0.cancel();
    assert_eq!(text(joined(handle).unwrap_err()), "bomb");
    assert_eq!(counts.drops(), 1);
    world.assert_empty();
}

#[test]
fn in_the_drop_of_a_cancelled_future_and_of_the_reason() {
    let (world, counts) = (World::new(), Counts::new());
    let bombs = (Bomb(counts.clone()), Bomb(counts.clone()));
    let mut handle = world.spawn(async move {
        let _bomb = bombs.0;
        std::future::pending::<()>().await;
    });
    let (woken, waker) = counting_waker();
    assert!(poll_with(&mut handle, &waker).is_pending());
    world.pop().unwrap().0.fail(JoinError::panicked(Box::new(bombs.1)));
    assert_eq!((woken.wakes(), counts.drops()), (1, 2), "the joiner hears of it all the same");
    assert_eq!(text(joined(handle).unwrap_err()), "bomb");
    world.assert_empty();
}

#[test]
fn in_the_drop_of_an_output_that_nobody_takes() {
    let (world, counts) = (World::new(), Counts::new());
    let before = contained_panics();
    for stage in ["detached", "dropped before", "dropped after"] {
        let bomb = Bomb(counts.clone());
        let future = async move { bomb };
        match stage {
            "detached" => world.space.spawn_detached(future, here()),
            "dropped before" => drop(world.spawn(future)),
            _ => {
                let handle = world.spawn(future);
                world.run_all();
                drop(handle);
            }
        }
        world.run_all();
    }
    assert_eq!(counts.drops(), 3);
    assert!(contained_panics() >= before + 3);
    world.assert_empty();
}

#[test]
fn in_the_drop_of_a_payload() {
    let (world, counts) = (World::new(), Counts::new());
    let before = contained_panics();
    let bomb = Bomb(counts.clone());
    drop(world.spawn(async move { panic_any(bomb) }));
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(counts.drops(), 1);
    assert!(contained_panics() > before);
    world.assert_empty();
}

/// A waker that panics when it is cloned, woken or dropped, as chosen.
#[derive(Default)]
struct Touchy {
    clone: AtomicBool,
    wake: AtomicBool,
    drop: AtomicBool,
    alive: AtomicUsize,
}

static TOUCHY: RawWakerVTable = RawWakerVTable::new(
    |data| {
        assert!(!touchy(data).clone.load(SeqCst), "clone");
        touchy(data).alive.fetch_add(1, SeqCst);
        RawWaker::new(data, &TOUCHY)
    },
    |data| {
        touchy(data).alive.fetch_sub(1, SeqCst);
        assert!(!touchy(data).wake.load(SeqCst), "wake");
    },
    |data| assert!(!touchy(data).wake.load(SeqCst), "wake by reference"),
    |data| {
        touchy(data).alive.fetch_sub(1, SeqCst);
        assert!(!touchy(data).drop.load(SeqCst), "drop");
    },
);

fn touchy<'a>(data: *const ()) -> &'a Touchy {
    // SAFETY: `Touchy::waker` borrows from a value that its test keeps until the end.
    unsafe { &*data.cast::<Touchy>() }
}

impl Touchy {
    fn waker(&self) -> std::mem::ManuallyDrop<Waker> {
        let data = core::ptr::from_ref(self).cast();
        // SAFETY: the functions keep the contract of `RawWaker`, as long as no clone outlives `self`, which the tests
        // assert by `alive`.
        std::mem::ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data, &TOUCHY)) })
    }
}

#[test]
fn in_the_wake_of_a_joiner() {
    let (world, touchy) = (World::new(), Touchy::default());
    touchy.wake.store(true, SeqCst);
    let mut handle = world.spawn(async { 7 });
    assert!(poll_with(&mut handle, &touchy.waker()).is_pending());
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(joined(handle).unwrap(), 7);
    assert_eq!(touchy.alive.load(SeqCst), 0);
    world.assert_empty();
}

#[test]
fn in_the_clone_of_a_joiner() {
    let (world, touchy) = (World::new(), Touchy::default());
    let mut handle = world.spawn(async { 7 });
    assert!(poll_with(&mut handle, Waker::noop()).is_pending());
    touchy.clone.store(true, SeqCst);
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| poll_with(&mut handle, &touchy.waker()))).is_err());
    }
    let (woken, waker) = counting_waker();
    assert!(poll_with(&mut handle, &waker).is_pending());
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(woken.wakes(), 1);
    assert_eq!(joined(handle).unwrap(), 7);
    world.assert_empty();
}

#[test]
fn in_the_drop_of_a_joiner() {
    let (world, touchy) = (World::new(), Touchy::default());
    touchy.drop.store(true, SeqCst);
    let mut handle = world.spawn(async { 7 });
    // Replaced, then dropped with its handle.
    assert!(poll_with(&mut handle, &touchy.waker()).is_pending());
    assert!(poll_with(&mut handle, Waker::noop()).is_pending());
    assert!(poll_with(&mut handle, &touchy.waker()).is_pending());
    drop(handle);
    assert_eq!(touchy.alive.load(SeqCst), 0);
    assert_eq!(world.run_one(), Outcome::Done);
    world.assert_empty();
}

#[test]
fn of_one_waker_in_a_batch_leaves_the_others_to_be_woken() {
    let touchy = Touchy::default();
    touchy.wake.store(true, SeqCst);
    let (woken, waker) = counting_waker();
    let before = contained_panics();
    let mut batch = WakeBatch::new();
    batch.extend((0..31).map(|_| waker.clone()));
    batch.push(Waker::clone(&touchy.waker()));
    batch.extend((0..31).map(|_| waker.clone()));
    batch.wake_all();
    assert_eq!((woken.wakes(), touchy.alive.load(SeqCst)), (62, 0));
    assert!(contained_panics() > before);
}

#[test]
fn other_tasks_go_on_after_every_panic() {
    let (world, counts) = (World::new(), Counts::new());
    let canary = world.spawn(scripted(&counts, |cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    for _ in 0..10 {
        drop(world.spawn(async { panic!("once more") }));
        let polls = counts.polls();
        world.run_one();
        world.run_one();
        assert_eq!(counts.polls(), polls + 1);
    }
    canary.abort();
    world.run_all();
    assert!(joined(canary).unwrap_err().is_cancelled());
    world.assert_empty();
}

#[test]
fn in_the_scheduler_of_a_joiner() {
    #[derive(Debug)]
    struct Refuses(AtomicBool, Mutex<Vec<Runnable>>);
    impl Schedule for Refuses {
        fn schedule(&self, runnable: Runnable, _: Why) {
            if self.0.load(SeqCst) {
                panic!("no more");
            }
            self.1.lock().unwrap().push(runnable);
        }
    }
    let world = World::new();
    let handle = world.spawn(async { 3 });
    let refuses = Arc::new(Refuses(AtomicBool::new(false), Mutex::default()));
    let other = TaskSpace::new(refuses.clone());
    let joiner = other.spawn(handle, here());
    let runnable = refuses.1.lock().unwrap().pop().unwrap();
    assert!(matches!(runnable.run(), Ran::Pending));
    refuses.0.store(true, SeqCst);
    let before = contained_panics();
    assert_eq!(world.run_one(), Outcome::Done, "the panic is not the joined task's");
    assert!(contained_panics() > before);
    assert!(joined(joiner).unwrap_err().is_cancelled(), "the runnable was dropped by the panic");
    other.retire();
    world.assert_empty();
}
