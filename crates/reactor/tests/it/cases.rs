//! The cases.

use crate::suite::{Driver, Subject, let_it_wait, millis, now, pair, token};
use polyloop_core::reactor::{Interest, ReactorHandle, Token};
use polyloop_core::time::Wait;
use socket2::SockRef;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub(crate) fn a_file_reports_what_it_was_asked_for(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    driver.attach(&ours, token(1), Interest::BOTH);
    let ready = driver.until(token(1), |ready| ready.write);
    if subject.strict() {
        assert!(!ready.read && !ready.hangup, "nothing has come yet: {ready:?}");
    }
    (&*theirs).write_all(b"x").expect("write");
    let ready = driver.until(token(1), |ready| ready.read);
    assert!(!ready.hangup && !ready.read_closed);
    driver.handle.detach(token(1)).expect("detach");
    assert_eq!(Arc::strong_count(&ours), 1, "detach lets go");
}

pub(crate) fn a_reported_direction_is_silent_until_rearmed_or_reports_the_next_edge(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    driver.attach(&ours, token(1), Interest::READ);
    (&*theirs).write_all(b"x").expect("write");
    driver.until(token(1), |ready| ready.read);
    if subject.strict() {
        assert!(driver.turn(Wait::Now).is_empty(), "an unread byte is reported once");
        (&*theirs).write_all(b"y").expect("write");
        let again = driver.turn(Wait::Now).len();
        assert_eq!(again, usize::from(driver.handle.caps().edge), "a new byte is a new edge");
    }
    driver.ready.clear();
    driver.rearm(token(1), Interest::READ);
    if !driver.handle.caps().edge {
        driver.until(token(1), |ready| ready.read);
    }
}

pub(crate) fn one_byte_at_a_time_loses_nothing(subject: Subject) {
    let mut driver = subject.driver();
    let (a, b) = pair();
    driver.attach(&a, token(1), Interest::BOTH);
    driver.attach(&b, token(2), Interest::BOTH);
    for round in 0..200_u8 {
        let mut byte = [0];
        let three = [round, round + 1, round + 2];
        let got = driver.read_after(token(2), &b, &mut byte, |driver| {
            driver.write_all(token(1), &a, &three).expect("write");
        });
        assert_eq!((got.expect("read"), byte[0]), (1, round));
        for expected in &three[1..] {
            assert_eq!(driver.read(token(2), &b, &mut byte).expect("read"), 1);
            assert_eq!(byte[0], *expected);
        }
        let got = driver.read_after(token(1), &a, &mut [0; 9], |driver| {
            driver.write_all(token(2), &b, &[round]).expect("write");
        });
        assert_eq!(got.expect("read"), 1);
    }
}

pub(crate) fn a_full_pipe_empties_through_partial_writes(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    theirs.set_nonblocking(false).expect("blocking");
    driver.attach(&ours, token(1), Interest::BOTH);
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        (&*theirs).read_to_end(&mut all).expect("read");
        all
    });
    let sent: Vec<u8> = (0..1_u32 << 20).map(|i| (i % 251) as u8).collect();
    driver.write_all(token(1), &ours, &sent).expect("write");
    driver.handle.detach(token(1)).expect("detach");
    drop(ours);
    assert!(reader.join().expect("reader") == sent);
}

pub(crate) fn attached_silently_then_rearmed(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    driver.attach(&ours, token(1), Interest::NONE);
    (&*theirs).write_all(b"x").expect("write");
    for _ in 0..20 {
        driver.turn(Wait::Now);
    }
    assert!(!driver.ready.values().any(|ready| ready.read || ready.write), "it was to keep quiet");
    driver.rearm(token(1), Interest::READ);
    driver.until(token(1), |ready| ready.read);
    driver.rearm(token(1), Interest::BOTH);
    driver.until(token(1), |ready| ready.write);
    driver.handle.detach(token(1)).expect("detach");
    driver.attach(&ours, token(2), Interest::NONE);
    driver.handle.detach(token(2)).expect("a file that was never asked about can be detached");
}

pub(crate) fn an_unpark_before_the_wait_ends_it(subject: Subject) {
    let mut driver = subject.driver();
    for _ in 0..100 {
        driver.handle.unpark();
        driver.turn(Wait::Forever);
    }
}

pub(crate) fn many_unparks_before_a_wait_are_one(subject: Subject) {
    let mut driver = subject.driver();
    (0..100).for_each(|_| driver.handle.unpark());
    driver.turn(Wait::Forever);
    if subject.strict() {
        let before = now();
        driver.turn(Wait::For(millis(5)));
        assert!(before.elapsed() >= millis(5), "the hundred were one");
    }
}

pub(crate) fn a_look_keeps_the_token(subject: Subject) {
    let mut driver = subject.driver();
    driver.handle.unpark();
    driver.turn(Wait::Now);
    driver.turn(Wait::For(Duration::ZERO));
    driver.handle.unpark();
    driver.turn(Wait::Now);
    driver.turn(Wait::Forever);
}

/// The announce-and-recheck of an executor: it waits only if it saw nothing, and is unparked whenever there is something.
pub(crate) fn no_unpark_of_a_wait_is_lost(subject: Subject) {
    let mut driver = subject.driver();
    let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let other = {
        let (handle, asked, answered) = (driver.handle.clone(), asked.clone(), answered.clone());
        thread::spawn(move || {
            for round in 1..=2000 {
                asked.store(round, Ordering::SeqCst);
                handle.unpark();
                while answered.load(Ordering::SeqCst) != round {
                    if round % 2 == 0 {
                        thread::yield_now();
                    }
                }
            }
        })
    };
    while answered.load(Ordering::SeqCst) < 2000 {
        let round = asked.load(Ordering::SeqCst);
        if answered.swap(round, Ordering::SeqCst) == round {
            driver.turn(Wait::Forever);
        }
    }
    other.join().expect("other");
}

pub(crate) fn a_wait_is_never_early_and_does_not_spin(subject: Subject) {
    let mut driver = subject.driver();
    let caps = driver.handle.caps();
    for micros in [50, 300, 900, 1_000, 1_001, 5_500] {
        let asked = Duration::from_micros(micros);
        let before = now();
        let turns = driver.turns;
        while before.elapsed() < asked {
            driver.turn(Wait::For(asked.saturating_sub(before.elapsed())));
        }
        if subject.strict() {
            assert_eq!(driver.turns - turns, 1, "{asked:?} was rounded down");
        }
        // Half a second is for a machine that has other things to do.
        assert!(
            before.elapsed() < asked + caps.timeout_resolution + millis(500),
            "{asked:?} is much too late"
        );
    }
    let before = now();
    driver.turn(Wait::For(Duration::ZERO));
    driver.turn(Wait::Now);
    assert!(before.elapsed() < millis(500));
}

pub(crate) fn far_timeouts_do_not_overflow(subject: Subject) {
    let mut driver = subject.driver();
    let day = Duration::from_secs(86_400);
    for far in [24 * day, 25 * day, 50 * day, 200 * 365 * day, Duration::MAX] {
        let handle = driver.handle.clone();
        let over = Arc::new(AtomicBool::new(false));
        let flag = over.clone();
        let other = thread::spawn(move || {
            let_it_wait();
            flag.store(true, Ordering::SeqCst);
            handle.unpark();
        });
        let turns = driver.turns;
        while !over.load(Ordering::SeqCst) {
            driver.turn(Wait::For(far));
        }
        if subject.strict() {
            assert!(driver.turns - turns <= 2, "{far:?} ended early again and again");
        }
        other.join().expect("other");
        driver.turn(Wait::Now);
    }
}

/// Turns on another thread until `token` is reported, with `change` made meanwhile.
fn while_it_waits(mut driver: Driver, token: Token, change: impl FnOnce(&dyn ReactorHandle)) -> Driver {
    let handle = driver.handle.clone();
    let turning = thread::spawn(move || {
        driver.until(token, |ready| ready.read);
        driver
    });
    let_it_wait();
    change(&*handle);
    turning.join().expect("turning")
}

pub(crate) fn attach_while_another_thread_waits(subject: Subject) {
    let (ours, theirs) = pair();
    (&*theirs).write_all(b"x").expect("write");
    while_it_waits(subject.driver(), token(1), |handle| {
        handle.attach(ours, token(1), Interest::READ).expect("attach");
    });
}

pub(crate) fn rearm_while_another_thread_waits(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    (&*theirs).write_all(b"x").expect("write");
    driver.attach(&ours, token(1), Interest::READ);
    driver.until(token(1), |ready| ready.read);
    driver.ready.clear();
    (&*ours).read_exact(&mut [0]).expect("read");
    while_it_waits(driver, token(1), |handle| {
        handle.rearm(token(1), Interest::READ).expect("rearm");
        let_it_wait();
        (&*theirs).write_all(b"x").expect("write");
    });
}

pub(crate) fn detach_while_another_thread_waits_closes_the_file(subject: Subject) {
    let driver = subject.driver();
    let (ours, theirs) = pair();
    let (last, last_peer) = pair();
    (&*last_peer).write_all(b"x").expect("write");
    driver.handle.attach(ours, token(1), Interest::READ).expect("attach");
    while_it_waits(driver, token(2), |handle| {
        handle.detach(token(1)).expect("detach");
        assert_eq!((&*theirs).read(&mut [0]).expect("closed by now"), 0);
        handle.attach(last, token(2), Interest::READ).expect("attach");
    });
}

/// Opens and closes so often that fds and slots are reused at once; what is reported for the present tenant must be so.
pub(crate) fn a_reused_fd_or_slot_is_not_taken_for_its_predecessor(subject: Subject) {
    let mut driver = subject.driver();
    let mut fds = BTreeSet::new();
    for generation in 0..500 {
        let present = Token::new(3, generation);
        let (ours, theirs) = pair();
        fds.insert(ours.as_raw_fd());
        driver.attach(&ours, present, Interest::READ);
        let reports = driver.turn(Wait::Now);
        let foreign = reports.iter().any(|&(token, ready)| token == present && ready.read);
        assert!(!(foreign && subject.strict()), "nobody wrote to generation {generation}");
        assert!(reports.iter().all(|(token, _)| token.generation() <= generation));
        (&*theirs).write_all(b"x").expect("write");
        // Every third goes with its event still in the kernel.
        if generation % 3 != 0 {
            driver.until(present, |ready| ready.read);
            assert_eq!((&*ours).read(&mut [0; 9]).expect("read"), 1);
        }
        driver.handle.detach(present).expect("detach");
    }
    assert!(fds.len() < 500, "no fd was reused, so nothing was tested");
}

pub(crate) fn a_duplicate_does_not_outlive_the_registration(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    let duplicate = Arc::new(ours.try_clone().expect("dup"));
    driver.attach(&ours, token(1), Interest::READ);
    driver.attach(&duplicate, token(2), Interest::READ);
    driver.handle.detach(token(1)).expect("detach");
    drop(ours);
    driver.ready.clear();
    (&*theirs).write_all(b"x").expect("write");
    driver.until(token(2), |ready| ready.read);
    driver.handle.detach(token(2)).expect("detach");
    driver.settle();
    driver.ready.remove(&token(2));
    (&*theirs).write_all(b"y").expect("write");
    driver.turn(Wait::For(millis(5)));
    if subject.strict() {
        assert!(driver.ready.is_empty(), "a detached file was reported: {:?}", driver.ready);
    }
}

pub(crate) fn a_failed_attach_leaves_nothing_behind(subject: Subject) {
    let mut driver = subject.driver();
    let regular = Arc::new(std::fs::File::open(std::env::current_exe().expect("self")).expect("open"));
    match driver.handle.attach(regular.clone(), token(1), Interest::READ) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        Ok(()) => {
            assert_eq!(driver.handle.name(), "poll", "epoll watches no regular file");
            driver.until(token(1), |ready| ready.read);
            driver.handle.detach(token(1)).expect("detach");
        }
    }
    assert_eq!(Arc::strong_count(&regular), 1);
    let missing = driver.handle.detach(token(1)).expect_err("nothing is registered");
    assert_eq!(missing.kind(), ErrorKind::NotFound);

    let (ours, theirs) = pair();
    driver.attach(&ours, token(1), Interest::READ);
    for (file, other) in [(&ours, token(2)), (&theirs, token(1)), (&ours, token(1))] {
        let error = driver.handle.attach(file.clone(), other, Interest::READ).expect_err("twice");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    let forbidden = Token::from_u64(u64::MAX);
    let error = driver.handle.attach(theirs.clone(), forbidden, Interest::READ).expect_err("reserved");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!((Arc::strong_count(&ours), Arc::strong_count(&theirs)), (2, 1));
    (&*theirs).write_all(b"x").expect("write");
    driver.until(token(1), |ready| ready.read);
    driver.handle.detach(token(1)).expect("detach");
    driver.attach(&theirs, token(2), Interest::READ);
    driver.handle.detach(token(2)).expect("detach");
}

pub(crate) fn an_unknown_token_is_not_found(subject: Subject) {
    let driver = subject.driver();
    let (ours, _theirs) = pair();
    driver.attach(&ours, Token::new(1, 7), Interest::READ);
    for stranger in [Token::new(1, 6), Token::new(1, 8), Token::new(2, 7), Token::from_u64(u64::MAX)] {
        let rearm = driver.handle.rearm(stranger, Interest::READ).expect_err("unknown");
        let detach = driver.handle.detach(stranger).expect_err("unknown");
        assert_eq!((rearm.kind(), detach.kind()), (ErrorKind::NotFound, ErrorKind::NotFound));
    }
    driver.handle.detach(Token::new(1, 7)).expect("detach");
    assert_eq!(driver.handle.detach(Token::new(1, 7)).expect_err("once").kind(), ErrorKind::NotFound);
}

pub(crate) fn half_close_is_no_hangup_and_no_spin(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    driver.attach(&ours, token(1), Interest::BOTH);
    theirs.shutdown(std::net::Shutdown::Write).expect("shutdown");
    assert_eq!(driver.read(token(1), &ours, &mut [0; 9]).expect("read"), 0, "the end of the stream");
    let known = driver.ready.get(&token(1)).copied().unwrap_or_default();
    assert!(!known.hangup, "writing still works");
    driver.settle();

    // The other direction goes on, and what is closed makes no turns beyond those of the writes.
    theirs.set_nonblocking(false).expect("blocking");
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        (&*theirs).read_to_end(&mut all).expect("read");
        all.len()
    });
    let turns = driver.turns;
    let mut blocked = 0;
    let mut left = 1_usize << 20;
    while left > 0 {
        left -= driver
            .io(token(1), Interest::WRITE, || {
                let sent = (&*ours).write(&vec![7; left.min(4096)]);
                blocked += usize::from(sent.is_err());
                sent
            })
            .expect("write");
    }
    if subject.strict() {
        // An edge may come for room that is used up already, but never for the closed side.
        assert!(
            driver.turns - turns <= 2 * blocked,
            "{} turns, blocked {blocked} times",
            driver.turns - turns
        );
    }
    ours.shutdown(std::net::Shutdown::Write).expect("shutdown");
    assert_eq!(reader.join().expect("reader"), 1 << 20);
}

pub(crate) fn a_reset_connection_wakes_both_directions(subject: Subject) {
    for interest in [Interest::READ, Interest::WRITE, Interest::BOTH] {
        let mut driver = subject.driver();
        let (ours, theirs) = tcp();
        while (&*ours).write(&[0; 65536]).is_ok() {}
        driver.attach(&ours, token(1), interest);
        driver.settle();
        driver.ready.clear();
        driver.rearm(token(1), interest);
        SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).expect("linger");
        drop(theirs);
        driver.until(token(1), |ready| ready.read && ready.write && ready.hangup);
        let error = (&*ours).read(&mut [0; 9]).expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

fn tcp() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let ours = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let theirs = listener.accept().expect("accept").0;
    ours.set_nonblocking(true).expect("non-blocking");
    (Arc::new(ours), theirs)
}

pub(crate) fn a_hangup_is_told_once(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    driver.attach(&ours, token(1), Interest::BOTH);
    driver.settle();
    driver.ready.clear();
    drop(theirs);
    driver.rearm(token(1), Interest::BOTH);
    driver.until(token(1), |ready| ready.read && ready.write && ready.hangup);
    if subject.strict() {
        let before = now();
        assert!(driver.turn(Wait::For(millis(5))).is_empty(), "it was told");
        assert!(before.elapsed() >= millis(5), "and wakes nobody again");
    }
}

pub(crate) fn one_turn_per_event(subject: Subject) {
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    driver.attach(&ours, token(1), Interest::READ);
    for _ in 0..100 {
        (&*theirs).write_all(b"x").expect("write");
        driver.read(token(1), &ours, &mut [0; 9]).expect("read");
        (&*theirs).write_all(b"x").expect("write");
        driver.rearm(token(1), Interest::READ);
        driver.until(token(1), |ready| ready.read);
        driver.read(token(1), &ours, &mut [0; 9]).expect("read");
        driver.ready.clear();
        driver.rearm(token(1), Interest::READ);
        if subject.strict() {
            driver.settle();
        }
    }
    if subject.strict() {
        // Per round at most: the first byte's edge, the second's, and the last look of `settle`.
        assert!(driver.turns <= 300, "{} turns for 200 bytes", driver.turns);
        assert!(driver.reports <= 200, "{} reports for 200 bytes", driver.reports);
    }
}

/// A thousand fds of one socket, so that one byte makes them all readable.
pub(crate) fn a_thousand_sources(subject: Subject) {
    const MANY: u32 = 1000;
    allow_many_files();
    let mut driver = subject.driver();
    let (ours, theirs) = pair();
    let files: Vec<_> = (0..MANY).map(|_| Arc::new(ours.try_clone().expect("dup"))).collect();
    for (index, file) in (0..).zip(&files) {
        driver.attach(file, token(index), Interest::READ);
    }
    for _ in 0..2 {
        (&*theirs).write_all(b"x").expect("write");
        let (turns, reports) = (driver.turns, driver.reports);
        for index in 0..MANY {
            driver.until(token(index), |ready| ready.read);
        }
        if subject.strict() {
            assert_eq!((driver.turns - turns, driver.reports - reports), (1, MANY as usize));
        }
        (&*ours).read_exact(&mut [0]).expect("read");
        driver.ready.clear();
        for index in 0..MANY {
            driver.rearm(token(index), Interest::READ);
        }
    }
    for index in 0..MANY {
        driver.handle.detach(token(index)).expect("detach");
    }
    assert!(files.iter().all(|file| Arc::strong_count(file) == 1));
}

fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("as many as we may");
}

/// Four threads each open, attach, wait for their report, and detach, while a fifth turns.
pub(crate) fn threads_attach_and_detach_while_it_turns(subject: Subject) {
    let mut driver = subject.driver();
    let reported: Arc<Mutex<BTreeSet<Token>>> = Arc::default();
    let over = Arc::new(AtomicBool::new(false));
    let handle = driver.handle.clone();
    let turning = {
        let (reported, over) = (reported.clone(), over.clone());
        thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let reports = driver.turn(Wait::Forever);
                let readable = reports.iter().filter(|(_, ready)| ready.read);
                reported.lock().expect("lock").extend(readable.map(|&(token, _)| token));
            }
        })
    };
    let one = |index: u32| {
        for generation in 0..100 {
            let token = Token::new(index, generation);
            let (ours, theirs) = pair();
            handle.attach(ours.clone(), token, Interest::NONE).expect("attach");
            handle.rearm(token, Interest::BOTH).expect("rearm");
            (&*theirs).write_all(b"x").expect("write");
            while !reported.lock().expect("lock").contains(&token) {
                // Whoever heard of the writable side alone asks again.
                handle.rearm(token, Interest::READ).expect("rearm");
                thread::yield_now();
            }
            handle.detach(token).expect("detach");
            assert_eq!(Arc::strong_count(&ours), 1);
        }
    };
    thread::scope(|scope| (0..4).for_each(|index| drop(scope.spawn(move || one(index)))));
    over.store(true, Ordering::SeqCst);
    handle.unpark();
    turning.join().expect("turning");
}

pub(crate) fn a_handle_outlives_its_reactor(subject: Subject) {
    let Driver { reactor, handle, .. } = subject.driver();
    let (ours, _theirs) = pair();
    handle.attach(ours.clone(), token(1), Interest::READ).expect("attach");
    drop(reactor);
    handle.unpark();
    handle.rearm(token(1), Interest::BOTH).expect("rearm");
    handle.detach(token(1)).expect("detach");
    handle.attach(ours.clone(), token(2), Interest::READ).expect("attach");
    drop(handle);
    assert_eq!(Arc::strong_count(&ours), 1, "the last handle lets go of all files");
}
