//! Servers that behave.

use crate::server::{Answer, Server, page};
use trpl::try_get;

#[polyloop::test(all)]
async fn a_page_comes_however_its_end_is_told() {
    let server = Server::start(|head| {
        match head.split(' ').nth(1).unwrap() {
        "/length" => Answer::Send(page("200 OK", "one two")),
        "/chunks" => Answer::Send(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\none \r\n3;x=y\r\ntwo\r\n0\r\nTrailer: t\r\n\r\n".to_vec(),
        ),
        "/close" => Answer::Send(b"HTTP/1.1 200 OK\r\n\r\none two".to_vec()),
        "/old" => Answer::Send(b"HTTP/1.0 200 OK\r\n\r\none two".to_vec()),
        "/hint" => Answer::Send([&b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"[..], &page("200 OK", "one two")].concat()),
        "/keep" => Answer::Keep(page("200 OK", "one two")),
        other => panic!("{other}"),
    }
    });
    for path in ["/length", "/chunks", "/close", "/old", "/hint", "/keep"] {
        let response = trpl::get(&server.url(path)).await;
        assert_eq!((response.status(), response.url()), (200, server.url(path).as_str()));
        assert_eq!(response.text().await, "one two", "{path}");
    }
}

#[polyloop::test(all)]
async fn what_is_asked_is_in_the_request_and_what_stays_at_home_is_not() {
    let server = Server::start(|head| Answer::Send(page("200 OK", head)));
    let head = trpl::get(&server.url("/a/../b%20c?q=1&r=ä#here")).await.text().await;
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines[0], "GET /b%20c?q=1&r=%C3%A4 HTTP/1.1");
    let host = format!("host: 127.0.0.1:{}", server.port);
    assert!(lines.contains(&host.as_str()) && lines.contains(&"connection: close"), "{head}");
    assert!(!head.contains("here"), "{head}");
}

#[polyloop::test(all)]
async fn a_status_is_no_error_and_a_body_may_be_empty_or_no_text() {
    let server = Server::start(|head| match head.split(' ').nth(1).unwrap() {
        "/404" => Answer::Send(page("404 Not Found", "nothing here")),
        "/500" => Answer::Send(page("500 Internal Server Error", "")),
        "/204" => Answer::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        _ => Answer::Send(b"HTTP/1.1 200 OK\r\n\r\nfi\xffne".to_vec()),
    });
    for (path, status, text) in
        [("/404", 404, "nothing here"), ("/500", 500, ""), ("/204", 204, ""), ("/bytes", 200, "fi\u{fffd}ne")]
    {
        let response = try_get(&server.url(path)).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.try_text().await.unwrap(), text);
    }
}

#[polyloop::test(all)]
async fn a_large_body_arrives_whole() {
    let body: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let sent = body.clone();
    let server = Server::start(move |_| Answer::Send(page("200 OK", &sent)));
    assert_eq!(trpl::get(&server.url("/")).await.text().await, body);
}

#[polyloop::test(all)]
async fn pages_are_fetched_side_by_side_also_by_tasks() {
    let server = Server::start(|head| Answer::Send(page("200 OK", head.split(' ').nth(1).unwrap())));
    let fetches = (0..20).map(|n| {
        let url = server.url(&format!("/{n}"));
        trpl::spawn_task(async move { trpl::get(&url).await.text().await })
    });
    let texts = trpl::join_all(fetches).await;
    assert!(texts.into_iter().enumerate().all(|(n, text)| text.unwrap() == format!("/{n}")));
}

#[polyloop::test(all)]
async fn a_fetch_that_is_dropped_hangs_up() {
    let server = Server::start(|head| match head.contains("/head") {
        true => Answer::Keep(Vec::new()),
        false => Answer::Keep(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()),
    });
    let url = server.url("/head");
    let fetch = trpl::spawn_task(async move { trpl::get(&url).await.text().await });
    while server.requests() == 0 {
        trpl::sleep(std::time::Duration::from_millis(1)).await;
    }
    fetch.abort();
    assert!(fetch.await.unwrap_err().is_cancelled());
    server.wait_gone();
    drop(trpl::get(&server.url("/body")).await);
    server.wait_gone();
}
