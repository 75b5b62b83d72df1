//! Tests of a learner's own, on whatever `POLYLOOP` names.

use std::io::{Read, Write};
use std::time::Duration;
use trpl::{Builder, Either, Html};

#[test]
fn a_nap_on_one_thread_lets_others_go() {
    let rt = Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let (tx, mut rx) = trpl::channel();
        let other = tx.clone();
        trpl::spawn_task(async move {
            trpl::sleep(Duration::from_millis(50)).await;
            tx.send("nap").unwrap();
        });
        trpl::spawn_task(async move { other.send("other").unwrap() });
        assert_eq!(rx.recv().await, Some("other"));
        assert_eq!(rx.recv().await, Some("nap"));
        assert_eq!(rx.recv().await, None);
    });
}

#[test]
fn the_late_lose_a_race() {
    let winner =
        trpl::run(async { trpl::race(trpl::sleep(Duration::from_secs(60)), async { "at once" }).await });
    assert!(matches!(winner, Either::Right("at once")));
}

/// `join!` needs no `futures` in the manifest.
#[test]
fn any_number_of_futures_are_joined() {
    let three = trpl::run(async { trpl::join!(async { 1 }, async { 'b' }, async { "c" }) });
    assert_eq!(three, (1, 'b', "c"));
}

#[test]
fn a_page_has_a_title() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n<title>Async</title>").unwrap();
    });
    let text = trpl::run(async { trpl::get(&url).await.text().await });
    server.join().unwrap();
    assert_eq!(Html::parse(&text).select_first("title").unwrap().inner_html(), "Async");
}
