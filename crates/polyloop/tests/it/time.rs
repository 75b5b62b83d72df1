//! Moving the clock by hand.

use polyloop::time::{Instant, advance, interval_at, pause, resume, sleep, sleep_until, timeout_at};
use polyloop::{Builder, ManualClock, Runtime, spawn};
use std::future::pending;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[polyloop::test(all, start_paused = true)]
async fn timers_that_come_due_by_hand_fire_in_order() {
    pause();
    let start = Instant::now();
    let (told, mut tells) = polyloop::sync::mpsc::unbounded_channel();
    for seconds in [3, 1, 2] {
        let told = told.clone();
        spawn(async move {
            sleep_until(start + SECOND * seconds).await;
            told.send(seconds).unwrap();
        });
    }
    drop(told);
    advance(10 * SECOND).await;
    assert!(start.elapsed() >= 10 * SECOND);
    let mut order = Vec::new();
    while let Some(seconds) = tells.recv().await {
        order.push(seconds);
    }
    order.sort_unstable();
    assert_eq!(order, [1, 2, 3]);
    assert_eq!(timeout_at(Instant::now() + SECOND, pending::<()>()).await.ok(), None);
    let mut ticks = interval_at(Instant::now() + SECOND, 2 * SECOND);
    let first = ticks.tick().await;
    assert_eq!(ticks.tick().await.saturating_duration_since(first), 2 * SECOND);
    assert_eq!(first.saturating_duration_since(first + SECOND), Duration::ZERO);
}

#[polyloop::test(all, start_paused = true)]
async fn instants_go_to_the_standard_librarys_and_back() {
    let now = Instant::now();
    sleep(3600 * SECOND).await;
    let later = Instant::now();
    assert_eq!(later.into_std() - now.into_std(), 3600 * SECOND);
    assert_eq!([now, later].map(|instant| Instant::from_std(instant.into_std())), [now, later]);
    assert_eq!(Instant::from_std(now.into_std() + SECOND) - now, SECOND);
}

#[test]
fn a_clock_that_stands_still_moves_by_hand_alone() {
    let runtime = Builder::new().combination("fifo").clock(ManualClock::new()).build().unwrap();
    runtime.block_on(async {
        let nap = spawn(sleep(SECOND));
        advance(SECOND / 2).await;
        assert!(!nap.is_finished());
        advance(SECOND / 2).await;
        nap.await.unwrap();
    });
}

#[test]
#[should_panic(expected = "build the runtime with `start_paused(true)`")]
fn the_systems_clock_is_not_moved() {
    Runtime::from_name("fifo").unwrap().block_on(advance(SECOND));
}

#[test]
#[should_panic(expected = "build the runtime with `pausable_clock(true)`")]
fn the_systems_clock_is_not_paused() {
    Runtime::from_name("fifo").unwrap().block_on(async { pause() });
}

#[test]
#[should_panic(expected = "pause it first")]
fn a_clock_that_runs_is_not_moved() {
    let runtime = Builder::new().combination("fifo").pausable_clock(true).build().unwrap();
    runtime.block_on(advance(SECOND));
}

#[test]
#[should_panic(expected = "never moves by itself")]
fn a_clock_that_is_moved_by_hand_never_runs() {
    let runtime = Builder::new().combination("fifo").clock(ManualClock::new()).build().unwrap();
    runtime.block_on(async { resume() });
}

#[polyloop::test]
async fn a_test_may_pause_its_clock_at_any_time() {
    sleep(Duration::from_millis(1)).await;
    pause();
    let start = Instant::now();
    sleep(3600 * SECOND).await;
    assert_eq!(start.elapsed(), 3600 * SECOND);
    resume();
    sleep(Duration::from_millis(1)).await;
    assert!(start.elapsed() >= 3600 * SECOND + Duration::from_millis(1));
}

#[polyloop::test(all, start_paused = true)]
async fn a_clock_that_began_paused_runs_on_from_where_it_stands() {
    sleep(3600 * SECOND).await;
    let stood = Instant::now();
    resume();
    resume();
    sleep(Duration::from_millis(1)).await;
    let ran = stood.elapsed();
    assert!(ran >= Duration::from_millis(1));
    assert!(ran < 3600 * SECOND, "in real time");
}
