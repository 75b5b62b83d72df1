//! TCP.

use crate::rig::{Rig, on_every_reactor};
use futures_io::{AsyncRead, AsyncWrite};
use polyloop_net::TcpStream;
use polyloop_reactor::Poll as PollReactor;
use std::future::{Future, poll_fn};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

fn what_is_sent_comes_back_in_order(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        let echo = rig.spawn(async move {
            let mut buffer = [0; 777];
            loop {
                match server.read(&mut buffer).await.unwrap() {
                    0 => return server,
                    n => server.write_all(&buffer[..n]).await.unwrap(),
                }
            }
        });
        let client = Arc::new(client);
        let sender = client.clone();
        let sending = rig.spawn(async move {
            for piece in pattern(1 << 20).chunks(1000) {
                sender.write_all(piece).await.unwrap();
            }
            sender.shut_down(Shutdown::Write).unwrap();
        });
        let mut back = vec![0; 1 << 20];
        client.read_exact(&mut back).await.unwrap();
        assert!(back == pattern(1 << 20));
        sending.await.unwrap();
        drop(echo.await.unwrap());
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

fn one_byte_at_a_time_is_read_to_the_end(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        let reading = rig.spawn(async move {
            let (mut all, mut byte) = (Vec::new(), [0; 1]);
            while server.read(&mut byte).await.unwrap() == 1 {
                all.push(byte[0]);
            }
            all
        });
        client.write_all(&pattern(20_000)).await.unwrap();
        drop(client);
        assert!(reading.await.unwrap() == pattern(20_000));
    });
}

fn an_end_that_came_with_the_last_data_is_found(rig: &Rig) {
    rig.run(async {
        for polled in [false, true] {
            let (client, mut server) = rig.pair().await;
            // Nobody turns the driver in between, so that the kernel tells of both at once.
            assert_eq!(server.try_read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            client.try_write(b"end").unwrap();
            client.shut_down(Shutdown::Write).unwrap();
            let mut seen = Vec::new();
            loop {
                let mut buffer = [0; 8];
                let n = if polled {
                    poll_fn(|cx| Pin::new(&mut server).poll_read(cx, &mut buffer)).await
                } else {
                    server.read(&mut buffer).await
                };
                match n.unwrap() {
                    0 => break,
                    n => seen.extend_from_slice(&buffer[..n]),
                }
                assert!(rig.is_chaotic || seen.len() == 3, "one read for all");
            }
            assert_eq!(seen, b"end");
        }
    });
}

fn a_half_closed_peer_still_hears_and_nobody_spins(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        client.shut_down(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        let turns = rig.net.driver.turns();
        rig.sleep(50).await;
        // A spin would be tens of thousands.
        assert!(rig.net.driver.turns() - turns < 100, "{} turns", rig.net.driver.turns() - turns);
        let writing = rig.spawn(async move { server.write_all(&pattern(1 << 20)).await });
        let mut heard = vec![0; 1 << 20];
        client.read_exact(&mut heard).await.unwrap();
        assert!(heard == pattern(1 << 20));
        writing.await.unwrap().unwrap();
    });
}

fn a_reset_wakes_both_directions(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        let server = Arc::new(server);
        let reader = server.clone();
        let reading = rig.spawn(async move { reader.read(&mut [0; 8]).await });
        let writing = rig.spawn(async move {
            let block = vec![0; 1 << 16];
            loop {
                if let Err(error) = server.write(&block).await {
                    return error;
                }
            }
        });
        rig.sleep(20).await;
        let client = client.into_std().unwrap();
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        // The first to look takes the pending error; the other one may be told of the end only.
        let read = reading.await.unwrap();
        assert!(read.as_ref().map_or_else(|error| kinds.contains(&error.kind()), |n| *n == 0), "{read:?}");
        let written = writing.await.unwrap();
        assert!(kinds.contains(&written.kind()), "{written:?}");
    });
}

fn several_readers_of_one_socket_all_go_on(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        let server = Arc::new(server);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                rig.spawn(async move { server.read(&mut [0; 1]).await.unwrap() })
            })
            .collect();
        let writer = rig.spawn(async move { server.write_all(b"from the other side").await });
        rig.sleep(5).await;
        for _ in 0..3 {
            client.write_all(b"x").await.unwrap();
            rig.sleep(2).await;
        }
        for reader in readers {
            assert_eq!(reader.await.unwrap(), 1);
        }
        writer.await.unwrap().unwrap();
        client.read_exact(&mut [0; 19]).await.unwrap();
    });
}

fn a_refused_connection_is_an_error(rig: &Rig) {
    rig.run(async {
        let (listener, address) = rig.listen();
        drop(listener);
        let refused = TcpStream::connect_on(&rig.net, address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

fn nothing_is_asked_of_the_kernel_for_nothing(rig: &Rig) {
    rig.run(async {
        let (client, _server) = rig.pair().await;
        assert_eq!(client.read(&mut []).await.unwrap(), 0);
        assert_eq!(client.write(&[]).await.unwrap(), 0);
        assert_eq!(client.try_read(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(client.try_write(b"now").unwrap(), 3);
    });
}

fn a_dropped_read_takes_nothing(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        for round in 0..50_u8 {
            {
                let mut buffer = [0; 1];
                let mut reading = std::pin::pin!(server.read(&mut buffer));
                poll_fn(|cx| {
                    assert!(reading.as_mut().poll(cx).is_pending());
                    std::task::Poll::Ready(())
                })
                .await;
            }
            client.write_all(&[round]).await.unwrap();
            let mut byte = [0; 1];
            server.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte, [round]);
        }
    });
}

fn halves_part_and_meet_again(rig: &Rig) {
    rig.run(async {
        let (mut client, server) = rig.pair().await;
        {
            let (_read, mut write) = client.split();
            let word = b"borrowed";
            let mut written = 0;
            while written < word.len() {
                written += poll_fn(|cx| Pin::new(&mut write).poll_write(cx, &word[written..])).await.unwrap();
            }
        }
        let (read, write) = server.into_split();
        let server = read.reunite(write).unwrap();
        let mut word = [0; 8];
        server.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"borrowed");
        let (mut read, write) = server.into_split();
        drop(write);
        assert_eq!(client.read(&mut word).await.unwrap(), 0, "the write half's drop ends writing");
        client.write_all(b"still").await.unwrap();
        let mut word = [0; 5];
        let mut filled = 0;
        while filled < 5 {
            filled += poll_fn(|cx| Pin::new(&mut read).poll_read(cx, &mut word[filled..])).await.unwrap();
        }
        assert_eq!(&word, b"still");
    });
}

fn many_connections_are_served_at_once(rig: &Rig) {
    rig.run(async {
        let (listener, address) = rig.listen();
        let served = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..200_u32)
            .map(|number| {
                let context = rig.net.clone();
                rig.spawn(async move {
                    let stream = TcpStream::connect_on(&context, address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    for round in 0..5 {
                        let word = (number * 10 + round).to_be_bytes();
                        stream.write_all(&word).await.unwrap();
                        let mut back = [0; 4];
                        stream.read_exact(&mut back).await.unwrap();
                        assert_eq!(back, word);
                    }
                })
            })
            .collect();
        for _ in 0..200 {
            let (stream, _) = listener.accept().await.unwrap();
            let served = served.clone();
            rig.spawn(async move {
                let mut word = [0; 4];
                while stream.read_exact(&mut word).await.is_ok() {
                    stream.write_all(&word).await.unwrap();
                    served.fetch_add(1, Relaxed);
                }
            });
        }
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(served.load(Relaxed), 1000);
    });
    // Those that served them have seen the end by now, or are cancelled with the executor; none is left registered.
}

fn a_socket_outlives_its_runtime_as_an_error(rig: &Rig) {
    let (listener, _) = rig.listen();
    let (client, _server) = rig.run(rig.pair());
    rig.fifo.shut_down(Duration::ZERO);
    let other = Rig::new(Box::new(PollReactor::new().unwrap()));
    other.run(async {
        client.try_read(&mut [0; 1]).unwrap_err();
        assert!(client.read(&mut [0; 1]).await.unwrap_err().to_string().contains("shut down"));
        assert!(listener.accept().await.unwrap_err().to_string().contains("shut down"));
    });
}

fn a_socket_works_on_another_runtimes_thread(rig: &Rig) {
    let (client, server) = rig.run(rig.pair());
    std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| {
            let other = Rig::new(Box::new(PollReactor::new().unwrap()));
            other.run(async {
                let mut word = [0; 4];
                client.read_exact(&mut word).await.unwrap();
                client.write_all(&word).await.unwrap();
            });
        });
        rig.run(async {
            rig.sleep(5).await;
            server.write_all(b"ping").await.unwrap();
            server.read_exact(&mut [0; 4]).await.unwrap();
        });
        elsewhere.join().unwrap();
    });
}

fn events_by_the_thousand_are_neither_lost_nor_mixed_up(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        // More events than a tick of 16 bits could tell apart.
        let rounds = if cfg!(debug_assertions) { 3_000 } else { 70_000_u32 };
        let pong = rig.spawn(async move {
            let mut word = [0; 4];
            for _ in 0..rounds {
                server.read_exact(&mut word).await.unwrap();
                server.write_all(&word).await.unwrap();
            }
        });
        let mut back = [0; 4];
        for round in 0..rounds {
            client.write_all(&round.to_be_bytes()).await.unwrap();
            client.read_exact(&mut back).await.unwrap();
            assert_eq!(u32::from_be_bytes(back), round);
        }
        pong.await.unwrap();
    });
}

fn nothing_stays_registered(rig: &Rig) {
    rig.run(async {
        for _ in 0..100 {
            let (client, server) = rig.pair().await;
            client.write_all(b"x").await.unwrap();
            server.read_exact(&mut [0; 1]).await.unwrap();
        }
    });
    assert_eq!(rig.net.driver.registered_sources(), 0);
}

fn what_comes_after_urgent_data_is_read(rig: &Rig) {
    rig.run(async {
        let (sender, receiver) = rig.pair().await;
        let mut buffer = [0; 64];
        for _ in 0..3 {
            // Until the readiness of the registration is spent.
            sender.write_all(b"x").await.unwrap();
            receiver.read(&mut buffer).await.unwrap();
            rig.sleep(2).await;
            sender.write_all(b"ab").await.unwrap();
            let urgent = || rustix::net::send(sender.as_fd(), b"c", rustix::net::SendFlags::OOB);
            rustix::io::retry_on_intr(urgent).unwrap();
            sender.write_all(b"de").await.unwrap();
            let mut seen = Vec::new();
            while seen.len() < 4 {
                let n = receiver.read(&mut buffer).await.unwrap();
                seen.extend_from_slice(&buffer[..n]);
            }
            assert_eq!(seen, b"abde");
        }
    });
}

on_every_reactor! {
    what_comes_after_urgent_data_is_read
    what_is_sent_comes_back_in_order
    one_byte_at_a_time_is_read_to_the_end
    an_end_that_came_with_the_last_data_is_found
    a_half_closed_peer_still_hears_and_nobody_spins
    a_reset_wakes_both_directions
    several_readers_of_one_socket_all_go_on
    a_refused_connection_is_an_error
    nothing_is_asked_of_the_kernel_for_nothing
    a_dropped_read_takes_nothing
    halves_part_and_meet_again
    many_connections_are_served_at_once
    a_socket_outlives_its_runtime_as_an_error
    a_socket_works_on_another_runtimes_thread
    events_by_the_thousand_are_neither_lost_nor_mixed_up
    nothing_stays_registered
}
