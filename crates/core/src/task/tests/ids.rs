//! Ids: one per task, the same whoever asks and whenever.

use super::*;
use std::collections::HashSet;

/// What a handle of a task that is done yields, and the handle stays.
fn poll_join<T>(handle: &mut JoinHandle<T>) -> Result<T, JoinError> {
    match poll_with(handle, Waker::noop()) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the task is not done"),
    }
}

#[test]
fn every_task_has_its_own_also_in_a_slot_that_is_used_again() {
    let world = World::new();
    let mut seen = HashSet::new();
    let tasks = if cfg!(miri) { 40 } else { 1000 };
    for _ in 0..tasks {
        let handle = world.spawn(async { id() });
        let before = handle.id();
        world.run_all();
        assert_eq!(joined(handle).unwrap(), before);
        assert!(seen.insert(before));
    }
    world.assert_empty();
}

#[test]
fn all_that_refer_to_a_task_say_the_same() {
    let world = World::new();
    let mut handle = world.spawn(async { try_id().unwrap() });
    let (early, late) = (handle.abort_handle(), handle.abort_handle());
    assert_eq!(early.id(), handle.id());
    world.run_all();
    let inside = poll_join(&mut handle).unwrap();
    assert_eq!([inside, early.id(), late.id()], [handle.id(); 3]);
    assert_eq!(handle.abort_handle().id(), inside);
    drop((early, late, handle));
    world.assert_empty();
}

#[test]
fn a_handle_asked_after_it_has_yielded_says_what_an_abort_handle_says() {
    let world = World::new();
    let mut handle = world.spawn(async {});
    let abort = handle.abort_handle();
    world.run_all();
    poll_join(&mut handle).unwrap();
    assert_eq!(handle.id(), abort.id());
    let later = handle.abort_handle();
    drop((handle, abort));
    assert!(later.is_finished());
    drop(later);
    world.assert_empty();
}

#[test]
fn a_handle_asked_only_after_it_has_yielded_keeps_to_what_it_said() {
    let world = World::new();
    let mut handle = world.spawn(async {});
    world.run_all();
    poll_join(&mut handle).unwrap();
    assert_eq!(handle.id(), handle.id());
    assert_eq!(handle.abort_handle().id(), handle.id());
    let other = world.spawn(async {});
    assert_ne!(other.id(), handle.id());
    drop((handle, other));
    world.run_all();
    world.assert_empty();
}

#[test]
fn an_error_names_the_task_that_it_came_from() {
    let world = World::new();
    let mut panics = world.spawn(async { panic!("on purpose") });
    let mut aborted = world.spawn(core::future::pending::<()>());
    let known = aborted.id();
    aborted.abort();
    world.run_all();
    let error = poll_join(&mut panics).unwrap_err();
    assert_eq!(error.id(), panics.id());
    assert_eq!(error.try_into_panic().unwrap().downcast_ref(), Some(&"on purpose"));
    let error = poll_join(&mut aborted).unwrap_err();
    assert_eq!((error.id(), error.try_into_panic().unwrap_err().id()), (known, known));
    drop((panics, aborted));
    world.assert_empty();
}

#[test]
fn a_task_with_a_name_keeps_it_and_so_does_one_without() {
    let world = World::new();
    let mut meta = here();
    meta.name = Some("named".into());
    let named = world.space.spawn(async {}, meta.clone());
    let plain = world.spawn(async {});
    let before = plain.meta();
    assert_ne!(named.id(), plain.id());
    assert_eq!((named.meta(), plain.meta()), (Some(meta), before));
    assert_eq!(named.abort_handle().meta(), named.meta());
    drop((named, plain));
    world.run_all();
    world.assert_empty();
}

#[test]
fn outside_of_a_task_there_is_none() {
    assert_eq!(try_id(), None);
    let payload = std::panic::catch_unwind(id).unwrap_err();
    assert!(payload.downcast_ref::<&str>().unwrap().starts_with("there is no task here"));
}

#[test]
fn inside_of_a_job_that_may_block_there_is_none() {
    let world = World::new();
    let handle = world.spawn(async { crate::context::outside_of_tasks(try_id) });
    world.run_all();
    assert_eq!(joined(handle).unwrap(), None);
    world.assert_empty();
}

#[test]
fn a_task_that_is_dropped_is_the_current_one_in_its_drop() {
    struct Tell(Arc<Mutex<Option<Id>>>);
    impl Drop for Tell {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = try_id();
        }
    }
    let world = World::new();
    let told = Arc::new(Mutex::new(None));
    let tell = Tell(told.clone());
    let handle = world.spawn(async move {
        let _tell = tell;
        core::future::pending::<()>().await;
    });
    let id = handle.id();
    handle.abort();
    world.run_all();
    assert_eq!(*told.lock().unwrap(), Some(id));
    drop(handle);
    world.assert_empty();
}

#[test]
fn many_that_ask_at_once_hear_the_same() {
    let rounds = if cfg!(miri) { 10 } else { 200 };
    for _ in 0..rounds {
        let world = World::new();
        let handle = world.spawn(async {});
        let heard = std::thread::scope(|scope| {
            let asking = [(); 4].map(|()| scope.spawn(|| handle.id()));
            asking.map(|asking| asking.join().unwrap())
        });
        assert_eq!(heard, [handle.id(); 4]);
        drop(handle);
        world.run_all();
        world.assert_empty();
    }
}
