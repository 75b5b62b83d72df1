//! Messages at uneven distances, and a deadline for each.

use crate::Predicted;
use std::pin::pin;
use std::time::Duration;
use trpl::{ReceiverStream, Stream, StreamExt};

fn get_messages() -> impl Stream<Item = String> {
    let (tx, rx) = trpl::channel();
    trpl::spawn_task(async move {
        for (index, letter) in ('a'..='e').enumerate() {
            let pause = if index % 2 == 0 { 100 } else { 500 };
            trpl::sleep(Duration::from_millis(pause)).await;
            tx.send(format!("Message: '{letter}'")).unwrap();
        }
    });
    ReceiverStream::new(rx)
}

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let mut messages = pin!(get_messages().timeout(Duration::from_millis(300)));
        while let Some(result) = messages.next().await {
            match result {
                Ok(message) => println!("{message}"),
                Err(reason) => println!("Problem: {reason:?}"),
            }
        }
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&[
        "Message: 'a'\nProblem: Elapsed(())\nMessage: 'b'\nMessage: 'c'\nProblem: Elapsed(())\n\
                         Message: 'd'\nMessage: 'e'",
    ])
}
