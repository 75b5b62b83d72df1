//! Addresses that are none, and calls in the wrong place.

use crate::server::{Answer, Server};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use trpl::{GetErrorKind, try_get};

#[polyloop::test(all)]
async fn an_address_that_cannot_be_fetched() {
    for (url, why) in [
        ("", "must begin with http:// or https://"),
        ("www.rust-lang.org", "must begin with http:// or https://"),
        ("/index.html", "must begin with http:// or https://"),
        ("http://", "no address"),
        ("http://[::1", "no address"),
        ("http://a b/", "no address"),
        ("http://127.0.0.1:99999/", "no address"),
        ("https://\u{0}/", "no address"),
        ("ftp://127.0.0.1/", "`ftp` is not spoken here"),
        ("file:///etc/passwd", "`file` is not spoken here"),
        ("data:text/html,hello", "`data` is not spoken here"),
        ("http://user:secret@127.0.0.1/", "leave them out"),
        ("https:\\secret@host/a@b", "leave them out"),
        ("http://user:secret@[::1", "no address"),
        ("alice:secret@example.org/", "must begin with http:// or https://"),
        ("secret:x@example.org/", "must begin with http:// or https://"),
        ("alice:/secret@example.org/", "must begin with http:// or https://"),
        ("http://user:sec ret:secret@a b/", "no address"),
    ] {
        let error = try_get(url).await.unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::BadUrl, "{url}");
        assert!(error.to_string().contains(why), "{url}: {error}");
        // Errors end in logs.
        assert!(!format!("{error} {error:?} {}", error.url()).contains("secret"), "{error:?}");
    }
    let outside = std::thread::spawn(|| try_get("http://user:secret@127.0.0.1/").now_or_never());
    let error = outside.join().unwrap().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.url()), (GetErrorKind::NoRuntime, "http://127.0.0.1/"));
}

#[polyloop::test(all)]
async fn where_a_panic_is_all_there_is_it_is_one_sentence_and_names_the_call() {
    let told = |payload: Box<dyn std::any::Any + Send>| *payload.downcast::<String>().unwrap();
    let (panic, line) = (AssertUnwindSafe(trpl::get("nowhere")).catch_unwind().await.unwrap_err(), line!());
    let said = told(panic);
    assert!(said.starts_with(&format!("trpl::get at {}:{line}:", file!())), "{said}");
    assert!(said.ends_with(": `nowhere`: the address must begin with http:// or https://"), "{said}");
    let server =
        Server::start(|_| Answer::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()));
    let response = trpl::get(&server.url("/")).await;
    let said = told(AssertUnwindSafe(response.text()).catch_unwind().await.unwrap_err());
    let expected = format!(": `{}`: the connection ended before", server.url("/"));
    assert!(said.starts_with(&format!("trpl::Response::text at {}:", file!())), "{said}");
    assert!(said.contains(&expected) && said.lines().count() == 1, "{said}");
}

#[test]
fn outside_of_a_runtime() {
    let error = try_get("http://127.0.0.1/").now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::NoRuntime);
    assert!(error.to_string().contains("inside `trpl::run(async { … })`"), "{error}");
}

#[test]
fn what_a_page_comes_to_can_be_sent_to_another_thread() {
    fn is_send<T: Send + 'static>(_: fn() -> T) {}
    fn future_is_send(_: impl Send) {}
    is_send::<trpl::Response>(|| unreachable!());
    is_send::<trpl::GetError>(|| unreachable!());
    future_is_send(trpl::get(""));
    future_is_send(async { trpl::get("").await.text().await });
}
