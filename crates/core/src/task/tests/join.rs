//! The join handle: before and after completion, with other wakers, dropped at each stage.

use super::*;
use std::task::{RawWaker, RawWakerVTable};

/// Pends until it is woken, then yields an output whose drop counts.
fn ends_when_woken(
    counts: &Arc<Counts>,
    output: &Arc<Counts>,
) -> (Shelf, impl Future<Output = OnDrop> + Send + use<>) {
    let (shelf, output) = (Shelf::default(), output.clone());
    let (stored, mut first) = (shelf.clone(), true);
    let future = scripted(counts, move |cx| {
        if std::mem::take(&mut first) {
            stored.put(cx);
            return Poll::Pending;
        }
        Poll::Ready(OnDrop(output.clone()))
    });
    (shelf, future)
}

#[test]
fn joined_after_completion() {
    let (world, counts, output) = (World::new(), Counts::new(), Counts::new());
    let handle = world.spawn({
        let output = output.clone();
        scripted(&counts, move |_| Poll::Ready(OnDrop(output.clone())))
    });
    assert!(!handle.is_finished());
    world.run_all();
    assert!(handle.is_finished());
    assert_eq!((counts.drops(), output.drops()), (1, 0), "the future goes at once, the output stays");
    let taken = joined(handle).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(output.drops(), 0);
    drop(taken);
    assert_eq!(output.drops(), 1);
    world.assert_empty();
}

#[test]
fn joined_before_completion() {
    let (world, counts, output) = (World::new(), Counts::new(), Counts::new());
    let (shelf, future) = ends_when_woken(&counts, &output);
    let mut handle = world.spawn(future);
    let (woken, waker) = counting_waker();
    assert!(poll_with(&mut handle, &waker).is_pending());
    world.run_all();
    assert!(poll_with(&mut handle, &waker).is_pending());
    shelf.take().pop().unwrap().wake();
    assert_eq!(woken.wakes(), 0);
    world.run_all();
    assert_eq!(woken.wakes(), 1);
    assert!(matches!(poll_with(&mut handle, &waker), Poll::Ready(Ok(_))));
    assert_eq!(output.drops(), 1);
    drop(handle);
    assert_eq!(Arc::strong_count(&woken), 2, "no clone of the waker is left behind");
    world.assert_empty();
}

#[test]
#[should_panic(expected = "polled after it had yielded")]
fn polled_after_it_yielded() {
    let world = World::new();
    let mut handle = world.spawn(async {});
    world.run_all();
    assert!(poll_with(&mut handle, Waker::noop()).is_ready());
    let _ = poll_with(&mut handle, Waker::noop());
}

#[test]
fn a_handle_that_yielded_answers_still() {
    let world = World::new();
    let mut handle = world.spawn(async { 3 });
    assert!(handle.meta().is_some());
    world.run_all();
    assert!(matches!(poll_with(&mut handle, Waker::noop()), Poll::Ready(Ok(3))));
    assert!(handle.is_finished() && handle.meta().is_none());
    handle.abort();
    let abort = handle.abort_handle();
    abort.abort();
    assert!(abort.is_finished());
    world.assert_empty();
}

#[test]
fn another_waker_replaces_the_first_and_only_it_is_woken() {
    let (world, counts, output) = (World::new(), Counts::new(), Counts::new());
    let (shelf, future) = ends_when_woken(&counts, &output);
    let mut handle = world.spawn(future);
    let ((first, first_waker), (second, second_waker)) = (counting_waker(), counting_waker());
    for _ in 0..3 {
        assert!(poll_with(&mut handle, &first_waker).is_pending());
    }
    assert_eq!(Arc::strong_count(&first), 3);
    assert!(poll_with(&mut handle, &second_waker).is_pending());
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (2, 3));
    world.run_all();
    shelf.take().pop().unwrap().wake();
    world.run_all();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    assert!(poll_with(&mut handle, &first_waker).is_ready());
    world.assert_empty();
}

#[test]
fn a_task_of_ours_replaces_a_foreign_waker_and_back() {
    let (world, counts, output) = (World::new(), Counts::new(), Counts::new());
    let (shelf, future) = ends_when_woken(&counts, &output);
    let mut handle = world.spawn(future);
    world.run_all();
    let (foreign, foreign_waker) = counting_waker();
    assert!(poll_with(&mut handle, &foreign_waker).is_pending());
    // Now by a task, whose waker is ours.
    let slot = Arc::new(Mutex::new(Some(handle)));
    let in_task = slot.clone();
    let joiner = world.spawn(std::future::poll_fn(move |cx| {
        let mut slot = in_task.lock().unwrap();
        let Some(handle) = &mut *slot else { return Poll::Ready(()) };
        Pin::new(handle).poll(cx).map(drop)
    }));
    world.run_all();
    assert_eq!(Arc::strong_count(&foreign), 2);
    let mut handle = slot.lock().unwrap().take().unwrap();
    assert!(poll_with(&mut handle, &foreign_waker).is_pending());
    shelf.take().pop().unwrap().wake();
    assert_eq!(world.run_all(), 1, "the joiner that was replaced is not woken");
    assert_eq!(foreign.wakes(), 1);
    assert!(!joiner.is_finished());
    drop((handle, joiner));
    world.shut_down();
    assert_eq!(output.drops(), 1);
    world.assert_empty();
}

/// A waker whose every clone lies elsewhere: the address of one that was dropped may be given to another's.
mod boxed {
    use super::*;

    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

    fn raw(target: Arc<CountWakes>) -> RawWaker {
        RawWaker::new(Box::into_raw(Box::new(target)).cast_const().cast(), &VTABLE)
    }

    fn borrowed<'a>(data: *const ()) -> &'a Arc<CountWakes> {
        // SAFETY: the data pointer is a box of this type until `release`.
        unsafe { &*data.cast::<Arc<CountWakes>>() }
    }

    fn clone(data: *const ()) -> RawWaker {
        raw(borrowed(data).clone())
    }

    fn wake(data: *const ()) {
        wake_by_ref(data);
        release(data);
    }

    fn wake_by_ref(data: *const ()) {
        std::task::Wake::wake_by_ref(borrowed(data));
    }

    fn release(data: *const ()) {
        // SAFETY: it came from `raw`, and is released once.
        drop(unsafe { Box::from_raw(data.cast_mut().cast::<Arc<CountWakes>>()) });
    }

    pub(super) fn waker(target: &Arc<CountWakes>) -> Waker {
        // SAFETY: the functions keep the contract of `RawWaker`: each clone owns its box.
        unsafe { Waker::from_raw(raw(target.clone())) }
    }

    /// A waker of `second` at the address where one of `first` lies, made without the allocator's help.
    pub(super) fn retarget(waker: &Waker, second: &Arc<CountWakes>) {
        // SAFETY: the waker is the box's only owner, and nobody looks at it meanwhile.
        unsafe { *waker.data().cast_mut().cast::<Arc<CountWakes>>() = second.clone() };
    }
}

#[test]
fn a_waker_at_the_address_of_an_earlier_one_is_not_taken_for_it() {
    let world = World::new();
    let mut handle = world.spawn(async {});
    let (first, second) = (Arc::new(CountWakes::default()), Arc::new(CountWakes::default()));
    let waker = boxed::waker(&first);
    assert!(poll_with(&mut handle, &waker).is_pending());
    // As if this waker had been dropped and another one been made in its place.
    boxed::retarget(&waker, &second);
    assert!(poll_with(&mut handle, &waker).is_pending());
    world.run_all();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    drop((waker, handle));
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    world.assert_empty();
}

#[test]
fn dropped_before_the_first_poll() {
    let (world, counts, output) = (World::new(), Counts::new(), Counts::new());
    let (shelf, future) = ends_when_woken(&counts, &output);
    drop(world.spawn(future));
    world.run_all();
    assert_eq!(world.space.live_tasks(), 1, "a dropped handle detaches");
    shelf.take().pop().unwrap().wake();
    world.run_all();
    assert_eq!((counts.polls(), counts.drops(), output.drops()), (2, 1, 1));
    world.assert_empty();
}

#[test]
fn dropped_while_it_waits() {
    let (world, counts, output) = (World::new(), Counts::new(), Counts::new());
    let (shelf, future) = ends_when_woken(&counts, &output);
    let mut handle = world.spawn(future);
    let (woken, waker) = counting_waker();
    world.run_all();
    assert!(poll_with(&mut handle, &waker).is_pending());
    drop(handle);
    assert_eq!(Arc::strong_count(&woken), 2, "the waker went with the handle");
    shelf.take().pop().unwrap().wake();
    world.run_all();
    assert_eq!((woken.wakes(), output.drops()), (0, 1));
    world.assert_empty();
}

#[test]
fn dropped_after_completion() {
    let (world, counts, output) = (World::new(), Counts::new(), Counts::new());
    let (shelf, future) = ends_when_woken(&counts, &output);
    let mut handle = world.spawn(future);
    let (woken, waker) = counting_waker();
    world.run_all();
    assert!(poll_with(&mut handle, &waker).is_pending());
    shelf.take().pop().unwrap().wake();
    world.run_all();
    assert_eq!((woken.wakes(), output.drops()), (1, 0));
    drop(handle);
    assert_eq!((Arc::strong_count(&woken), output.drops()), (2, 1));
    world.assert_empty();
}

#[test]
fn dropped_by_the_task_itself_in_its_last_poll() {
    let (world, output) = (World::new(), Counts::new());
    let own: Arc<Mutex<Option<JoinHandle<OnDrop>>>> = Arc::default();
    let handle = world.spawn({
        let (own, output) = (own.clone(), output.clone());
        async move {
            drop(own.lock().unwrap().take());
            OnDrop(output)
        }
    });
    *own.lock().unwrap() = Some(handle);
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(output.drops(), 1);
    world.assert_empty();
}

#[test]
fn dropped_with_the_future_that_it_waits_for() {
    // The handle is dropped while the task completes, between the future's end and its publication.
    let (world, output) = (World::new(), Counts::new());
    let own: Arc<Mutex<Option<JoinHandle<OnDrop>>>> = Arc::default();
    struct DropsHandle(Arc<Mutex<Option<JoinHandle<OnDrop>>>>);
    impl Drop for DropsHandle {
        fn drop(&mut self) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let mut handle = world.spawn({
        let (drops, output) = (DropsHandle(own.clone()), output.clone());
        std::future::poll_fn(move |_| {
            let _ = &drops;
            Poll::Ready(OnDrop(output.clone()))
        })
    });
    let (woken, waker) = counting_waker();
    assert!(poll_with(&mut handle, &waker).is_pending());
    *own.lock().unwrap() = Some(handle);
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!((output.drops(), woken.wakes(), Arc::strong_count(&woken)), (1, 0, 2));
    world.assert_empty();
}

#[test]
fn two_tasks_that_await_each_other_are_dropped_at_shutdown() {
    let (world, counts) = (World::new(), Counts::new());
    let slots: [Arc<Mutex<Option<JoinHandle<()>>>>; 2] = Default::default();
    let handles: Vec<_> = (0..2)
        .map(|other| {
            let (slot, on_drop) = (slots[other].clone(), OnDrop(counts.clone()));
            world.spawn(async move {
                let _on_drop = on_drop;
                let handle = slot.lock().unwrap().take().unwrap();
                let _ = handle.await;
            })
        })
        .collect();
    for (slot, handle) in slots.iter().rev().zip(handles) {
        *slot.lock().unwrap() = Some(handle);
    }
    assert_eq!(world.run_all(), 2);
    assert_eq!((world.space.live_tasks(), counts.drops()), (2, 0));
    world.assert_empty();
    assert_eq!(counts.drops(), 2);
}

#[test]
fn a_task_that_awaits_itself_is_dropped_at_shutdown() {
    let (world, counts) = (World::new(), Counts::new());
    let own: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
    let handle = world.spawn({
        let (own, on_drop) = (own.clone(), OnDrop(counts.clone()));
        async move {
            let _on_drop = on_drop;
            let handle = own.lock().unwrap().take().unwrap();
            let _ = handle.await;
        }
    });
    *own.lock().unwrap() = Some(handle);
    assert_eq!(world.run_all(), 1);
    world.assert_empty();
    assert_eq!(counts.drops(), 1);
}
