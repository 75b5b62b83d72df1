//! Items that become available in a queue: a stream from a channel that a task fills.

use crate::Predicted;
use std::time::Duration;
use trpl::{ReceiverStream, Stream, StreamExt};

fn get_messages() -> impl Stream<Item = String> + Unpin {
    let (tx, rx) = trpl::channel();
    trpl::spawn_task(async move {
        for letter in 'a'..='e' {
            trpl::sleep(Duration::from_millis(100)).await;
            tx.send(format!("Message: '{letter}'")).unwrap();
        }
    });
    ReceiverStream::new(rx)
}

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let mut messages = get_messages();
        while let Some(message) = messages.next().await {
            println!("{message}");
        }
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::exactly(('a'..='e').map(|letter| format!("Message: '{letter}'")))
}
