//! Halves of a connection in different tasks, which wait first and try then, on every combination.

use polyloop::net::{TcpListener, TcpStream, UnixStream};
use polyloop::spawn;
use std::io::ErrorKind::WouldBlock;

/// More than the buffers of a socket.
const LENGTH: usize = 3_000_000;

/// One task writes by tries, another one reads by tries; the other end gives everything back.
macro_rules! goes_round {
    ($near:expr, $far:expr) => {{
        let (read, write) = $near.into_split();
        let (mut from, mut to) = $far.into_split();
        let echo = spawn(async move { polyloop::io::copy(&mut from, &mut to).await.unwrap() });
        let writing = spawn(async move {
            let bytes = vec![7; LENGTH];
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                write.writable().await.unwrap();
                match write.try_write(rest) {
                    Ok(n) => rest = &rest[n..],
                    Err(error) => assert_eq!(error.kind(), WouldBlock),
                }
            }
            // Its drop ends writing.
        });
        let reading = spawn(async move {
            let mut all = Vec::new();
            loop {
                read.readable().await.unwrap();
                match read.try_read_buf(&mut all) {
                    Ok(0) => return all,
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind(), WouldBlock),
                }
            }
        });
        writing.await.unwrap();
        let all = reading.await.unwrap();
        assert!(all.len() == LENGTH && all.iter().all(|byte| *byte == 7));
        assert_eq!(echo.await.unwrap(), LENGTH as u64);
    }};
}

#[polyloop::test(all)]
async fn halves_in_different_tasks_wait_first_and_try_then() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connecting = spawn(async move { TcpStream::connect(address).await.unwrap() });
    let (far, _) = listener.accept().await.unwrap();
    goes_round!(connecting.await.unwrap(), far);
    let (near, far) = UnixStream::pair().unwrap();
    goes_round!(near, far);
}
