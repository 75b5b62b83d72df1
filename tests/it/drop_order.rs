//! Everything that belongs to a runtime, dropped in every order and at every kind of place (C9).
//!
//! Invariant: whatever the order, the future is dropped once, and in the end nothing refers to the driver any more: no
//! task, timer, registration or thread is left.

use crate::subjects::{builder, names};
use polyloop::net::TcpStream;
use polyloop::{Handle, Runtime, time};
use polyloop_conformance::{block_thread, is_long, watched};
use polyloop_core::Driver;
use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// 720 runtimes come and go on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many kinds of object there are.
const KINDS: usize = 6;

/// Counts its drop.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// One of everything, each in use, and what must come of it.
struct Scene {
    objects: [Option<Box<dyn Any + Send>>; KINDS],
    drops: Arc<AtomicUsize>,
    driver: Weak<Driver>,
}

impl Scene {
    fn new(name: &str, connection: &std::net::TcpStream) -> Self {
        let runtime = builder(name).build().unwrap();
        let drops = Arc::new(AtomicUsize::new(0));
        let counted = Counted(drops.clone());
        let (give, given) = mpsc::channel();
        let join = runtime.spawn(async move {
            let _counted = counted;
            poll_fn::<(), _>(|cx| {
                give.send(cx.waker().clone()).unwrap();
                Poll::Pending
            })
            .await;
        });
        let waker: Waker = runtime.block_on(async {
            loop {
                match given.try_recv() {
                    Ok(waker) => break waker,
                    Err(_) => polyloop::task::yield_now().await,
                }
            }
        });
        let within = runtime.enter();
        let mut sleep = time::sleep(Duration::from_secs(60));
        // Timer and file hold the task's waker, so that whoever goes first takes a reference of another away.
        let cx = &mut Context::from_waker(&waker);
        assert!(std::pin::Pin::new(&mut sleep).poll(cx).is_pending());
        // A duplicate: thousands of connections would use the ports up.
        let stream = connection.try_clone().unwrap();
        let stream = TcpStream::from_std(stream).unwrap();
        {
            let mut byte = [0];
            assert!(std::pin::pin!(stream.read(&mut byte)).poll(cx).is_pending());
        }
        drop(within);
        let (handle, driver) = (runtime.handle().clone(), Arc::downgrade(runtime.handle().driver()));
        let objects: [Box<dyn Any + Send>; KINDS] = [
            Box::new(runtime),
            Box::new(handle),
            Box::new(join),
            Box::new(waker),
            Box::new(sleep),
            Box::new(stream),
        ];
        Self { objects: objects.map(Some), drops, driver }
    }

    fn handle(&self) -> Handle {
        let handle = self.objects[1].as_ref().and_then(|object| object.downcast_ref::<Handle>());
        handle.expect("not dropped yet").clone()
    }

    fn drop_in(&mut self, order: [usize; KINDS]) {
        for kind in order {
            drop(self.objects[kind].take().expect("each once"));
        }
    }

    fn check(&self, name: &str, order: [usize; KINDS]) {
        // A worker that has been told to end may still be on its way.
        while self.driver.strong_count() > 0 {
            block_thread(Duration::from_micros(100));
        }
        assert_eq!(self.drops.load(SeqCst), 1, "{name}, {order:?}");
    }
}

/// A connection that is silent: its two ends.
fn connection() -> [std::net::TcpStream; 2] {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    [near, listener.accept().unwrap().0]
}

/// All permutations.
fn orders() -> Vec<[usize; KINDS]> {
    fn permute(order: &mut [usize; KINDS], from: usize, all: &mut Vec<[usize; KINDS]>) {
        if from == KINDS {
            all.push(*order);
        }
        for other in from..KINDS {
            order.swap(from, other);
            permute(order, from + 1, all);
            order.swap(from, other);
        }
    }
    let mut all = Vec::new();
    permute(&mut std::array::from_fn(|kind| kind), 0, &mut all);
    assert_eq!(all.len(), 720);
    all
}

/// Lets `place` drop the objects, in every order, each time on a new runtime, on one executor of each kind: what the places differ
/// in is not the reactor.
fn everywhere(place: fn(&mut Scene, [usize; KINDS])) {
    each_on(["fifo+mio+wheel", "steal:2+poll+heap"].map(|name| (name.to_owned(), orders())), place);
}

/// Lets `place` drop the objects in each of these orders on the runtime of that name.
fn each_on(
    asked: impl IntoIterator<Item = (String, Vec<[usize; KINDS]>)>,
    place: fn(&mut Scene, [usize; KINDS]),
) {
    let [near, _far] = connection();
    let near = Arc::new(near);
    for (name, orders) in asked {
        let near = near.clone();
        watched(&name.clone(), PATIENCE, move || {
            for order in orders {
                let mut scene = Scene::new(&name, &near);
                place(&mut scene, order);
                scene.check(&name, order);
            }
        });
    }
}

#[test]
fn on_a_thread_of_its_own() {
    everywhere(Scene::drop_in);
}

/// Every so many orders are asked of a combination, if not all are. Prime to 720, so that the steps do not always meet the same first or
/// last object.
const STEP: usize = 7;

/// With `cargo xtask test --long` in every order on each; without, each order on two or three of them.
#[test]
fn on_every_combination() {
    let some = |(first, name)| {
        let step = if is_long() { 1 } else { STEP };
        (name, orders().into_iter().skip(first % step).step_by(step).collect())
    };
    each_on(names(&[2]).into_iter().enumerate().map(some), Scene::drop_in);
}

#[test]
fn inside_block_on_of_another_runtime() {
    everywhere(|scene, order| {
        let other = Runtime::from_name("fifo+poll+heap").unwrap();
        other.block_on(async { scene.drop_in(order) });
    });
}

#[test]
fn inside_block_on_of_the_same_runtime() {
    everywhere(|scene, order| {
        let handle = scene.handle();
        handle.block_on(async { scene.drop_in(order) });
    });
}

#[test]
fn inside_a_task_of_the_same_runtime() {
    everywhere(|scene, order| {
        let handle = scene.handle();
        let (give, given) = mpsc::channel();
        let mut objects =
            Scene { objects: Default::default(), drops: scene.drops.clone(), driver: Weak::new() };
        std::mem::swap(&mut objects.objects, &mut scene.objects);
        let task = handle.spawn(async move {
            objects.drop_in(order);
            give.send(()).unwrap();
        });
        // The task is cancelled as the poll ends, if it does not end by itself.
        let _ = handle.block_on(task);
        given.recv().expect("it has dropped them all");
    });
}

#[test]
fn while_a_panic_unwinds() {
    struct Late<'a>(&'a mut Scene, [usize; KINDS]);
    impl Drop for Late<'_> {
        fn drop(&mut self) {
            self.0.drop_in(self.1);
        }
    }
    everywhere(|scene, order| {
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _late = Late(scene, order);
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"on purpose"));
    });
}

#[test]
fn in_the_destructors_of_thread_locals() {
    struct Last(Scene, [usize; KINDS]);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.drop_in(self.1);
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    everywhere(|scene, order| {
        let mut objects =
            Scene { objects: Default::default(), drops: scene.drops.clone(), driver: Weak::new() };
        std::mem::swap(&mut objects.objects, &mut scene.objects);
        let thread = thread::spawn(move || {
            // Touched first, so that it goes after whatever the runtime keeps for this thread.
            LAST.with(|_| ());
            objects.handle().block_on(polyloop::task::yield_now());
            LAST.with(|last| *last.borrow_mut() = Some(Last(objects, order)));
        });
        thread.join().unwrap();
    });
}
