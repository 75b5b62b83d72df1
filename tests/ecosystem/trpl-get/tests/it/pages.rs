//! The chapter's programs with pages, and what HTML may be.

use crate::server::{Answer, Server, page};
use std::panic::catch_unwind;
use std::time::Duration;
use trpl::{Either, Html};

/// As the chapter has it.
async fn page_title(url: &str) -> (&str, Option<String>) {
    let text = trpl::get(url).await.text().await;
    let title = Html::parse(&text).select_first("title").map(|title| title.inner_html());
    (url, title)
}

#[polyloop::test(all)]
async fn the_title_of_a_page() {
    let server = Server::start(|head| {
        Answer::Send(page("200 OK", if head.contains("/titled") { "<title>Rust</title>" } else { "<p>none" }))
    });
    assert_eq!(page_title(&server.url("/titled")).await.1.as_deref(), Some("Rust"));
    assert_eq!(page_title(&server.url("/other")).await.1, None);
}

#[polyloop::test(all)]
async fn the_page_that_returns_first() {
    let server = Server::start(|head| match head.contains("/slow") {
        true => Answer::Late(Duration::from_secs(30), page("200 OK", "<title>slow</title>")),
        false => Answer::Send(page("200 OK", "<title>fast</title>")),
    });
    let (slow, fast) = (server.url("/slow"), server.url("/fast"));
    let Either::Right((url, title)) = trpl::race(page_title(&slow), page_title(&fast)).await else {
        panic!("the slow one won")
    };
    assert_eq!((url, title.as_deref()), (fast.as_str(), Some("fast")));
}

fn title(text: &str) -> Option<String> {
    Html::parse(text).select_first("title").map(|title| title.inner_html())
}

#[test]
fn html_is_read_as_browsers_read_it() {
    for (text, expected) in [
        ("<title>a<b>c</title>", Some("a&lt;b&gt;c")),
        ("<title>&copy; x &amp; y</title>", Some("© x &amp; y")),
        ("<TITLE lang=en>case</TiTlE>", Some("case")),
        ("<p><title>late</title>", Some("late")),
        ("<title>never closed", Some("never closed")),
        ("<title></title>", Some("")),
        ("<!-- <title>no</title> -->", None),
        ("<script>'<title>no</title>'</script>", None),
        ("", None),
        ("\0<\0title>\0", None),
        ("<<<>>></title></></p></html><", None),
        ("&#x110000;&#xd800;&nosuch;<title>&#0;</title>", Some("\u{fffd}")),
    ] {
        assert_eq!(title(text).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn a_page_may_be_nested_deeper_than_people_do() {
    // A recursion would not survive it on the two megabytes of a test's thread.
    let depth = 1_000;
    let text = format!("{}<i id=deep>x</i>", "<div>".repeat(depth));
    let page = Html::parse(&text);
    assert_eq!(page.select_first("#deep").unwrap().inner_html(), "x");
    assert_eq!(page.select_first("body").unwrap().inner_html().matches("<div>").count(), depth);
}

#[test]
fn selectors_are_css_and_a_wrong_one_is_said_to_be() {
    let page = Html::parse("<ul><li class=a>1<li class=b id=x>2<li class='a b'>3</ul>");
    let first = |selector: &str| page.select_first(selector).map(|element| element.inner_html());
    assert_eq!(first("li.b").as_deref(), Some("2"));
    assert_eq!(first("li.a:not(:first-child)").as_deref(), Some("3"));
    assert_eq!(first("ul > [id=x]").as_deref(), Some("2"));
    assert_eq!(first("ol"), None);
    for wrong in ["", "li..a", "<title>", "[", "li:no-such", "\u{0}{"] {
        let payload = catch_unwind(|| Html::parse("").select_first(wrong).is_some()).unwrap_err();
        let said = payload.downcast_ref::<String>().unwrap();
        assert!(said.starts_with(&format!("`{wrong}` is no CSS selector")), "{said}");
    }
}
