//! WebSocket chat on every combination.

#![forbid(unsafe_code)]

use async_tungstenite::client_async;
use async_tungstenite::tungstenite::{Error, Message};
use ecosystem_streams::{Guest, chat};
use ecosystem_support::{Program, on_each};
use futures::StreamExt;
use polyloop::net::{TcpListener, TcpStream};
use std::net::SocketAddr;

async fn room() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    polyloop::spawn(chat(listener));
    address
}

#[polyloop::test(all)]
async fn everybody_hears_everything_in_one_order() {
    let address = room().await;
    let mut guests = Vec::new();
    for n in 0..10 {
        guests.push(Guest::enter(address, &format!("guest {n}")).await.unwrap());
    }
    for (n, guest) in guests.iter_mut().enumerate() {
        for _ in n + 1..10 {
            let line = guest.hears().await.unwrap();
            assert!(line.starts_with("* guest") && line.ends_with("came"), "{line}");
        }
    }
    let talking: Vec<_> = guests
        .into_iter()
        .map(|mut guest| {
            polyloop::spawn(async move {
                for n in 0..20 {
                    guest.says(&n.to_string()).await.unwrap();
                }
                let mut heard = Vec::new();
                for _ in 0..200 {
                    heard.push(guest.hears().await.unwrap());
                }
                heard
            })
        })
        .collect();
    let mut all = Vec::new();
    for talking in talking {
        all.push(talking.await.unwrap());
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "all hear the same");
    for n in 0..10 {
        let of_one: Vec<_> =
            all[0].iter().filter_map(|line| line.strip_prefix(&format!("guest {n}: "))).collect();
        assert_eq!(of_one, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

#[polyloop::test(all)]
async fn messages_of_all_kinds_and_sizes() {
    let (ours, theirs) = polyloop::net::unix::UnixStream::pair().unwrap();
    polyloop::spawn(async move {
        let mut socket = async_tungstenite::accept_async(theirs).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_binary() || message.is_text() {
                socket.send(message).await.unwrap();
            }
        }
    });
    let (mut socket, answer) = client_async("ws://localhost/", ours).await.unwrap();
    assert_eq!(answer.status(), 101);
    for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let sent = Message::binary((0..length).map(|n| n as u8).collect::<Vec<_>>());
        socket.send(sent.clone()).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap() == sent, "{length} bytes");
    }
    socket.send(Message::Ping(b"ping".to_vec().into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong(b"ping".to_vec().into()));
    socket.close(None).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
    assert!(matches!(socket.next().await, None | Some(Err(Error::ConnectionClosed))));
}

#[polyloop::test(all)]
async fn who_speaks_something_else_is_told_and_the_room_goes_on() {
    let address = room().await;
    let stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"no http at all\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1024];
    // An answer or none, and then the end or a reset.
    while let Ok(1..) = stream.read(&mut buffer).await {}
    let mut ann = Guest::enter(address, "ann").await.unwrap();
    ann.says("hello").await.unwrap();
    assert_eq!(ann.hears().await.unwrap(), "ann: hello");
}

fn the_program_has_no_reactor_but_ours(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_talk"), combination, [] as [&str; 0]);
    for line in ["* bob came", "bob: hello", "* bob went", "in TLS", "in TLS by tokio-rustls"] {
        assert_eq!(program.line(), line);
    }
    program.facts().assert_native(combination);
    assert_eq!(program.finish(), "");
}
on_each!(the_program_has_no_reactor_but_ours);
