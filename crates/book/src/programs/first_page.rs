//! Two pages, of which the first to come wins.

use crate::Predicted;
use trpl::{Either, Html};

async fn page_title(url: &str) -> (&str, Option<String>) {
    let text = trpl::get(url).await.text().await;
    let title = Html::parse(&text).select_first("title").map(|title| title.inner_html());
    (url, title)
}

pub(super) fn main(arguments: &[String]) {
    trpl::run(async {
        let first = page_title(&arguments[0]);
        let second = page_title(&arguments[1]);
        let (url, title) = match trpl::race(first, second).await {
            Either::Left(left) => left,
            Either::Right(right) => right,
        };
        println!("{url} returned first");
        match title {
            Some(title) => println!("Its page title is: '{title}'"),
            None => println!("Its title could not be parsed."),
        }
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["http://book/fast returned first\nIts page title is: 'The fast page'"])
}
