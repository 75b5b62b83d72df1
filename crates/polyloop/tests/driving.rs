//! Who is in the driver while threads come and go.

use polyloop::{Runtime, time::sleep};
use std::sync::mpsc;
use std::time::Duration;

/// Nothing here takes this long.
const HANG: Duration = Duration::from_secs(30);

#[test]
fn a_thread_that_leaves_block_on_leaves_somebody_in_the_driver() {
    for _ in 0..10 {
        let runtime = Runtime::from_name("steal:2").unwrap();
        let (tell, told) = mpsc::channel();
        runtime.spawn(async move {
            sleep(Duration::from_millis(20)).await;
            tell.send(()).unwrap();
        });
        runtime.block_on(async { sleep(Duration::from_millis(5)).await });
        told.recv_timeout(HANG).expect("the timer of a task fires, although nobody is inside `block_on`");
    }
}

#[test]
fn a_thread_that_blocks_inside_block_on_keeps_no_timer_from_anybody() {
    for _ in 0..10 {
        let runtime = Runtime::from_name("steal:2").unwrap();
        let (tell, told) = mpsc::channel();
        runtime.block_on(async {
            runtime.spawn(async move {
                sleep(Duration::from_millis(20)).await;
                tell.send(()).unwrap();
            });
            // Has been in the driver, if it ever is.
            sleep(Duration::from_millis(5)).await;
            told.recv_timeout(HANG).expect("the timer of a task fires while this thread blocks");
        });
    }
}
