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

/// What `read` finds in a page, on a thread of its own: without a limit on what the parser does, each of these takes hours.
fn in_time<T: Send + 'static>(page: String, read: impl FnOnce(Html) -> T + Send + 'static) -> T {
    let (done, found) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(read(Html::parse(&page))));
    found.recv_timeout(Duration::from_secs(120)).expect("it is read in time")
}

#[test]
fn a_hostile_page_is_read_as_far_as_it_goes_and_keeps_nobody_waiting() {
    let numbered = |n: u32, make: &dyn Fn(u32) -> String| (0..n).map(make).collect::<String>();
    let brought_back = numbered(400, &|n| format!("<b a{n}>"));
    let attributes = numbered(1_000_000, &|n| format!(" a{n}"));
    for (what, page) in [
        ("elements in elements", "<div>".repeat(1_000_000)),
        ("paragraphs that look for one to close", "<div><div>".repeat(5_000) + &"<p>".repeat(1_000_000)),
        ("ends of nothing", "<div>".repeat(20_000) + &"</x>".repeat(1_000_000)),
        ("elements that format one another", numbered(500_000, &|n| format!("<b a{n}>"))),
        ("formatting that is brought back", format!("<p>{brought_back}{}", "</p><p>x".repeat(500_000))),
        ("ends of formatting", format!("<p>{brought_back}</p>{}", "</i>".repeat(3_000_000))),
        ("formatting in tables", "<table><b><i>".repeat(300_000)),
        ("attributes", format!("<a {attributes}>")),
        ("attributes without spaces", format!("<a {}>", numbered(1_000_000, &|n| format!("/a{n}")))),
        ("attributes behind values", format!("<a {}>", numbered(1_000_000, &|n| format!("a{n}='>'")))),
        ("attributes with signs of tags", format!("<a {}>", numbered(1_000_000, &|n| format!(" <a{n}")))),
        ("attributes behind a comment", format!("<!-- <a x=\" --><a {attributes}>")),
        ("attributes behind a comment in a comment", format!("<!-- <!-- <a x=\" --><a {attributes}>")),
        ("attributes behind a comment that is none", format!("<!--><a {attributes}>")),
        ("attributes behind a comment in a text", format!("<style><!-- </style><a {attributes}>")),
        ("attributes behind a comment in a doctype", format!("<p><!DOCTYPE x<!-- y><a {attributes}>")),
        ("attributes behind a comment in data", format!("<svg><![CDATA[><!-- ]]><a {attributes}>")),
        ("attributes behind a doctype", format!("<p><!DOCTYPE <a x=\"><a {attributes}>")),
        ("attributes behind an error", format!("<a x=1<y=\" {attributes}>")),
        ("attributes behind a null", format!("<a x=\"\0<y>\" {attributes}>")),
        ("attributes that are added", numbered(500_000, &|n| format!("<html a{n}>"))),
        ("an end that many wait for", "<a><p>".repeat(300_000) + &"</a>".repeat(300_000)),
    ] {
        println!("{what}");
        let title = in_time(format!("<title>there</title>{page}"), |page| {
            page.select_first("title").map(|title| title.inner_html())
        });
        assert_eq!(title.as_deref(), Some("there"), "{what}");
    }
}

#[test]
fn a_large_page_of_people_is_read_whole() {
    let words = "some words and more, a=\"b\" / <!-- of them --> ".repeat(20);
    let section = format!(
        "<div class='a b'><p>{words}<ul><li><a href=/1>{words}</a><li>two</ul><table><tr><td>{words}</table></div>"
    );
    let value = "{&quot;a&quot;: [1, 2, 3], '>': '<b>'} ".repeat(20_000).replace('\'', "");
    let script = "if (a<b && c>d) { x = \"<p a b c>\"; } ".repeat(5_000);
    let page = format!(
        "{}<script>{script}</script><p title='{value}'>{}<i id=end>end</i>",
        "<div>".repeat(60),
        section.repeat(1_500)
    );
    assert!(page.len() > 4_000_000);
    let end = in_time(page, |page| page.select_first("#end").map(|end| end.inner_html()));
    assert_eq!(end.as_deref(), Some("end"));
}

#[test]
fn a_large_comment_of_people_costs_nothing() {
    let row = "<tr class='a b' id=c><td title=\"d > e\">some words</td></tr>\n".repeat(4_000);
    assert!(row.len() > 200_000);
    for comment in [format!("<!-- <table>{row}</table> -->"), format!("<!-- <!-- {row}{row} -->")] {
        let end = in_time(format!("{comment}<i id=end>end</i>"), |page| {
            page.select_first("#end").map(|end| end.inner_html())
        });
        assert_eq!(end.as_deref(), Some("end"));
    }
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
        assert!(said.lines().count() == 1 && !said.contains("report"), "{said}");
    }
}
