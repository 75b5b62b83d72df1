//! The names that have to do with pages, with their signatures. It names nothing that the originals have not, and is compiled
//! against both of them, too (`trpl-original`, `trpl-older`).

use std::future::Future;
use trpl::{Html, Response};

fn output<F: Future + Send>(_: &F) -> Option<F::Output> {
    None
}

#[test]
fn pages_have_the_originals_signatures() {
    // It is not polled, so nothing is asked of anybody.
    let got: Option<Response> = output(&trpl::get("http://127.0.0.1:9/"));
    let _: fn(Response) -> _ = |response: Response| -> Option<String> { output(&response.text()) };
    assert!(got.is_none());
    let page: Html = Html::parse("<title>Fish &amp; chips</title><p class=a>one<p>two");
    let title = page.select_first("title").unwrap();
    assert_eq!((title.inner_html(), title.value().name()), ("Fish &amp; chips".to_owned(), "title"));
    let paragraph = page.select_first("p").unwrap();
    assert_eq!(paragraph.value().attr("class"), Some("a"));
    assert_eq!(
        (paragraph.text().collect::<String>(), paragraph.html()),
        ("one".to_owned(), "<p class=\"a\">one</p>".to_owned())
    );
    assert!(page.select_first("h1").is_none());
}
