//! What the chapter relies on beyond signatures, on every combination: orders, ends and virtual time.

use polyloop::time::Instant;
use std::future::{pending, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trpl::Either;

const SECOND: Duration = Duration::from_secs(1);

/// What was said, in order.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn say(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn all(&self) -> String {
        self.0.lock().unwrap().join(" ")
    }
}

/// Says when it is dropped.
struct Witness(Said, &'static str);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

async fn steps(said: Said, name: &str, count: usize, yields: bool) {
    for step in 1..=count {
        said.say(format!("{name}{step}"));
        if yields {
            trpl::yield_now().await;
        }
    }
}

#[polyloop::test(all)]
async fn a_race_without_yields_is_the_firsts() {
    let said = Said::default();
    let won = trpl::race(steps(said.clone(), "a", 3, false), steps(said.clone(), "b", 3, false)).await;
    assert!(matches!(won, Either::Left(())));
    assert_eq!(said.all(), "a1 a2 a3");
}

#[polyloop::test(all)]
async fn a_race_with_yields_takes_turns_and_drops_the_loser() {
    let said = Said::default();
    let b = async {
        let _witness = Witness(said.clone(), "dropped");
        steps(said.clone(), "b", 4, true).await;
    };
    let won = trpl::select(steps(said.clone(), "a", 3, true), b).await;
    assert!(matches!(won, Either::Left(())));
    assert_eq!(said.all(), "a1 b1 a2 b2 a3 b3 dropped");
}

#[polyloop::test(all)]
async fn where_both_are_ready_the_first_wins() {
    assert!(matches!(trpl::race(ready(1), ready(2)).await, Either::Left(1)));
    assert!(matches!(trpl::race(pending::<()>(), ready(2)).await, Either::Right(2)));
    assert!(matches!(trpl::select(ready('x'), pending::<()>()).await, Either::Left('x')));
}

#[polyloop::test(all)]
async fn joins_poll_in_the_order_of_their_arguments() {
    let said = Said::default();
    let of = |name| steps(said.clone(), name, 2, true);
    trpl::join(of("a"), of("b")).await;
    assert_eq!(trpl::join3(ready(1), ready('b'), ready("c")).await, (1, 'b', "c"));
    trpl::join3(of("c"), of("d"), of("e")).await;
    let (four, ()) = trpl::join!(ready(4), of("f"));
    assert_eq!(four, 4);
    trpl::join_all(vec![of("g"), of("h")]).await;
    assert_eq!(said.all(), "a1 b1 a2 b2 c1 d1 e1 c2 d2 e2 f1 f2 g1 h1 g2 h2");
}

#[polyloop::test(all, start_paused = true)]
async fn many_futures_come_to_their_results_in_order_however_they_end() {
    for count in [0, 1, 30, 31, 100_u64] {
        let futures = (0..count).map(|n| async move {
            trpl::sleep(SECOND * u32::try_from(count - n).unwrap()).await;
            n
        });
        assert_eq!(trpl::join_all(futures).await, Vec::from_iter(0..count));
    }
    let one: Pin<Box<dyn Future<Output = char>>> = Box::pin(async { 'a' });
    let two: Pin<Box<dyn Future<Output = char>>> = Box::pin(ready('b'));
    assert_eq!(trpl::join_all([one, two]).await, ['a', 'b']);
}

#[polyloop::test(all, start_paused = true)]
async fn tasks_go_on_without_their_handles_and_can_be_aborted() {
    let (sender, mut receiver) = trpl::channel();
    drop(trpl::spawn_task(async move {
        trpl::sleep(SECOND).await;
        sender.send(())
    }));
    assert_eq!(receiver.recv().await, Some(()));
    let endless = trpl::spawn_task(pending::<()>());
    assert!(!endless.is_finished());
    endless.abort();
    assert!(endless.await.unwrap_err().is_cancelled());
    let panics = trpl::spawn_task(async { panic!("its own") });
    assert!(panics.await.unwrap_err().is_panic());
}

#[polyloop::test(all, start_paused = true)]
async fn the_seeds_naps_let_others_go() {
    let said = Said::default();
    let nap = {
        let said = said.clone();
        trpl::spawn_task(async move {
            for second in 1..4 {
                trpl::sleep(SECOND).await;
                said.say(format!("nap{second}"));
            }
        })
    };
    let counted = {
        let said = said.clone();
        trpl::spawn_task(async move {
            for i in 0..4 {
                said.say(format!("i{i}"));
                trpl::sleep(SECOND / 2).await;
            }
        })
    };
    let begin = Instant::now();
    for ended in trpl::join_all(vec![nap, counted]).await {
        ended.unwrap();
    }
    assert_eq!(begin.elapsed(), SECOND * 3);
    // At one second both are due at once; with several workers either may be the first to say so.
    let said = said.all().replace("i2 nap1", "nap1 i2");
    assert_eq!(said, "i0 i1 nap1 i2 i3 nap2 nap3");
}

#[polyloop::test(all)]
async fn a_channel_ends_with_its_last_sender() {
    let (sender, mut receiver) = trpl::channel();
    let other = sender.clone();
    sender.send("one").unwrap();
    drop(sender);
    let late = trpl::spawn_task(async move {
        trpl::yield_now().await;
        other.send("two").unwrap();
    });
    assert_eq!(receiver.recv().await, Some("one"));
    assert_eq!(receiver.recv().await, Some("two"));
    assert_eq!(receiver.recv().await, None);
    late.await.unwrap();

    let (sender, receiver) = trpl::channel();
    assert!(!sender.is_closed() && sender.same_channel(&sender.clone()) && receiver.is_empty());
    drop(receiver);
    sender.closed().await;
    assert_eq!(sender.send(7).unwrap_err().0, 7);
}

#[polyloop::test(all)]
async fn the_receivers_other_ways() {
    let (sender, mut receiver) = trpl::channel();
    assert!(receiver.try_recv().is_err());
    (0..5).for_each(|n| sender.send(n).unwrap());
    assert_eq!((receiver.len(), receiver.sender_strong_count()), (5, 1));
    assert_eq!(receiver.try_recv(), Ok(0));
    let mut several = Vec::new();
    assert_eq!(receiver.recv_many(&mut several, 3).await, 3);
    assert_eq!(several, [1, 2, 3]);
    receiver.close();
    assert!(sender.send(9).is_err());
    assert_eq!((receiver.recv().await, receiver.recv().await), (Some(4), None));
}

#[polyloop::test(all, start_paused = true)]
async fn an_interval_ticks_at_once_and_then_by_its_period() {
    let begin = Instant::now();
    let mut interval = trpl::interval(SECOND);
    for n in 0..4 {
        interval.tick().await;
        assert_eq!(begin.elapsed(), SECOND * n);
    }
    let zero = catch_unwind(|| trpl::interval(Duration::ZERO)).unwrap_err();
    let text = zero.downcast_ref::<&str>().unwrap();
    assert!(text.contains("must not be zero"), "{text}");
}

#[polyloop::test(all)]
async fn a_sleep_never_ends_early() {
    for nanos in [0, 1, 999_999, 1_000_001, 3_000_000] {
        let (begin, duration) = (Instant::now(), Duration::from_nanos(nanos));
        trpl::sleep(duration).await;
        assert!(begin.elapsed() >= duration);
    }
}

#[polyloop::test(all)]
async fn a_file_is_read_or_the_kernel_says_why() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let manifest = trpl::read_to_string(format!("{folder}/Cargo.toml")).await.unwrap();
    assert!(manifest.contains("polyloop-trpl"));
    let kind = async |path: String| trpl::read_to_string(path).await.unwrap_err().kind();
    assert_eq!(kind(format!("{folder}/no such file")).await, io::ErrorKind::NotFound);
    assert_eq!(kind(folder.to_owned()).await, io::ErrorKind::IsADirectory);
    assert_eq!(kind("/a\0b".to_owned()).await, io::ErrorKind::InvalidInput);
    assert_eq!(
        kind(std::env::current_exe().unwrap().display().to_string()).await,
        io::ErrorKind::InvalidData
    );
}

/// The chapter's own abstraction.
async fn timeout<F: Future>(future: F, most: Duration) -> Result<F::Output, Duration> {
    match trpl::race(future, trpl::sleep(most)).await {
        Either::Left(output) => Ok(output),
        Either::Right(()) => Err(most),
    }
}

#[polyloop::test(all, start_paused = true)]
async fn the_chapters_timeout_gives_up_the_late() {
    let dropped = AtomicUsize::new(0);
    struct Count<'a>(&'a AtomicUsize);
    impl Drop for Count<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let begin = Instant::now();
    let late = async {
        let _count = Count(&dropped);
        trpl::sleep(SECOND * 2).await;
    };
    assert_eq!(timeout(late, SECOND).await, Err(SECOND));
    assert_eq!((begin.elapsed(), dropped.load(SeqCst)), (SECOND, 1));
    assert_eq!(timeout(async { trpl::sleep(SECOND / 2).await }, SECOND).await, Ok(()));
}

#[test]
fn a_future_of_a_run_need_be_neither_send_nor_static() {
    let text = String::from("here");
    let counted = std::rc::Rc::new(&text);
    let length = trpl::run(async {
        let kept = std::rc::Rc::clone(&counted);
        trpl::sleep(Duration::from_millis(1)).await;
        kept.len()
    });
    assert_eq!(length, 4);
    assert_eq!(trpl::block_on(async { text.as_str() }), "here");
}

#[test]
fn the_end_of_a_run_drops_what_still_runs() {
    let said = Said::default();
    let witness = Witness(said.clone(), "dropped");
    trpl::run(async {
        trpl::spawn_task(async move {
            let _witness = witness;
            trpl::sleep(SECOND * 3600).await;
        });
        trpl::yield_now().await;
    });
    // Its worker may be in the middle of the poll for a moment.
    for _ in 0..1000 {
        if said.all() == "dropped" {
            return;
        }
        polyloop_conformance::block_thread(Duration::from_millis(10));
    }
    panic!("the task was not dropped within ten seconds");
}

#[test]
fn a_panic_of_the_future_is_the_callers() {
    let caught = catch_unwind(AssertUnwindSafe(|| trpl::run(async { panic!("told") })));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"told"));
    assert_eq!(trpl::run(async { 1 }), 1, "and nothing is left behind");
}
