//! Every name that both originals have, 0.2.0 and 0.3.0, with its signature, but for pages: a file that names nothing else, so that it can
//! be compiled against the originals as well (`tests/ecosystem/trpl-original`, `trpl-older`). What 0.3.0 added stands in `api_0_3.rs`,
//! pages in `tests/ecosystem/trpl-get/tests/it/api.rs`; both are compiled against the originals, too.
//!
//! That it compiles is most of the test.

use std::future::{Future, Ready, ready};
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::Duration;
use trpl::{Either, IntervalStream, Receiver, ReceiverStream, Runtime, Sender, Stream, StreamExt};

/// The output of a future, by its type.
fn output<F: Future>(_: &F) -> Option<F::Output> {
    None
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn functions_have_the_originals_signatures() {
    let _: fn(Ready<u8>) -> u8 = trpl::run;
    let _: fn() -> (Sender<u8>, Receiver<u8>) = trpl::channel;
    let _: fn() -> io::Result<Runtime> = Runtime::new;
    let _: fn(Ready<u8>) -> trpl::JoinHandle<u8> = trpl::spawn_task;
    let not_send = std::rc::Rc::new(1);
    assert_eq!(trpl::run(async { *not_send }), 1);

    let raced: Option<Either<u8, char>> = output(&is_send(trpl::race(ready(1_u8), ready('b'))));
    let joined: Option<(u8, char)> = output(&trpl::join(ready(1_u8), ready('b')));
    let three: Option<(u8, char, &str)> = output(&trpl::join3(ready(1_u8), ready('b'), ready("c")));
    let all: Option<Vec<u8>> = output(&trpl::join_all([ready(1_u8), ready(2)]));
    let yielded: Option<()> = output(&is_send(trpl::yield_now()));
    let read: Option<io::Result<String>> = output(&is_send(trpl::read_to_string(PathBuf::from("x"))));
    assert!(raced.is_none() && joined.is_none() && three.is_none());
    assert!(all.is_none() && yielded.is_none() && read.is_none());
}

#[test]
fn what_needs_a_runtime_has_them_too() {
    trpl::run(async {
        let handle = trpl::spawn_task(async { 7_u8 });
        let abort = handle.abort_handle();
        assert!(!abort.is_finished() || handle.is_finished());
        assert_eq!(handle.await.unwrap(), 7);
        let error = trpl::spawn_task(async { panic!("told") }).await.map(|(): ()| ()).unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"told"));
        is_send(trpl::sleep(Duration::from_millis(1))).await;
        let mut interval = trpl::interval(Duration::from_millis(1));
        interval.tick().await;
        assert_eq!(interval.period(), Duration::from_millis(1));
        interval.reset();
        IntervalStream::new(interval).next().await.unwrap();
        let (one, two, three) = trpl::join!(async { 1 }, ready('b'), trpl::yield_now());
        assert_eq!((one, two, three), (1, 'b', ()));
    });
}

#[test]
fn handles_errors_sleeps_and_intervals_have_the_originals_methods() {
    trpl::run(async {
        let handle = is_send(trpl::spawn_task(std::future::pending::<()>()));
        let (id, abort) = (handle.id(), handle.abort_handle());
        assert!(!handle.is_finished() && abort.id() == id && !format!("{handle:?}").is_empty());
        abort.abort();
        let cancelled = handle.await.unwrap_err();
        assert!(
            cancelled.is_cancelled()
                && cancelled.id() == id
                && !format!("{cancelled} {cancelled:?}").is_empty()
        );
        let cancelled = cancelled.try_into_panic().unwrap_err();
        let _: Box<dyn std::error::Error + Send + Sync> = Box::new(cancelled);
        let panicked = trpl::spawn_task(async { panic!("told") }).await.map(|(): ()| ()).unwrap_err();
        assert!(panicked.try_into_panic().is_ok());

        let mut sleep = pin!(trpl::sleep(Duration::from_secs(3600)));
        let (due, soon) = (sleep.deadline(), Duration::from_millis(1));
        assert!(!sleep.is_elapsed());
        sleep.as_mut().reset(due - Duration::from_secs(3600) + soon);
        sleep.as_mut().await;
        assert!(sleep.is_elapsed());

        let mut interval = trpl::interval(soon);
        let first = std::future::poll_fn(|cx| interval.poll_tick(cx)).await;
        interval.reset_immediately();
        assert!(interval.tick().await >= first);
        interval.reset_after(soon);
        interval.reset_at(first + soon);
        interval.tick().await;
        let behavior = interval.missed_tick_behavior();
        assert_eq!(format!("{behavior:?}"), "Burst");
        interval.set_missed_tick_behavior(behavior);
        assert!(!format!("{interval:?}").is_empty());
        let mut ticks = IntervalStream::new(interval);
        let _: &mut _ = ticks.as_mut();
        assert_eq!(ticks.into_inner().period(), soon);
    });
}

#[test]
fn receivers_take_many_and_are_polled() {
    let (sender, mut receiver) = is_send(trpl::channel());
    (0..6_u8).for_each(|n| sender.send(n).unwrap());
    let mut taken = Vec::new();
    assert_eq!(receiver.blocking_recv_many(&mut taken, 2), 2);
    trpl::run(async {
        assert_eq!(std::future::poll_fn(|cx| receiver.poll_recv(cx)).await, Some(2));
        assert_eq!(std::future::poll_fn(|cx| receiver.poll_recv_many(cx, &mut taken, 2)).await, 2);
        assert_eq!(receiver.recv_many(&mut taken, 9).await, 1);
    });
    assert_eq!(taken, [0, 1, 3, 4, 5]);
    assert!(receiver.try_recv().unwrap_err().to_string().contains("empty"));
    let shown = format!("{sender:?} {receiver:?}");
    assert!(!shown.is_empty());
    drop(receiver);
    let refused = sender.send(7).unwrap_err();
    assert!(!format!("{refused} {refused:?}").is_empty());
}

#[test]
fn channels_have_the_originals_methods() {
    let (sender, mut receiver): (Sender<u8>, Receiver<u8>) = trpl::channel();
    let other = sender.clone();
    sender.send(1).unwrap();
    other.send(2).unwrap();
    assert!(sender.same_channel(&other) && !sender.is_closed() && sender.downgrade().upgrade().is_some());
    assert_eq!((sender.strong_count(), sender.weak_count()), (2, 0));
    assert_eq!((receiver.len(), receiver.is_empty(), receiver.is_closed()), (2, false, false));
    assert_eq!((receiver.sender_strong_count(), receiver.sender_weak_count()), (2, 0));
    assert_eq!(receiver.try_recv().unwrap(), 1);
    assert_eq!(receiver.blocking_recv(), Some(2));
    receiver.close();
    let refused = sender.send(3).unwrap_err();
    assert_eq!(refused.0, 3);
    trpl::run(async {
        sender.closed().await;
        let mut rest = Vec::new();
        assert_eq!(receiver.recv_many(&mut rest, 4).await, 0);
        assert_eq!(receiver.recv().await, None);
    });
    let mut stream = ReceiverStream::new(receiver);
    let _: (&Receiver<u8>, ()) = (stream.as_ref(), ());
    let _: &mut Receiver<u8> = stream.as_mut();
    stream.close();
    let _: Receiver<u8> = stream.into_inner();
}

#[test]
fn streams_have_the_originals_methods() {
    fn boxed(stream: impl Stream<Item = u8> + 'static) -> Pin<Box<dyn Stream<Item = u8>>> {
        Box::pin(stream)
    }
    let numbers = || trpl::stream_from_iter([1_u8, 2, 3]);
    let collected: Vec<u8> = trpl::run(async {
        let stream = boxed(numbers().map(|n| n).map_while(Some).then(ready).merge(numbers()).fuse());
        let stream = stream.filter(|n| *n > 0).filter_map(Some).take(9).take_while(|n| *n < 9).skip(0);
        let stream = stream.skip_while(|n| *n > 9).chain(numbers()).peekable();
        let stream = stream.timeout(Duration::from_secs(9)).filter_map(Result::ok);
        let ticks = trpl::interval(Duration::from_secs(9));
        let stream = stream.throttle(Duration::ZERO).timeout_repeating(ticks).filter_map(Result::ok);
        stream.chunks_timeout(1, Duration::from_secs(9)).map(|chunk| chunk[0]).collect().await
    });
    assert_eq!(collected.len(), 9);
    let (all, any, sum, next, tried) = trpl::run(async {
        let all = numbers().all(|n| n > 0).await;
        let any = numbers().any(|n| n > 9).await;
        let sum = numbers().fold(0, |sum, n| sum + n).await;
        let next = pin!(numbers()).next().await;
        let tried: Result<Option<u8>, ()> = trpl::stream_from_iter([Ok(1)]).try_next().await;
        (all, any, sum, next, tried)
    });
    assert_eq!((all, any, sum, next, tried), (true, false, 6, Some(1), Ok(Some(1))));
    assert_eq!(numbers().size_hint(), (3, Some(3)));
}

#[test]
fn either_is_the_originals() {
    let left: Either<u8, u8> = Either::Left(1);
    assert_eq!((left.clone().into_inner(), format!("{left:?}")), (1, "Left(1)".to_owned()));
    let future: Either<Ready<u8>, Ready<u8>> = Either::Right(ready(2));
    assert_eq!(trpl::run(future), 2);
    let same: Either<(char, u8), (char, i8)> = Either::Left(('a', 1));
    assert!(matches!(same.factor_first(), ('a', Either::Left(1))));
    let same: Either<(u8, char), (i8, char)> = Either::Right((1, 'a'));
    assert!(matches!(same.factor_second(), (Either::Right(1), 'a')));
    let mut pinned: Pin<Box<Either<u8, char>>> = Box::pin(Either::Right('b'));
    assert!(matches!(pinned.as_mut().as_pin_mut(), Either::Right(_)));
    assert!(matches!(pinned.as_ref().as_pin_ref(), Either::Right(_)));
    let stream: Either<_, trpl::ReceiverStream<u8>> = Either::Left(trpl::stream_from_iter([1_u8, 2]));
    assert_eq!(trpl::run(stream.collect::<Vec<u8>>()), [1, 2]);
}

#[test]
fn a_runtime_has_the_originals_methods() {
    let runtime = Runtime::new().unwrap();
    let on_handle = runtime.handle().spawn(async { 1 });
    let spawned = runtime.spawn(async { 2 });
    let job = runtime.spawn_blocking(|| 3);
    let results = runtime.block_on(async { (on_handle.await, spawned.await, job.await) });
    assert!(matches!(results, (Ok(1), Ok(2), Ok(3))));
    {
        let _entered = runtime.enter();
        drop(trpl::spawn_task(async {}));
    }
    let _ = runtime.metrics();
    runtime.shutdown_timeout(Duration::from_secs(1));
    Runtime::new().unwrap().shutdown_background();
}
