//! A model of a set whose poller falls asleep while another thread wakes a task of it.

use super::*;
use crate::loom_parts::Bell;
use core::future::poll_fn;
use core::panic::Location;
use loom::sync::Mutex as LoomMutex;
use loom::thread;
use std::task::Wake;

struct BellWaker(Arc<Bell>);

impl Wake for BellWaker {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

#[test]
fn loom_a_task_of_a_set_that_is_woken_finds_its_poller() {
    loom::model(|| {
        let bell = Bell::new();
        let waker = Waker::from(Arc::new(BellWaker(bell.clone())));
        let mut cx = Context::from_waker(&waker);
        let set = LocalSet::new();
        let slot = loom::sync::Arc::new(LoomMutex::new(None::<Waker>));
        let hand_out = slot.clone();
        let mut polls = 0;
        let task = set.spawn(
            poll_fn(move |cx| {
                polls += 1;
                if polls == 2 {
                    return Poll::Ready(());
                }
                *hand_out.lock().unwrap() = Some(cx.waker().clone());
                Poll::Pending
            }),
            Meta::new(Location::caller()),
        );
        // Entered once for all, so that the model need not go through the slab's memory at each poll.
        set.enter(|| {
            assert!(set.poll_tasks(&mut cx).is_pending());
            // The poller is called for whatever reason, and has not looked yet.
            set.pollers.unpark();
            bell.wait();
            let waking = thread::spawn(move || {
                let waker = slot.lock().unwrap().take().expect("the task left it");
                waker.wake();
            });
            while set.poll_tasks(&mut cx).is_pending() {
                // loom reports a deadlock if this does not return.
                bell.wait();
            }
            assert!(task.is_finished());
            waking.join().unwrap();
        });
    });
}
