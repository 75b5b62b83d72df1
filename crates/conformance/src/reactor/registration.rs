//! Registrations begin and end, from any thread, and leave nothing behind.

use super::rig::{Rig, Subject, let_it_wait, millis, pair, token};
use polyloop_core::reactor::{Interest, ReactorHandle, Token};
use polyloop_core::time::Wait;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A file that another thread attaches during the wait is seen by this wait.
pub fn attach_while_another_thread_waits(subject: Subject) {
    let (ours, theirs) = pair();
    (&*theirs).write_all(b"x").expect("write");
    while_it_waits(&mut subject.rig(), token(1), |handle| {
        handle.attach(ours, token(1), Interest::READ).expect("attach");
    });
}

/// And one that another thread rearms.
pub fn rearm_while_another_thread_waits(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    (&*theirs).write_all(b"x").expect("write");
    rig.attach(&ours, token(1), Interest::READ);
    rig.until(token(1), |ready| ready.read);
    rig.ready.clear();
    (&*ours).read_exact(&mut [0]).expect("read");
    while_it_waits(&mut rig, token(1), |handle| {
        handle.rearm(token(1), Interest::READ).expect("rearm");
        let_it_wait();
        (&*theirs).write_all(b"x").expect("write");
    });
}

/// A file that another thread detaches during the wait is closed when the call returns.
pub fn detach_while_another_thread_waits_closes_the_file(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    let (last, last_peer) = pair();
    (&*last_peer).write_all(b"x").expect("write");
    rig.handle.attach(ours, token(1), Interest::READ).expect("attach");
    while_it_waits(&mut rig, token(2), |handle| {
        handle.detach(token(1)).expect("detach");
        assert_eq!((&*theirs).read(&mut [0]).expect("closed by now"), 0);
        handle.attach(last, token(2), Interest::READ).expect("attach");
    });
}

/// Turns here until `token` is reported, while another thread makes a `change`.
fn while_it_waits(rig: &mut Rig, token: Token, change: impl FnOnce(&dyn ReactorHandle) + Send) {
    let handle = rig.handle.clone();
    thread::scope(|scope| {
        let changing = scope.spawn(move || {
            let_it_wait();
            change(&*handle);
        });
        rig.until(token, |ready| ready.read);
        changing.join().expect("changing");
    });
}

/// Opens and closes so often that fds and slots are reused at once; what is reported for the present tenant must be so.
pub fn a_reused_fd_or_slot_is_not_taken_for_its_predecessor(subject: Subject) {
    let mut rig = subject.rig();
    let mut fds = BTreeSet::new();
    for generation in 0..500 {
        let present = Token::new(3, generation);
        let (ours, theirs) = pair();
        fds.insert(ours.as_raw_fd());
        rig.attach(&ours, present, Interest::READ);
        let reports = rig.turn(Wait::Now);
        let foreign = reports.iter().any(|&(token, ready)| token == present && ready.read);
        assert!(!(foreign && subject.strict()), "nobody wrote to generation {generation}");
        assert!(reports.iter().all(|(token, _)| token.generation() <= generation));
        (&*theirs).write_all(b"x").expect("write");
        // Every third goes with its event still in the kernel.
        if generation % 3 != 0 {
            rig.until(present, |ready| ready.read);
            assert_eq!((&*ours).read(&mut [0; 9]).expect("read"), 1);
        }
        rig.handle.detach(present).expect("detach");
    }
    assert!(fds.len() < 500, "no fd was reused, so nothing was tested");
}

/// A duplicate of a detached file keeps no registration alive in the kernel.
pub fn a_duplicate_does_not_outlive_the_registration(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    let duplicate = Arc::new(ours.try_clone().expect("dup"));
    rig.attach(&ours, token(1), Interest::READ);
    rig.attach(&duplicate, token(2), Interest::READ);
    rig.handle.detach(token(1)).expect("detach");
    drop(ours);
    rig.ready.clear();
    (&*theirs).write_all(b"x").expect("write");
    rig.until(token(2), |ready| ready.read);
    rig.handle.detach(token(2)).expect("detach");
    rig.settle();
    rig.ready.remove(&token(2));
    (&*theirs).write_all(b"y").expect("write");
    rig.turn(Wait::For(millis(5)));
    if subject.strict() {
        assert!(rig.ready.is_empty(), "a detached file was reported: {:?}", rig.ready);
    }
}

/// An attach that fails says why, and holds neither the file nor the token.
pub fn a_failed_attach_leaves_nothing_behind(subject: Subject) {
    let mut rig = subject.rig();
    let regular = Arc::new(std::fs::File::open(std::env::current_exe().expect("self")).expect("open"));
    match rig.handle.attach(regular.clone(), token(1), Interest::READ) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        Ok(()) => {
            // poll(2) takes it, and finds it ready for ever.
            rig.until(token(1), |ready| ready.read);
            rig.handle.detach(token(1)).expect("detach");
        }
    }
    assert_eq!(Arc::strong_count(&regular), 1);
    let missing = rig.handle.detach(token(1)).expect_err("nothing is registered");
    assert_eq!(missing.kind(), ErrorKind::NotFound);

    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::READ);
    for (file, other) in [(&ours, token(2)), (&theirs, token(1)), (&ours, token(1))] {
        let error = rig.handle.attach(file.clone(), other, Interest::READ).expect_err("twice");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    let forbidden = Token::from_u64(u64::MAX);
    let error = rig.handle.attach(theirs.clone(), forbidden, Interest::READ).expect_err("reserved");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!((Arc::strong_count(&ours), Arc::strong_count(&theirs)), (2, 1));
    (&*theirs).write_all(b"x").expect("write");
    rig.until(token(1), |ready| ready.read);
    rig.handle.detach(token(1)).expect("detach");
    rig.attach(&theirs, token(2), Interest::READ);
    rig.handle.detach(token(2)).expect("detach");
}

/// Tokens of other generations, and of nobody, are `NotFound`.
pub fn an_unknown_token_is_not_found(subject: Subject) {
    let rig = subject.rig();
    let (ours, _theirs) = pair();
    rig.attach(&ours, Token::new(1, 7), Interest::READ);
    for stranger in [Token::new(1, 6), Token::new(1, 8), Token::new(2, 7), Token::from_u64(u64::MAX)] {
        let rearm = rig.handle.rearm(stranger, Interest::READ).expect_err("unknown");
        let detach = rig.handle.detach(stranger).expect_err("unknown");
        assert_eq!((rearm.kind(), detach.kind()), (ErrorKind::NotFound, ErrorKind::NotFound));
    }
    rig.handle.detach(Token::new(1, 7)).expect("detach");
    assert_eq!(rig.handle.detach(Token::new(1, 7)).expect_err("once").kind(), ErrorKind::NotFound);
}

/// Says at its end, also at that by a panic, that one thread is less.
struct Ends<'a>(&'a AtomicUsize, &'a dyn ReactorHandle);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
        self.1.unpark();
    }
}

/// Four threads each open, attach, wait for their report, and detach, while a fifth turns.
pub fn threads_attach_and_detach_while_it_turns(subject: Subject) {
    let mut rig = subject.rig();
    let handle = rig.handle.clone();
    let reported: Mutex<BTreeSet<Token>> = Mutex::default();
    let running = AtomicUsize::new(4);
    let one = |index: u32| {
        let _ends = Ends(&running, &*handle);
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
    thread::scope(|scope| {
        let one = &one;
        (0..4).for_each(|index| drop(scope.spawn(move || one(index))));
        while running.load(Ordering::SeqCst) > 0 {
            let reports = rig.turn(Wait::Forever);
            let readable = reports.iter().filter(|(_, ready)| ready.read);
            reported.lock().expect("lock").extend(readable.map(|&(token, _)| token));
        }
    });
}

/// A handle whose reactor is gone takes and lets go of files, and the last one lets go of all.
pub fn a_handle_outlives_its_reactor(subject: Subject) {
    let Rig { reactor, handle, .. } = subject.rig();
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
