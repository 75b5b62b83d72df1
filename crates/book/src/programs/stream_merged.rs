//! Messages and the ticks of an interval, merged into one stream, of which the first few are taken.

use crate::Predicted;
use std::pin::pin;
use std::time::Duration;
use trpl::{IntervalStream, ReceiverStream, Stream, StreamExt};

fn get_messages() -> impl Stream<Item = String> {
    let (tx, rx) = trpl::channel();
    trpl::spawn_task(async move {
        for letter in 'a'..='c' {
            trpl::sleep(Duration::from_millis(400)).await;
            // Whoever takes only the first few is gone one day.
            if tx.send(format!("Message: '{letter}'")).is_err() {
                break;
            }
        }
    });
    ReceiverStream::new(rx)
}

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let ticks = trpl::interval(Duration::from_millis(250));
        let mut count = 0;
        let intervals = IntervalStream::new(ticks).map(|_| {
            count += 1;
            format!("Interval: {count}")
        });
        let mut merged = pin!(get_messages().merge(intervals).take(7));
        while let Some(item) = merged.next().await {
            println!("{item}");
        }
    });
}

/// Ticks at 0, 250, 500, 750 and 1000 ms, messages at 400 and 800.
pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&[
        "Interval: 1\nInterval: 2\nMessage: 'a'\nInterval: 3\nInterval: 4\nMessage: 'b'\nInterval: 5",
    ])
}
