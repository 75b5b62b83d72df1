//! Programs that were written for tokio's I/O traits, on every combination.
//!
//! Invariant: what is asserted is bytes and their order.

use polyloop::io::{
    self, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, copy_bidirectional, duplex,
    simplex,
};
use polyloop::net::unix::UnixStream;
use polyloop::net::{TcpListener, TcpStream};
use polyloop::{join, spawn};

/// So many that writing has to wait for the reader.
const MANY: usize = 1 << 20;

#[polyloop::test(all)]
async fn lines_go_to_a_server_and_come_back_in_order() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = spawn(async move {
        let (stream, _) = listener.accept().await?;
        let (read, write) = stream.into_split();
        let (mut lines, mut write) = (BufReader::new(read).lines(), BufWriter::new(write));
        while let Some(line) = lines.next_line().await? {
            write.write_all(format!("{line}!\n").as_bytes()).await?;
            write.flush().await?;
        }
        write.shutdown().await
    });
    let (read, mut write) = io::split(TcpStream::connect(address).await?);
    let sending = spawn(async move {
        for n in 0..200 {
            write.write_all(format!("line {n}\n").as_bytes()).await?;
        }
        write.shutdown().await
    });
    let mut answer = String::new();
    BufReader::new(read).read_to_string(&mut answer).await?;
    let expected: String = (0..200).map(|n| format!("line {n}!\n")).collect();
    assert_eq!(answer, expected);
    sending.await.unwrap()?;
    server.await.unwrap()
}

#[polyloop::test(all)]
async fn a_proxy_copies_both_ways_until_both_have_ended() -> io::Result<()> {
    let (client, mut near) = UnixStream::pair()?;
    let (mut far, server) = UnixStream::pair()?;
    let proxy = spawn(async move { copy_bidirectional(&mut near, &mut far).await });
    let serving = spawn(async move {
        let (mut read, mut write) = server.into_split();
        let asked = io::copy(&mut read, &mut io::sink()).await?;
        write.write_all(&vec![2; MANY]).await?;
        std::io::Result::Ok(asked)
    });
    let (mut read, mut write) = client.into_split();
    write.write_all(&vec![1; MANY / 2]).await?;
    drop(write);
    let mut answer = Vec::new();
    read.read_to_end(&mut answer).await?;
    assert!(answer == vec![2; MANY]);
    assert_eq!(serving.await.unwrap()?, MANY as u64 / 2);
    assert_eq!(proxy.await.unwrap()?, (MANY as u64 / 2, MANY as u64));
    Ok(())
}

#[polyloop::test(all)]
async fn pipes_of_memory_make_the_writer_wait_and_end_when_they_are_dropped() -> io::Result<()> {
    let (mut one, mut other) = duplex(7);
    let writing = async move {
        one.write_all(&[3; 1000]).await?;
        let mut answer = [0; 2];
        one.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"ok");
        std::io::Result::Ok(())
    };
    let reading = async move {
        let mut all = vec![0; 1000];
        other.read_exact(&mut all).await?;
        assert_eq!(all, [3; 1000]);
        other.write_all(b"ok").await?;
        assert_eq!(other.read(&mut [0]).await?, 0, "the end");
        assert_eq!(other.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        std::io::Result::Ok(())
    };
    let (wrote, read) = join!(writing, reading);
    wrote?;
    read?;
    let (mut receiver, mut sender) = simplex(4);
    let sending = spawn(async move {
        sender.write_all(b"in one direction").await?;
        sender.shutdown().await
    });
    let mut all = String::new();
    receiver.read_to_string(&mut all).await?;
    assert_eq!(all, "in one direction");
    sending.await.unwrap()
}

#[polyloop::test(all)]
async fn adapters_take_and_chain() -> io::Result<()> {
    let mut bytes = io::repeat(b'a').take(3).chain(&b"bc"[..]);
    let mut all = String::new();
    bytes.read_to_string(&mut all).await?;
    assert_eq!(all, "aaabc");
    let mut parts = BufReader::new(&b"1,22,"[..]).split(b',');
    assert_eq!(parts.next_segment().await?.as_deref(), Some(&b"1"[..]));
    assert_eq!(parts.next_segment().await?.as_deref(), Some(&b"22"[..]));
    assert_eq!(parts.next_segment().await?, None);
    let (mut both, far) = (io::join(&b"read"[..], Vec::new()), &b"written"[..]);
    let mut word = [0; 4];
    both.read_exact(&mut word).await?;
    both.write_all(far).await?;
    assert_eq!((&word, &both.writer()[..]), (b"read", far));
    Ok(())
}
