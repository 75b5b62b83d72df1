//! Models of what other threads free: while the owner takes it back, and while the heap ends.

use super::*;
use crate::schedule::{Schedule, Why};
use crate::task::Runnable;
use loom::thread;

#[derive(Debug)]
struct Nobody;

impl Schedule for Nobody {
    fn schedule(&self, _: Runnable, _: Why) {
        unreachable!("slots alone make no task");
    }
}

const CLASS: usize = 3;

/// The name of a slot, to be freed on another thread.
struct Slot(NonNull<Header>);

// SAFETY: a vacant slot is whoever's has its name.
unsafe impl Send for Slot {}

struct World {
    space: Arc<TaskSpace>,
    heap: Arc<Heap>,
}

impl World {
    fn new() -> Self {
        Self { space: TaskSpace::new(Arc::new(Nobody)), heap: Arc::new(Heap::new()) }
    }

    /// A slot of the heap, of which the calling thread is the only user.
    fn slot(&self) -> Slot {
        // SAFETY: as promised; the link of a fresh slot is written before anybody looks.
        unsafe {
            let slot = self.heap.allocate(&self.space, CLASS);
            (&raw mut (*slot.as_ptr()).next).write(crate::shim::cell::UnsafeCell::new(null_mut()));
            Slot(slot)
        }
    }

    fn free_elsewhere(&self, slot: Slot) -> thread::JoinHandle<()> {
        let heap = Arc::clone(&self.heap);
        thread::spawn(move || {
            let Slot(slot) = { slot };
            // SAFETY: the slot is this thread's to give.
            unsafe { heap.free_remote(CLASS, slot) };
        })
    }
}

#[test]
fn loom_what_two_threads_free_while_the_owner_looks_comes_back() {
    loom::model(|| {
        let world = World::new();
        let (kept, early) = (world.slot(), world.slot());
        let threads = [world.slot(), world.slot()].map(|slot| world.free_elsewhere(slot));
        // One is there, so that the owner has something to take.
        // SAFETY: the slot is this thread's to give.
        unsafe { world.heap.free_remote(CLASS, early.0) };
        // SAFETY: this thread is the heap's only user.
        unsafe { world.heap.adopt_remote(CLASS) };
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // SAFETY: as above; the page lives while `kept` is out.
        unsafe {
            world.heap.adopt_remote(CLASS);
            assert_eq!((*(*page_of(kept.0)).owner.get()).used, 1, "freed and not back");
            world.heap.free_local(CLASS, kept.0);
            world.heap.retire(&world.space);
        }
        assert_eq!(allocated_bytes(&world.space), 0);
        world.space.retire();
    });
}

#[test]
fn loom_a_page_goes_with_its_last_task_while_its_heap_retires() {
    loom::model(|| {
        let world = World::new();
        let (first, second) = (world.slot(), world.slot());
        let threads = [world.free_elsewhere(first), world.free_elsewhere(second)];
        // SAFETY: this thread is the heap's only user.
        unsafe { world.heap.retire(&world.space) };
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(allocated_bytes(&world.space), 0, "a page that nobody frees");
        world.space.retire();
    });
}
