//! The title of the page at the address that it is called with.

use crate::Predicted;
use trpl::Html;

async fn page_title(url: &str) -> Option<String> {
    let response = trpl::get(url).await;
    let text = response.text().await;
    Html::parse(&text).select_first("title").map(|title| title.inner_html())
}

pub(super) fn main(arguments: &[String]) {
    trpl::run(async {
        let url = &arguments[0];
        match page_title(url).await {
            Some(title) => println!("The title for {url} was {title}"),
            None => println!("{url} had no title"),
        }
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["The title for http://book/fast was The fast page"])
}
