//! A stream that could give its items at once, held back to one in half a second.

use crate::Predicted;
use std::pin::pin;
use std::time::Duration;
use trpl::{Either, StreamExt};

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let counted = async {
            let mut throttled = pin!(trpl::stream_from_iter(1..=4).throttle(Duration::from_millis(500)));
            while let Some(n) = throttled.next().await {
                println!("item {n}");
            }
        };
        // A clock beside it, a quarter of a second out of step.
        let clock = async {
            trpl::sleep(Duration::from_millis(250)).await;
            for half in 1.. {
                println!("  after {half} pauses or so");
                trpl::sleep(Duration::from_millis(500)).await;
            }
        };
        match trpl::race(counted, clock).await {
            Either::Left(()) => println!("done"),
            Either::Right(()) => unreachable!("the clock has no end"),
        }
    });
}

/// The end comes as late as an item would.
pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&[
        "item 1\n  after 1 pauses or so\nitem 2\n  after 2 pauses or so\nitem 3\n  after 3 pauses or so\n\
                         item 4\n  after 4 pauses or so\ndone",
    ])
}
