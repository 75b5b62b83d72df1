//! A model of the end: a push from outside while the pool closes, in every interleaving.

use super::Gate;
use crate::idle::Idle;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;

#[test]
fn loom_a_push_while_the_pool_closes_is_drained() {
    loom::model(|| {
        // Relaxed: what orders the queue and the flag is the two fences, and nothing else.
        let (gate, queue) = (Arc::new(Gate::open()), Arc::new(AtomicUsize::new(0)));
        let closing = {
            let (gate, queue) = (gate.clone(), queue.clone());
            thread::spawn(move || {
                gate.close();
                queue.load(Relaxed)
            })
        };
        queue.fetch_add(1, Relaxed);
        let _ = Idle::new(1).call_one();
        let drained_by_pusher = gate.has_closed_on_push();
        let seen_by_last_drain = closing.join().unwrap() == 1;
        assert!(drained_by_pusher || seen_by_last_drain, "the runnable is left behind");
    });
}
