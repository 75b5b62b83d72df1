//! Where tasks lie: sizes, alignments, pages that go and come back.

use super::*;
use core::marker::PhantomPinned;

#[derive(Clone, Copy)]
#[repr(align(65536))]
struct Aligned64K(u8);
#[derive(Clone, Copy)]
#[repr(align(8192))]
struct Aligned8K(u8);
#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Aligned4K(u8);
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Aligned64(u8);

/// Holds `T` across polls, says whether it stayed where it was, aligned, and gives it out.
struct Holds<T> {
    value: T,
    seen_at: usize,
    _pinned: PhantomPinned,
}

impl<T> Holds<T> {
    fn new(value: T) -> Self {
        Self { value, seen_at: 0, _pinned: PhantomPinned }
    }
}

impl<T: Copy> Future for Holds<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: nothing is moved out.
        let this = unsafe { self.get_unchecked_mut() };
        let at = (&raw const this.value).addr();
        assert_eq!(at % align_of::<T>(), 0);
        if this.seen_at == 0 {
            this.seen_at = at;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        assert_eq!(at, this.seen_at, "a task never moves");
        Poll::Ready(this.value)
    }
}

/// Ready at once, with an output that is more aligned than the future.
async fn only_the_output<T: Send + Copy>(value: impl FnOnce() -> T + Send) -> T {
    value()
}

/// Calls `f` on a thread with this much stack.
fn on_a_stack_of(bytes: usize, f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(bytes).spawn(f).unwrap().join().unwrap();
}

#[test]
fn futures_of_every_alignment() {
    on_a_stack_of(32 << 20, futures_of_every_alignment_);
}

fn futures_of_every_alignment_() {
    let world = World::new();
    let handles = (
        world.spawn(Holds::new(Aligned64(1))),
        world.spawn(Holds::new(Aligned4K(2))),
        world.spawn(Holds::new(Aligned8K(3))),
        world.spawn(Holds::new(Aligned64K(4))),
    );
    assert_eq!(world.space.live_tasks(), 4);
    assert_eq!(world.run_all(), 8);
    assert_eq!(joined(handles.0).unwrap().0, 1);
    assert_eq!(joined(handles.1).unwrap().0, 2);
    assert_eq!(joined(handles.2).unwrap().0, 3);
    assert_eq!(joined(handles.3).unwrap().0, 4);
    assert_eq!(world.space.allocated_bytes(), 0, "each had a page of its own");
    world.assert_empty();
}

#[test]
fn outputs_more_aligned_than_their_future() {
    on_a_stack_of(32 << 20, outputs_more_aligned_than_their_future_);
}

fn outputs_more_aligned_than_their_future_() {
    let world = World::new();
    let handles = (
        world.spawn(only_the_output(|| Aligned4K(2))),
        world.spawn(only_the_output(|| Aligned8K(3))),
        world.spawn(only_the_output(|| Aligned64K(4))),
    );
    assert_eq!(world.run_all(), 3);
    assert_eq!(joined(handles.0).unwrap().0, 2);
    assert_eq!(joined(handles.1).unwrap().0, 3);
    assert_eq!(joined(handles.2).unwrap().0, 4);
    world.assert_empty();
}

#[test]
fn more_aligned_tasks_are_found_at_shutdown() {
    let (world, counts) = (World::new(), Counts::new());
    let on_drop = OnDrop(counts.clone());
    drop(world.spawn(async move {
        let _on_drop = on_drop;
        let value = Aligned64K(1);
        std::future::pending::<()>().await;
        std::hint::black_box(&value);
    }));
    assert_eq!(world.run_one(), Outcome::Pending);
    assert_eq!(world.space.live_tasks(), 1);
    world.assert_empty();
    assert_eq!(counts.drops(), 1);
}

/// Lives across a poll, so that it is part of the future.
async fn big<const BYTES: usize>() -> u8 {
    let mut bytes = [0_u8; BYTES];
    crate::task::tests::yield_once().await;
    bytes[BYTES - 1] += 1;
    std::hint::black_box(&bytes)[BYTES - 1]
}

// A debug build moves a future several times on its way, the test's own calls included.
#[test]
fn a_future_of_a_quarter_mebibyte_fits_a_stack_of_two() {
    on_a_stack_of(2 << 20, || {
        let world = World::new();
        let handle = world.spawn(big::<{ 1 << 18 }>());
        assert!(world.space.allocated_bytes() > 1 << 18);
        assert_eq!(world.run_all(), 2);
        assert_eq!(joined(handle).unwrap(), 1);
        world.assert_empty();
    });
}

const PAGE: usize = 64 * 1024;
const BURST: usize = if cfg!(miri) { 80 } else { 100_000 };

/// Spawns a burst of tasks that wait, runs them to their end, and says how much memory they took together.
fn burst(world: &World, counts: &Arc<Counts>) -> usize {
    let shelf = Shelf::default();
    for _ in 0..BURST {
        drop(world.spawn(shelf.stores(counts, 2)));
    }
    world.run_all();
    let most = world.space.allocated_bytes();
    shelf.take().into_iter().for_each(Waker::wake);
    world.run_all();
    most
}

/// How many slots a page has depends on its colour, and so on where the allocator puts it: as many tasks may take a page
/// in 64 more or fewer.
#[track_caller]
fn assert_about(bytes: usize, expected: usize) {
    assert!(bytes.abs_diff(expected) <= PAGE + expected / 64, "{bytes} bytes, not about {expected}");
}

#[test]
fn a_burst_at_home_gives_its_pages_back() {
    let (world, counts) = (World::new(), Counts::new());
    let space = world.space.clone();
    space.enter(|| {
        let most = burst(&world, &counts);
        assert!(most > BURST * 48);
        assert_eq!(counts.drops(), BURST);
        assert_eq!(world.space.allocated_bytes(), PAGE, "one page per size stays");
        assert_about(burst(&world, &counts), most);
        assert_eq!(world.space.allocated_bytes(), PAGE);
    });
    world.assert_empty();
}

#[test]
fn a_burst_from_outside_gives_its_pages_back_when_a_worker_sleeps() {
    let (world, counts) = (World::new(), Counts::new());
    burst(&world, &counts);
    assert!(world.space.allocated_bytes() > 3 * PAGE, "nobody has looked after them yet");
    world.space.enter(|| crate::context::resting(|| ()));
    assert_eq!(world.space.allocated_bytes(), PAGE);
    world.assert_empty();
}

#[test]
fn a_burst_that_another_thread_ended_gives_its_pages_back() {
    let (world, counts) = (Arc::new(World::new()), Counts::new());
    let (elsewhere, space) = (world.clone(), world.space.clone());
    space.enter(|| {
        for _ in 0..BURST {
            world.space.spawn_detached(scripted(&counts, |_| Poll::Ready(())), here());
        }
        let most = world.space.allocated_bytes();
        std::thread::spawn(move || elsewhere.space.clone().enter(|| elsewhere.run_all())).join().unwrap();
        assert_eq!((counts.drops(), world.space.allocated_bytes()), (BURST, most));
        crate::context::resting(|| ());
        assert_eq!(world.space.allocated_bytes(), PAGE);
    });
    world.assert_empty();
}

#[test]
fn a_burst_of_a_worker_that_sleeps_gives_its_pages_back_when_the_last_one_sleeps() {
    let (world, counts) = (Arc::new(World::new()), Counts::new());
    let (elsewhere, space) = (world.clone(), world.space.clone());
    space.enter(|| {
        for _ in 0..BURST {
            world.space.spawn_detached(scripted(&counts, |_| Poll::Ready(())), here());
        }
        crate::context::resting(|| {
            let other = move || {
                elsewhere.run_all();
                crate::context::resting(|| ());
                // One page of this thread's own, if it had any, and one of the sleeper's.
                assert!(elsewhere.space.allocated_bytes() <= 2 * PAGE);
                elsewhere.space.live_tasks()
            };
            let space = world.space.clone();
            assert_eq!(std::thread::spawn(move || space.enter(other)).join().unwrap(), 0);
        });
        // It has its heap again.
        let before = world.space.allocated_bytes();
        world.space.spawn_detached(scripted(&counts, |_| Poll::Ready(())), here());
        world.run_all();
        assert_eq!(world.space.allocated_bytes(), before);
    });
    assert_eq!(counts.drops(), BURST + 1);
    world.assert_empty();
}

#[test]
fn a_worker_that_sleeps_while_its_space_ends_leaves_nothing() {
    let (world, counts) = (Arc::new(World::new()), Counts::new());
    let (elsewhere, space) = (world.clone(), world.space.clone());
    space.enter(|| {
        drop(world.spawn(scripted(&counts, |_| Poll::Ready(()))));
        world.run_all();
        crate::context::resting(|| std::thread::spawn(move || elsewhere.shut_down()).join().unwrap());
        assert_eq!(world.space.allocated_bytes(), 0);
        drop(world.spawn(scripted(&counts, |_| Poll::Ready(()))));
        assert_eq!(world.space.allocated_bytes(), 0, "cancelled at once");
    });
    assert_eq!(counts.drops(), 2);
}

#[test]
fn slots_that_other_threads_freed_are_used_before_a_new_page_is_taken() {
    let (world, counts) = (Arc::new(World::new()), Counts::new());
    let (elsewhere, space) = (world.clone(), world.space.clone());
    let spawn_all = || {
        for _ in 0..BURST {
            world.space.spawn_detached(scripted(&counts, |_| Poll::Ready(())), here());
        }
    };
    space.enter(|| {
        spawn_all();
        let most = world.space.allocated_bytes();
        std::thread::spawn(move || elsewhere.run_all()).join().unwrap();
        spawn_all();
        assert_about(world.space.allocated_bytes(), most);
        world.run_all();
    });
    assert_eq!(world.space.allocated_bytes(), PAGE);
    world.assert_empty();
}

#[test]
fn pages_of_a_thread_that_left_go_with_their_last_task() {
    let (world, counts, shelf) = (Arc::new(World::new()), Counts::new(), Shelf::default());
    let tasks = if cfg!(miri) { 60 } else { 5_000 };
    let (there, there_counts, there_shelf) = (world.clone(), counts.clone(), shelf.clone());
    let handles = std::thread::spawn(move || {
        there.space.clone().enter(|| {
            let handles: Vec<_> =
                (0..tasks).map(|_| there.spawn(there_shelf.stores(&there_counts, 2))).collect();
            there.run_all();
            handles
        })
    })
    .join()
    .unwrap();
    // The runtime goes; its tasks are over, but their wakers and handles are not.
    world.shut_down();
    let pages = world.space.allocated_bytes();
    assert!(pages > 2 * PAGE);
    let wakers = shelf.take();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(wakers));
        scope.spawn(move || drop(handles));
    });
    assert_eq!((counts.drops(), world.space.allocated_bytes()), (tasks, 0));
}

#[test]
fn a_page_is_freed_by_whoever_is_last_while_its_heap_retires() {
    let rounds = if cfg!(miri) { 5 } else { 2_000 };
    for _ in 0..rounds {
        let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
        drop((0..4).map(|_| world.spawn(shelf.stores(&counts, 0))).collect::<Vec<_>>());
        world.run_all();
        world.close();
        let start = std::sync::Barrier::new(3);
        let (space, wakers) = (Arc::downgrade(&world.space), shelf.take());
        std::thread::scope(|scope| {
            let mut wakers = wakers.into_iter();
            for _ in 0..2 {
                let (mine, start) = ([wakers.next(), wakers.next()], &start);
                scope.spawn(move || {
                    start.wait();
                    drop(mine);
                });
            }
            start.wait();
            world.space.retire();
            drop(world);
        });
        assert_eq!(space.strong_count(), 0);
    }
}

#[test]
fn tasks_spawned_after_the_end_are_cancelled_and_leave_nothing() {
    let (world, counts) = (World::new(), Counts::new());
    world.shut_down();
    let handle = world.spawn(scripted(&counts, |_| Poll::Ready(())));
    world.space.spawn_detached(scripted(&counts, |_| Poll::Ready(())), here());
    let inside = world.space.enter(|| world.spawn(scripted(&counts, |_| Poll::Ready(()))));
    assert_eq!((counts.polls(), counts.drops()), (0, 3));
    assert!(joined(handle).unwrap_err().is_cancelled());
    assert!(joined(inside).unwrap_err().is_cancelled());
    assert_eq!((world.space.live_tasks(), world.space.allocated_bytes()), (0, 0));
}

#[test]
fn every_size_finds_a_slot() {
    fn of_size<const BYTES: usize>(world: &World) {
        drop(world.spawn(async move {
            let bytes = [1_u8; BYTES];
            yield_once().await;
            assert!(std::hint::black_box(&bytes).iter().all(|&byte| byte == 1));
        }));
    }
    let world = World::new();
    let rounds = if cfg!(miri) { 1 } else { 3 };
    for _ in 0..rounds {
        of_size::<0>(&world);
        of_size::<1>(&world);
        of_size::<100>(&world);
        of_size::<470>(&world);
        of_size::<500>(&world);
        of_size::<1000>(&world);
        of_size::<2000>(&world);
        of_size::<4000>(&world);
        of_size::<4100>(&world);
        of_size::<{ if cfg!(miri) { 7_000 } else { 70_000 } }>(&world);
    }
    assert_eq!(world.space.live_tasks(), 10 * rounds);
    assert_eq!(world.run_all(), 20 * rounds);
    world.assert_empty();
}
