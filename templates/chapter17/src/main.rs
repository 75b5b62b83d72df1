//! Begin here. `cargo run` runs it on several threads, `POLYLOOP=fifo cargo run` on one; with an address as its argument it also
//! fetches the title of that page.
//!
//! `POLYLOOP_TIMELINE=mine.json cargo run --features trpl/timeline` also writes down what its futures did when, and in Polyloop's
//! folder `cargo xtask book --timeline templates/chapter17/mine.json` draws it.

use std::time::Duration;
use trpl::{Html, StreamExt};

async fn page_title(url: &str) -> Option<String> {
    let text = trpl::get(url).await.text().await;
    Html::parse(&text).select_first("title").map(|title| title.inner_html())
}

fn main() {
    trpl::run(async {
        let greeting = trpl::spawn_task(async {
            for word in ["hello", "from", "a", "task"] {
                println!("{word}");
                trpl::sleep(Duration::from_millis(100)).await;
            }
        });
        let mut squares = trpl::stream_from_iter(1..=4).map(|n| n * n).throttle(Duration::from_millis(100));
        let counting = async {
            while let Some(square) = squares.next().await {
                println!("{square}");
            }
        };
        let (greeted, (), ()) = trpl::join!(greeting, counting, trpl::yield_now());
        greeted.unwrap();
        if let Some(url) = std::env::args().nth(1) {
            match page_title(&url).await {
                Some(title) => println!("The title for {url} was {title}"),
                None => println!("{url} had no title"),
            }
        }
    });
}
