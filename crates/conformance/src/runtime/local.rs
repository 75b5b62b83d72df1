//! Local tasks: those that stay on the thread that is inside `block_on`. For runtimes that have them.

use super::New;
use futures::executor;
use polyloop_traits::{NotLocal, Runtime, SpawnLocal};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

/// They run beside the future of `block_on`, and none survives it.
pub fn local_tasks_run_and_are_dropped_with_block_on<R: Runtime + SpawnLocal, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let shared = Rc::new(3);
    rt.block_on(async {
        let local = shared.clone();
        let sum = rt.spawn_local(async move { *local + 4 }).unwrap();
        assert_eq!(sum.await.unwrap(), 7);
        let held = shared.clone();
        let waiting = rt.spawn_local(async move {
            let _held = held;
            pending::<()>().await;
        });
        polyloop_traits::Join::detach(waiting.unwrap());
        rt.yield_now().await;
        assert_eq!(Rc::strong_count(&shared), 2);
    });
    assert_eq!(Rc::strong_count(&shared), 1, "dropped when block_on returned");
}

/// A local task spawns another one.
pub fn a_local_task_spawned_from_a_local_task_runs<R: Runtime + SpawnLocal, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let inner = rt.clone();
    let value = rt.block_on(async {
        let outer = rt.spawn_local(async move { inner.spawn_local(async { Rc::new(9) }).unwrap().await });
        outer.unwrap().await.unwrap().unwrap()
    });
    assert_eq!(*value, 9);
}

/// A thread that is not inside `block_on` has no local tasks; the future comes back unharmed.
pub fn a_local_task_is_refused_elsewhere<R: Runtime + SpawnLocal, K>(new: New<R, K>) {
    fn refused<R: SpawnLocal>(rt: &R) {
        let Err(NotLocal { future }) = rt.spawn_local(async { 1 }) else { panic!("not inside block_on") };
        assert_eq!(executor::block_on(future), 1);
    }
    let (rt, _alive) = new();
    refused(&rt);
    let job = rt.clone();
    rt.block_on(async { rt.spawn_blocking(move || refused(&job)).await }).unwrap();
}

/// Whoever is inside `block_on` of one runtime is not inside that of another, and after it has left it is in none.
pub fn a_local_task_is_refused_inside_another_runtime<R: Runtime + SpawnLocal, K>(new: New<R, K>) {
    let ((here, _here_alive), (there, _there_alive)) = (new(), new());
    here.block_on(async {
        let Err(NotLocal { .. }) = there.spawn_local(async {}) else { panic!("it ran on the wrong runtime") };
        here.spawn_local(async {}).unwrap().await.unwrap();
    });
    there.block_on(async {
        let Err(NotLocal { .. }) = here.spawn_local(async {}) else { panic!("it ran on the wrong runtime") };
        there.spawn_local(async {}).unwrap().await.unwrap();
    });
}

/// What is dropped at the end of `block_on` may still make timers and sockets of the runtime.
pub fn a_local_task_that_is_dropped_makes_timers_and_sockets<R: Runtime + SpawnLocal, K>(new: New<R, K>) {
    struct Makes<R: Runtime>(R, super::Counter);
    impl<R: Runtime> Drop for Makes<R> {
        fn drop(&mut self) {
            drop(self.0.sleep(Duration::from_millis(1)));
            self.0.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            self.1.add();
        }
    }
    let (rt, _alive) = new();
    let made = super::Counter::default();
    let makes = Makes(rt.clone(), made.clone());
    rt.block_on(async {
        let waiting = rt.spawn_local(async move {
            let _makes = makes;
            pending::<()>().await;
        });
        polyloop_traits::Join::detach(waiting.unwrap());
        rt.yield_now().await;
    });
    assert_eq!(made.get(), 1);
}
