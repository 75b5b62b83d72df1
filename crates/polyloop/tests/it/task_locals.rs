//! Task-locals, on every combination.

use polyloop::task::{JoinSet, LocalKey, yield_now};
use polyloop::{join, spawn};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

polyloop::task_local! {
    /// Documented, and of the module's own visibility.
    pub(crate) static NUMBER: u32;
    static NAME: String;
    static COUNT: Cell<u32>
}

/// A key may be handed on.
fn number() -> &'static LocalKey<u32> {
    &NUMBER
}

#[polyloop::test(all)]
async fn each_task_has_its_own_wherever_it_runs() {
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        tasks.spawn(NUMBER.scope(n, async move {
            for _ in 0..20 {
                assert_eq!(NUMBER.get(), n);
                yield_now().await;
            }
            NUMBER.get()
        }));
    }
    let mut seen: Vec<u32> = tasks.join_all().await;
    seen.sort_unstable();
    assert_eq!(seen, Vec::from_iter(0..50));
    assert!(NUMBER.try_get().is_err());
}

#[polyloop::test(all)]
async fn scopes_nest_and_stand_side_by_side_in_one_task() {
    let inner = NUMBER.scope(2, async {
        yield_now().await;
        NUMBER.get()
    });
    let beside = NUMBER.scope(3, async {
        yield_now().await;
        NUMBER.get()
    });
    let outer = NUMBER.scope(1, async {
        let both = join!(inner, beside);
        // What is spawned inherits nothing.
        let spawned = spawn(async { NUMBER.try_get() }).await.unwrap();
        (both, NUMBER.get(), spawned.is_err(), NUMBER.sync_scope(4, || number().get()))
    });
    assert_eq!(outer.await, ((2, 3), 1, true, 4));
}

#[polyloop::test(all)]
async fn the_value_is_there_when_the_future_is_dropped() {
    struct Told(Rc<Cell<u32>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.set(NUMBER.get());
        }
    }
    let seen = Rc::new(Cell::new(0));
    let told = Told(seen.clone());
    let never = NUMBER.scope(5, async move {
        let _told = told;
        pending::<()>().await
    });
    let mut never = Box::pin(never);
    poll_fn(|cx| {
        assert!(never.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    NUMBER.sync_scope(9, || drop(never));
    assert_eq!(seen.get(), 5);
}

#[test]
fn a_value_is_lent_counted_and_taken_back() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future =
        pin!(COUNT.scope(Cell::new(1), async { COUNT.with(|count| count.set(count.get() + 1)) }));
    assert!(future.as_mut().poll(&mut cx).is_ready());
    assert_eq!(future.as_mut().take_value(), Some(Cell::new(2)));
    assert_eq!(future.take_value(), None);
    assert_eq!(NAME.sync_scope("n".to_owned(), || NAME.with(String::len)), 1);
}

#[test]
fn misuse_says_what_to_do() {
    let message = |body: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(body)).unwrap_err();
        payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()))
    };
    let outside = message(&|| assert_eq!(NUMBER.get(), 0)).unwrap();
    assert!(outside.contains("run this within its `scope`"), "{outside}");
    let looking = message(&|| NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())))).unwrap();
    assert!(looking.contains("while somebody looks"), "{looking}");
    // After a panic within, the outer value is back.
    NUMBER.sync_scope(1, || {
        assert!(message(&|| NUMBER.sync_scope(2, || panic!("within"))).unwrap().contains("within"));
        assert_eq!(NUMBER.get(), 1);
    });
}
