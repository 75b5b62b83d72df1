//! Redirects are followed, but not for ever and not into the open.

use crate::certificates::{Authority, client};
use crate::server::{Answer, Server, page, redirect};
use trpl::{Client, GetErrorKind, try_get};

#[polyloop::test(all)]
async fn each_kind_of_redirect_is_followed_to_where_it_leads() {
    let server = Server::start(|head| match head.split(' ').nth(1).unwrap() {
        "/a/301" => redirect("301 Moved Permanently", "302"),
        "/a/302" => redirect("302 Found", "/303?x=1"),
        "/303?x=1" => redirect("303 See Other", "?y=2#part"),
        "/303?y=2" => redirect("307 Temporary Redirect", "/b/./../308"),
        "/308" => redirect("308 Permanent Redirect", "/end"),
        "/end" => Answer::Send(page("200 OK", "the end")),
        "/304" => redirect("304 Not Modified", "/end"),
        other => panic!("{other}"),
    });
    let response = trpl::get(&server.url("/a/301")).await;
    assert_eq!(response.url(), server.url("/end"));
    assert_eq!(response.text().await, "the end");
    assert_eq!(server.requests(), 6);
    assert_eq!(trpl::get(&server.url("/304")).await.status(), 304, "leads nowhere");
}

#[polyloop::test(all)]
async fn another_server_may_be_meant() {
    let other = Server::start(|_| Answer::Send(page("200 OK", "elsewhere")));
    let there = other.url("/");
    let server = Server::start(move |_| redirect("302 Found", &there));
    assert_eq!(trpl::get(&server.url("/")).await.text().await, "elsewhere");
}

#[polyloop::test(all)]
async fn a_circle_ends_after_ten() {
    let server = Server::start(|_| redirect("302 Found", "/again"));
    let error = try_get(&server.url("/")).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::TooManyRedirects);
    assert!(error.to_string().contains("more than 10 redirects"), "{error}");
    assert_eq!(server.requests(), 11);
    let none = Client::new().redirect_limit(0).get(&server.url("/")).await.unwrap_err();
    assert_eq!((none.kind(), server.requests()), (GetErrorKind::TooManyRedirects, 12));
}

#[polyloop::test(all)]
async fn a_redirect_to_what_is_no_page_is_an_error() {
    for (location, kind) in [
        ("ftp://127.0.0.1/", GetErrorKind::BadUrl),
        ("file:///etc/passwd", GetErrorKind::BadUrl),
        ("http://user:secret@127.0.0.1/", GetErrorKind::BadUrl),
        ("http://", GetErrorKind::BadResponse),
        ("http://[::1", GetErrorKind::BadResponse),
    ] {
        let server = Server::start(move |_| redirect("302 Found", location));
        let error = try_get(&server.url("/")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{location}: {error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    // A redirect without a place is an answer.
    let server = Server::start(|_| Answer::Send(page("302 Found", "where?")));
    assert_eq!(trpl::get(&server.url("/")).await.text().await, "where?");
}

#[polyloop::test(all)]
async fn an_encrypted_page_leads_to_no_open_one() {
    let open = Server::start(|_| Answer::Send(page("200 OK", "read by anybody")));
    let there = open.url("/");
    let authority = Authority::new();
    let server = Server::start_tls(authority.server("localhost"), move |_| redirect("301 Moved", &there));
    let error = client(&authority).get(&format!("https://localhost:{}/", server.port)).await.unwrap_err();
    assert_eq!((error.kind(), error.url()), (GetErrorKind::Downgrade, open.url("/").as_str()));
    assert_eq!(open.requests(), 0);
}

#[polyloop::test(all)]
async fn an_open_page_may_lead_to_an_encrypted_one() {
    let authority = Authority::new();
    let secret = Server::start_tls(authority.server("localhost"), |_| Answer::Send(page("200 OK", "safe")));
    let there = format!("https://localhost:{}/", secret.port);
    let open = Server::start(move |_| redirect("301 Moved", &there));
    let response = client(&authority).get(&open.url("/")).await.unwrap();
    assert_eq!(response.try_text().await.unwrap(), "safe");
}
