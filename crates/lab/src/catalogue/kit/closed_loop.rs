//! A closed loop over many connections on one thread: each sends its next message as soon as its last one is back.
//!
//! Invariant: no connection waits for another. Readiness comes from the kernel's own queue on Linux (epoll) and from
//! poll(2) elsewhere; there is no runtime in it. Messages are made before the loop begins, and when [`Loop::run`]
//! returns, nothing is under way.

use super::client::{PATIENCE, Report, message};
use super::clock;
use ready::Ready;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How many different messages there are at most, and how many bytes of them.
const MESSAGES: usize = 64;
const MESSAGES_BYTES: usize = 4 << 20;

/// The connections, and what each is doing.
pub(super) struct Loop<'a> {
    ready: Ready<'a>,
    conns: Vec<Conn<'a>>,
    messages: Vec<Vec<u8>>,
    /// Where answers are read to before they are compared.
    buffer: Vec<u8>,
}

/// One connection. Its message is under way while `sent_at` is set.
struct Conn<'a> {
    stream: &'a TcpStream,
    sent_at: Option<Instant>,
    message: usize,
    written: usize,
    received: usize,
    right: bool,
    /// Whether the kernel had no room for all of the message.
    wants_room: bool,
}

impl<'a> Loop<'a> {
    /// Over these connections, which don't block from now on, with messages of so many bytes.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub(super) fn new(streams: &'a [TcpStream], bytes: usize) -> io::Result<Self> {
        let different = (MESSAGES_BYTES / bytes.max(1)).clamp(1, MESSAGES) as u64;
        let messages: Vec<Vec<u8>> = (0..different).map(|seed| message(seed, bytes)).collect();
        let mut conns = Vec::with_capacity(streams.len());
        for (i, stream) in streams.iter().enumerate() {
            stream.set_nonblocking(true)?;
            conns.push(Conn {
                stream,
                sent_at: None,
                message: i % messages.len(),
                written: 0,
                received: 0,
                right: true,
                wants_room: false,
            });
        }
        Ok(Self { ready: Ready::new(streams)?, conns, messages, buffer: vec![0; bytes.max(1)] })
    }

    /// Keeps one message under way on each connection for so long, then waits for the last answers.
    ///
    /// # Errors
    ///
    /// A connection that ended, or no answer at all for [`PATIENCE`].
    pub(super) fn run(
        &mut self,
        time: Duration,
        times: &mut Vec<Duration>,
        report: &mut Report,
    ) -> io::Result<()> {
        let until = clock::now() + time;
        let mut under_way = self.conns.len();
        for conn in 0..self.conns.len() {
            self.begin(conn)?;
        }
        let mut events = Vec::with_capacity(256);
        while under_way > 0 {
            self.ready.wait(&mut events)?;
            if events.is_empty() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
            }
            for conn in events.drain(..) {
                self.write(conn)?;
                let Some((took, right)) = self.read(conn)? else { continue };
                times.push(took);
                if right {
                    report.right += 1;
                } else {
                    report.wrong += 1;
                }
                if clock::now() < until {
                    self.begin(conn)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        Ok(())
    }

    /// Sends the next message, as far as there is room.
    fn begin(&mut self, index: usize) -> io::Result<()> {
        let conn = &mut self.conns[index];
        conn.message = (conn.message + 1) % self.messages.len();
        (conn.written, conn.received, conn.right) = (0, 0, true);
        conn.sent_at = Some(clock::now());
        self.write(index)
    }

    fn write(&mut self, index: usize) -> io::Result<()> {
        let conn = &mut self.conns[index];
        let message = &self.messages[conn.message];
        while conn.sent_at.is_some() && conn.written < message.len() {
            match conn.stream.write(&message[conn.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => conn.written += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let wants_room = conn.sent_at.is_some() && conn.written < message.len();
        if wants_room != conn.wants_room {
            conn.wants_room = wants_room;
            self.ready.interest(index, conn.stream, wants_room)?;
        }
        Ok(())
    }

    /// Reads what there is; the time and whether all was right, once the whole message is back.
    fn read(&mut self, index: usize) -> io::Result<Option<(Duration, bool)>> {
        let conn = &mut self.conns[index];
        let Some(sent_at) = conn.sent_at else { return Ok(None) };
        let message = &self.messages[conn.message];
        let missing = message.len() - conn.received;
        match conn.stream.read(&mut self.buffer[..missing]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                conn.right &= self.buffer[..read] == message[conn.received..conn.received + read];
                conn.received += read;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        if conn.received < message.len() {
            return Ok(None);
        }
        conn.sent_at = None;
        Ok(Some((sent_at.elapsed(), conn.right)))
    }
}

/// Which connections have something to read, or room to write.
#[cfg(target_os = "linux")]
mod ready {
    use super::PATIENCE;
    use rustix::buffer::spare_capacity;
    use rustix::event::{Timespec, epoll};
    use rustix::fd::OwnedFd;
    use std::io;
    use std::marker::PhantomData;
    use std::net::TcpStream;

    pub(super) struct Ready<'a> {
        queue: OwnedFd,
        events: Vec<epoll::Event>,
        streams: PhantomData<&'a [TcpStream]>,
    }

    impl<'a> Ready<'a> {
        pub(super) fn new(streams: &'a [TcpStream]) -> io::Result<Self> {
            let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            for (index, stream) in streams.iter().enumerate() {
                epoll::add(&queue, stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
            }
            Ok(Self { queue, events: Vec::with_capacity(256), streams: PhantomData })
        }

        /// Whether this connection waits for room besides an answer.
        pub(super) fn interest(&mut self, index: usize, stream: &TcpStream, room: bool) -> io::Result<()> {
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, room);
            Ok(epoll::modify(&self.queue, stream, epoll::EventData::new_u64(index as u64), flags)?)
        }

        /// Waits and adds the ready ones; none after [`PATIENCE`].
        pub(super) fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
            let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
            loop {
                self.events.clear();
                match epoll::wait(&self.queue, spare_capacity(&mut self.events), Some(&patience)) {
                    Ok(_) => break,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            ready.extend(self.events.iter().map(|event| event.data.u64() as usize));
            Ok(())
        }
    }
}

/// Which connections have something to read, or room to write.
#[cfg(not(target_os = "linux"))]
mod ready {
    use super::PATIENCE;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io;
    use std::net::TcpStream;

    pub(super) struct Ready<'a> {
        list: Vec<PollFd<'a>>,
        streams: &'a [TcpStream],
    }

    impl<'a> Ready<'a> {
        pub(super) fn new(streams: &'a [TcpStream]) -> io::Result<Self> {
            let list = streams.iter().map(|stream| PollFd::new(stream, PollFlags::IN)).collect();
            Ok(Self { list, streams })
        }

        /// Whether this connection waits for room besides an answer.
        pub(super) fn interest(&mut self, index: usize, _: &TcpStream, room: bool) -> io::Result<()> {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, room);
            self.list[index] = PollFd::new(&self.streams[index], flags);
            Ok(())
        }

        /// Waits and adds the ready ones; none after [`PATIENCE`].
        pub(super) fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
            let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
            while let Err(error) = poll(&mut self.list, Some(&patience)) {
                if error != rustix::io::Errno::INTR {
                    return Err(error.into());
                }
            }
            let has_event = |fd: &PollFd<'_>| !fd.revents().is_empty();
            let list = self.list.iter().enumerate();
            ready.extend(list.filter(|(_, fd)| has_event(fd)).map(|(index, _)| index));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    /// Connected pairs: ours, and the other ends.
    fn pairs(n: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        (0..n).map(|_| (TcpStream::connect(addr).unwrap(), listener.accept().unwrap().0)).unzip()
    }

    fn echo(mut stream: TcpStream, bytes: usize, most: usize) -> usize {
        let mut message = vec![0; bytes];
        let mut echoed = 0;
        while echoed < most && stream.read_exact(&mut message).is_ok() {
            stream.write_all(&message).unwrap();
            echoed += 1;
        }
        echoed
    }

    /// In lock step the quick connection would wait for the slow one, which waits for the second message of the quick one.
    #[test]
    fn a_slow_connection_does_not_hold_up_a_quick_one() {
        let (ours, mut theirs) = pairs(2);
        let (quick, slow) = (theirs.pop().unwrap(), theirs.pop().unwrap());
        let (enough, told) = std::sync::mpsc::channel();
        let quick = thread::spawn(move || {
            let mut quick = quick;
            let mut message = [0; 64];
            let mut echoed = 0_u64;
            while quick.read_exact(&mut message).is_ok() {
                quick.write_all(&message).unwrap();
                echoed += 1;
                if echoed == 2 {
                    enough.send(()).unwrap();
                }
            }
            echoed
        });
        let slow = thread::spawn(move || {
            told.recv().unwrap();
            echo(slow, 64, 1_000_000)
        });
        let mut report = Report::default();
        let mut times = Vec::new();
        let mut closed = Loop::new(&ours, 64).unwrap();
        closed.run(Duration::from_millis(300), &mut times, &mut report).unwrap();
        drop(closed);
        drop(ours);
        let echoed = quick.join().unwrap() + slow.join().unwrap() as u64;
        assert_eq!(
            (report.right, report.wrong, times.len() as u64),
            (echoed, 0, echoed),
            "nothing is under way"
        );
    }

    #[test]
    fn messages_larger_than_the_kernels_room_come_back_whole() {
        const BYTES: usize = 8 << 20;
        let (ours, mut theirs) = pairs(1);
        let server = theirs.pop().unwrap();
        let server = thread::spawn(move || echo(server, BYTES, usize::MAX));
        let mut report = Report::default();
        Loop::new(&ours, BYTES).unwrap().run(Duration::ZERO, &mut Vec::new(), &mut report).unwrap();
        drop(ours);
        assert_eq!((report.right, report.wrong, server.join().unwrap()), (1, 0, 1));
    }

    #[test]
    fn a_connection_that_ends_is_an_error() {
        let (ours, theirs) = pairs(1);
        drop(theirs);
        let mut report = Report::default();
        let ended = Loop::new(&ours, 64).unwrap().run(Duration::from_secs(1), &mut Vec::new(), &mut report);
        assert!(ended.is_err());
        assert_eq!(report.right, 0);
    }
}
