//! Servers that are silent, endless, broken or hostile: a typed error, and in time.

use crate::certificates::{Authority, client};
use crate::server::{Answer, Server, page};
use futures::FutureExt;
use std::io::Read;
use std::time::Duration;
use trpl::{Client, GetError, GetErrorKind, try_get};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// What a fetch by this client comes to.
async fn fetched(client: &Client, url: &str) -> Result<String, GetError> {
    client.get(url).await?.try_text().await
}

/// The error that a server that sends this and closes leads to.
async fn error_of(bytes: &[u8]) -> GetError {
    let bytes = bytes.to_vec();
    let server = Server::start(move |_| Answer::Send(bytes.clone()));
    fetched(&Client::new(), &server.url("/")).await.unwrap_err()
}

#[polyloop::test(all)]
async fn nobody_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for scheme in ["http", "https"] {
        let error = try_get(&format!("{scheme}://127.0.0.1:{port}/")).await.unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::Unreachable);
        assert!(error.to_string().contains(&format!("127.0.0.1:{port} does not answer")), "{error}");
        assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

#[test]
fn a_name_that_nobody_has() {
    let unknown = |host: &str, _| Err(std::io::Error::other(format!("`{host}` is unknown")));
    let runtime = polyloop::Builder::from_env().blocking_resolver(unknown).build().unwrap();
    let error = runtime.block_on(try_get("https://nobody.test/")).unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Unreachable);
    assert!(error.to_string().contains("`nobody.test` is unknown"), "{error}");
    let nowhere = polyloop::Builder::from_env().blocking_resolver(|_, _| Ok(Vec::new())).build().unwrap();
    let error = nowhere.block_on(try_get("http://nobody.test/")).unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Unreachable);
}

#[test]
fn the_second_address_is_tried_when_the_first_is_dead() {
    let server = Server::start(|_| Answer::Send(page("200 OK", "alive")));
    let port = server.port;
    // Nobody listens on the first: the server is bound to 127.0.0.1 alone.
    let both = move |_: &str, _| Ok(vec![([127, 0, 0, 2], port).into(), ([127, 0, 0, 1], port).into()]);
    let runtime = polyloop::Builder::from_env().blocking_resolver(both).build().unwrap();
    let text = runtime.block_on(async { trpl::get(&format!("http://two.test:{port}/")).await.text().await });
    assert_eq!(text, "alive");
}

#[test]
fn an_address_that_swallows_what_it_is_sent_costs_a_head_start_and_no_more() {
    let server = Server::start(|_| Answer::Send(page("200 OK", "alive")));
    let port = server.port;
    let runtime = polyloop::Builder::from_env().blocking_resolver(move |_, _| {
        Ok((2..5).chain([1]).map(|last| ([127, 0, 0, last], port).into()).collect())
    });
    let runtime = runtime.build().unwrap();
    runtime.block_on(async {
        // Whose queue is full, and who accepts nobody: the kernel drops whoever comes.
        let (mut full, mut waiting) = (Vec::new(), Vec::new());
        for last in 2..5 {
            let address = std::net::SocketAddr::from(([127, 0, 0, last], port));
            let socket = polyloop::net::TcpSocket::new_v4().unwrap();
            socket.bind(address).unwrap();
            full.push(socket.listen(1).unwrap());
            for _ in 0..2 {
                let waits = polyloop::net::TcpStream::connect(address);
                waiting.push(polyloop::time::timeout(Duration::from_secs(5), waits).await.unwrap().unwrap());
            }
            let more = polyloop::net::TcpStream::connect(address);
            let waits = polyloop::time::timeout(Duration::from_millis(50), more).await;
            assert!(waits.is_err(), "the queue is not full");
        }
        let patient = Client::new().time_limit(Duration::from_secs(8));
        let text = fetched(&patient, &format!("http://four.test:{port}/")).await.unwrap();
        assert_eq!(text, "alive");
    });
}

#[polyloop::test(all)]
async fn a_server_that_says_nothing_or_stops_in_the_middle() {
    let impatient = Client::new().time_limit(Duration::from_millis(150));
    for said in [
        &b""[..],
        b"HTTP/1.1",
        b"HTTP/1.1 200 OK\r\ncontent-",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    ] {
        let server = Server::start(move |_| Answer::Keep(said.to_vec()));
        let error = fetched(&impatient, &server.url("/")).await.unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::TimedOut, "{error}");
        assert!(error.to_string().contains("longer than 150ms"), "{error}");
        server.wait_gone();
    }
    let drips = Server::start(|_| Answer::Drip([OK, b"\r\n"].concat()));
    let error = fetched(&impatient, &drips.url("/")).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::TimedOut, "{error}");
    let head = Server::start(|_| Answer::Drip(OK.to_vec()));
    let error = fetched(&impatient, &head.url("/")).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::TimedOut, "{error}");
}

/// As the guide says of `POLYLOOP_CLOCK=paused`: what comes from outside is not waited for.
#[polyloop::test(all, start_paused = true)]
async fn on_a_paused_clock_a_page_is_given_up_as_too_late() {
    let server = Server::start(|_| Answer::Late(Duration::from_secs(30), page("200 OK", "at last")));
    let error = fetched(&Client::new(), &server.url("/")).await.unwrap_err();
    // The connection itself may be what is not waited for.
    assert!(matches!(error.kind(), GetErrorKind::TimedOut | GetErrorKind::Unreachable), "{error}");
}

#[polyloop::test(all)]
async fn a_server_that_never_shakes_hands() {
    // It takes the client's hello for a request that does not end.
    let server = Server::start(|_| Answer::Keep(Vec::new()));
    let impatient = Client::new().time_limit(Duration::from_millis(150));
    let error = fetched(&impatient, &format!("https://127.0.0.1:{}/", server.port)).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::TimedOut, "{error}");
}

#[polyloop::test(all)]
async fn a_body_without_end_or_one_that_is_announced_too_large() {
    let modest = Client::new().size_limit(100_000);
    let again = vec![b'x'; 10_000];
    let body = again.clone();
    let server = Server::start(move |_| Answer::Endless([OK, b"\r\n"].concat(), body.clone()));
    let error = fetched(&modest, &server.url("/")).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::TooLarge, "{error}");
    assert!(error.to_string().contains("larger than 100000 bytes"), "{error}");
    let chunked = [OK, b"transfer-encoding: chunked\r\n\r\n"].concat();
    let chunk = [b"2710\r\n", &again[..], b"\r\n"].concat();
    let server = Server::start(move |_| Answer::Endless(chunked.clone(), chunk.clone()));
    assert_eq!(fetched(&modest, &server.url("/")).await.unwrap_err().kind(), GetErrorKind::TooLarge);
    let announced = [OK, b"content-length: 100001\r\n\r\n"].concat();
    let server = Server::start(move |_| Answer::Keep(announced.clone()));
    assert_eq!(fetched(&modest, &server.url("/")).await.unwrap_err().kind(), GetErrorKind::TooLarge);
    let exact = Server::start(|_| Answer::Send(page("200 OK", &"x".repeat(100_000))));
    assert_eq!(fetched(&modest, &exact.url("/")).await.unwrap().len(), 100_000);
}

#[polyloop::test(all)]
async fn a_head_without_end() {
    for again in [&b"x: y\r\n"[..], b"x"] {
        let again = again.repeat(1_000);
        let server = Server::start(move |_| Answer::Endless(OK.to_vec(), again.clone()));
        let error = fetched(&Client::new(), &server.url("/")).await.unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::BadResponse, "{error}");
    }
    let hints = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000);
    let server = Server::start(move |_| Answer::Endless(Vec::new(), hints.clone()));
    let impatient = Client::new().time_limit(Duration::from_millis(300));
    assert!(fetched(&impatient, &server.url("/")).await.is_err());
}

#[polyloop::test(all)]
async fn half_an_answer() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nserver: x\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot all",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let error = error_of(bytes).await;
        assert_eq!(error.kind(), GetErrorKind::Incomplete, "{:?}: {error}", String::from_utf8_lossy(bytes));
    }
}

#[polyloop::test(all)]
async fn an_encrypted_answer_that_is_cut_off() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server("localhost"), |_| {
        Answer::Keep([OK, b"content-length: 1000000\r\n\r\n"].concat())
    });
    let limited = client(&authority).time_limit(Duration::from_millis(300));
    let error = fetched(&limited, &format!("https://localhost:{}/", server.port)).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::TimedOut, "{error}");
    let short = Server::start_tls(authority.server("localhost"), |_| {
        Answer::Send([OK, b"content-length: 9\r\n\r\nhalf"].concat())
    });
    let error =
        fetched(&client(&authority), &format!("https://localhost:{}/", short.port)).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Incomplete, "{error}");
    // Its length is not told, so only a proper end of the encrypted connection proves that this is all.
    for (ends, whole) in [(false, false), (true, true)] {
        let server = Server::start_tls(authority.server("localhost"), move |_| {
            let bytes = [OK, b"\r\nall of it?"].concat();
            if ends { Answer::Send(bytes) } else { Answer::Cut(bytes) }
        });
        let fetched = fetched(&client(&authority), &format!("https://localhost:{}/", server.port)).await;
        match fetched {
            Ok(text) => assert!(whole && text == "all of it?"),
            Err(error) => assert!(!whole && error.kind() == GetErrorKind::Incomplete, "{error}"),
        }
    }
}

#[polyloop::test(all)]
async fn a_server_that_hangs_up_in_the_middle_of_the_handshake() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The hello is read, so that it is an end and no reset.
        let _ = stream.read(&mut [0; 4096]).unwrap();
    });
    let error = try_get(&format!("https://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Tls, "{error}");
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::UnexpectedEof);
    server.join().unwrap();
}

#[test]
fn what_is_wrong_here_is_not_said_of_the_server() {
    let refused = |_: &str, _| Err(std::io::Error::from_raw_os_error(24));
    let runtime = polyloop::Builder::from_env().blocking_resolver(refused).build().unwrap();
    let error = runtime.block_on(try_get("http://somebody.test/")).unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Local, "{error}");
    let runtime = polyloop::Builder::from_env().blocking_resolver(|_, _| Ok(Vec::new())).build().unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    let _within = handle.enter();
    for url in ["http://somebody.test/", "http://127.0.0.1:1/"] {
        let error = try_get(url).now_or_never().expect("nothing is waited for").unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::Local, "{error}");
    }
}

/// Whatever the kernel has against an address of a link without the link's name.
#[polyloop::test(all)]
async fn an_address_that_the_kernel_does_not_take_is_no_lack_of_this_side() {
    let error = try_get("http://[fe80::1]/").await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Unreachable, "{error}");
}

#[polyloop::test(all)]
async fn what_is_no_answer_or_a_hostile_one() {
    let many = [OK, &b"x: y\r\n".repeat(5_000), b"\r\n"].concat();
    let long = [OK, b"x: ", &b"y".repeat(200_000), b"\r\n\r\n"].concat();
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.9\r\n"[..],
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\r\n\r\n\0\0\0\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na\0b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx",
        &many,
        &long,
    ] {
        let error = error_of(bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(
            matches!(error.kind(), GetErrorKind::BadResponse | GetErrorKind::Incomplete),
            "{shown:?}: {:?}, {error}",
            error.kind()
        );
    }
}

#[polyloop::test(all)]
async fn the_wrong_protocol_on_either_side() {
    let open = Server::start(|_| Answer::Send(page("200 OK", "")));
    // What it reads is no head, so it waits for the end of one; the client has the last word.
    let limited = Client::new().time_limit(Duration::from_millis(200));
    let error = fetched(&limited, &format!("https://127.0.0.1:{}/", open.port)).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::TimedOut, "{error}");
    let authority = Authority::new();
    let secret = Server::start_tls(authority.server("localhost"), |_| Answer::Send(page("200 OK", "")));
    let error = fetched(&Client::new(), &secret.url("/")).await.unwrap_err();
    assert!(matches!(error.kind(), GetErrorKind::BadResponse | GetErrorKind::Incomplete), "{error}");
}
