//! Who is on duty: one lock, and the order of steps in which a place changes hands.
//!
//! Invariant: *as many seats are on duty as the pool has workers, or more for a moment, never fewer*. A seat is marked as
//! relieved only after another one is on duty in its place.

use polyloop_core::shim::atomic::{AtomicBool, Ordering::Relaxed};
use polyloop_core::shim::sync::Mutex;

use super::Relief;

/// Who has which seat, and how often a place has changed hands.
#[derive(Debug)]
pub(crate) struct Roster(Mutex<Page>);

/// What the lock protects.
#[derive(Debug)]
struct Page {
    posts: Vec<Post>,
    /// Counted with the post: whoever sees a relieved seat sees that it was counted.
    hand_offs: u64,
}

/// The state of one seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Post {
    /// No thread has it.
    Vacant,
    /// Its thread works, or would if there were work.
    OnDuty,
    /// On duty, and somebody is looking for a thread to take its place.
    Replacing,
    /// Another one is on duty for it. Its thread finds the mark at the end of its poll.
    Relieved,
    /// Its thread waits to be called on duty again, since so many [`age`](Roster::age)s.
    Standby(u32),
    /// Its thread is to end, and has not heard of that yet.
    Dismissed,
    /// Its thread has heard, and ends.
    Leaving,
}

/// Who is to go on duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hire {
    /// The thread that waits on standby.
    Recall(usize),
    /// A new thread on this seat.
    Start(usize),
}

/// Why nobody goes on duty for a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not on duty, or being replaced already.
    NotOnDuty,
    /// Every seat is taken.
    Cap,
    /// The one who was hired did not come.
    NoThread,
}

/// What a thread on standby is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Wait,
    Work,
    End,
}

/// That somebody else is on duty for a seat. Looked at by its worker when it looks up, and before it searches or sleeps.
#[derive(Debug)]
pub(crate) struct Mark(AtomicBool);

impl Mark {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Ordering: Relaxed. Whoever finds it goes through the roster's lock before anything follows from it; who looks because of a
    /// hail that came after it does find it.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Roster {
    /// The first `workers` seats are on duty, the others vacant.
    pub(crate) fn new(workers: usize, seats: usize) -> Self {
        let post = |index| if index < workers { Post::OnDuty } else { Post::Vacant };
        Self(Mutex::new(Page { posts: (0..seats).map(post).collect(), hand_offs: 0 }))
    }

    /// Puts somebody else on duty for seat `index`, whose mark is `mark`. `hire` calls or starts him, and says whether he will
    /// come; it runs with no lock held.
    pub(crate) fn relieve(
        &self,
        index: usize,
        mark: &Mark,
        hire: impl FnOnce(Hire) -> bool,
    ) -> Result<(), Refusal> {
        let hired = {
            let posts = &mut self.0.lock().posts;
            if posts[index] != Post::OnDuty {
                return Err(Refusal::NotOnDuty);
            }
            let hired = choose(posts).ok_or(Refusal::Cap)?;
            posts[index] = Post::Replacing;
            #[cfg(not(polyloop_mutant = "called_before_posted"))]
            {
                posts[hired.seat()] = Post::OnDuty;
            }
            hired
        };
        #[cfg(polyloop_mutant = "marked_before_hired")]
        mark.0.store(true, Relaxed);
        let comes = hire(hired);
        let mut page = self.0.lock();
        if !comes {
            page.posts[hired.seat()] = Post::Vacant;
            page.posts[index] = Post::OnDuty;
            return Err(Refusal::NoThread);
        }
        #[cfg(polyloop_mutant = "called_before_posted")]
        {
            page.posts[hired.seat()] = Post::OnDuty;
        }
        page.posts[index] = Post::Relieved;
        mark.0.store(true, Relaxed);
        #[cfg(polyloop_mutant = "counted_after_posted")]
        {
            drop(page);
            page = self.0.lock();
        }
        page.hand_offs += 1;
        Ok(())
    }

    /// The thread of seat `index` has found its mark, and goes on standby.
    pub(crate) fn stand_by(&self, index: usize, mark: &Mark) {
        let posts = &mut self.0.lock().posts;
        // Under the lock: once the post says standby, the next relief of this seat may set it again.
        mark.0.store(false, Relaxed);
        posts[index] = Post::Standby(0);
    }

    /// What the thread of seat `index`, which is on standby, is to do.
    pub(crate) fn order(&self, index: usize) -> Order {
        let posts = &mut self.0.lock().posts;
        match posts[index] {
            Post::Standby(_) => Order::Wait,
            Post::Dismissed => {
                // Under the same lock: from here on it cannot be called any more.
                #[cfg(not(polyloop_mutant = "leaves_unheard"))]
                {
                    posts[index] = Post::Leaving;
                }
                Order::End
            }
            Post::Leaving | Post::Vacant => Order::End,
            Post::OnDuty | Post::Replacing | Post::Relieved => Order::Work,
        }
    }

    /// The thread of seat `index`, which is on standby, waits until it is called; whether it is to work, or else to end. A call, and the
    /// end of the pool, end a `wait` that goes on or comes next.
    pub(crate) fn until_called(
        &self,
        index: usize,
        is_closed: impl Fn() -> bool,
        mut wait: impl FnMut(),
    ) -> bool {
        #[cfg(polyloop_mutant = "standby_asks_once_whether_closed")]
        let is_closed = {
            let closed = is_closed();
            move || closed
        };
        loop {
            let order = self.order(index);
            if is_closed() || order == Order::End {
                return false;
            }
            if order == Order::Work {
                return true;
            }
            wait();
        }
    }

    /// The thread of seat `index` has left what it had, and ends.
    pub(crate) fn vacate(&self, index: usize) {
        self.0.lock().posts[index] = Post::Vacant;
    }

    /// Everybody on standby grows older by one; those that are `limit` old are dismissed, and are to be called.
    pub(crate) fn age(&self, limit: u32) -> Vec<usize> {
        let mut dismissed = Vec::new();
        for (index, post) in self.0.lock().posts.iter_mut().enumerate() {
            if let Post::Standby(age) = post {
                *age = age.saturating_add(1);
                if *age >= limit {
                    *post = Post::Dismissed;
                    dismissed.push(index);
                }
            }
        }
        dismissed
    }

    /// The seats that are on duty.
    pub(crate) fn on_duty(&self) -> Vec<usize> {
        self.find(|post| matches!(post, Post::OnDuty | Post::Replacing))
    }

    /// The seats whose threads are still in the poll from which they were relieved.
    pub(crate) fn relieved(&self) -> Vec<usize> {
        self.find(|post| post == Post::Relieved)
    }

    /// What there is and has been, at one moment. Refusals are not kept here.
    pub(crate) fn relief(&self) -> Relief {
        let page = self.0.lock();
        let count = |is: fn(&Post) -> bool| page.posts.iter().filter(|post| is(post)).count();
        Relief {
            hand_offs: page.hand_offs,
            refused: 0,
            relieved: count(|post| *post == Post::Relieved),
            standby: count(|post| matches!(post, Post::Standby(_))),
        }
    }

    fn find(&self, is: impl Fn(Post) -> bool) -> Vec<usize> {
        let posts = &self.0.lock().posts;
        posts.iter().enumerate().filter(|(_, post)| is(**post)).map(|(index, _)| index).collect()
    }
}

/// Whoever came on standby last, because he is warm; else one who is about to be told to go; else a new thread.
fn choose(posts: &[Post]) -> Option<Hire> {
    let standby = posts.iter().enumerate().filter_map(|(index, post)| match post {
        Post::Standby(age) => Some((*age, index)),
        _ => None,
    });
    let find = |wanted| posts.iter().position(|post| *post == wanted);
    let recalled = standby.min().map(|(_, index)| index).or_else(|| find(Post::Dismissed));
    recalled.map(Hire::Recall).or_else(|| find(Post::Vacant).map(Hire::Start))
}

impl Hire {
    fn seat(self) -> usize {
        match self {
            Self::Recall(index) | Self::Start(index) => index,
        }
    }
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_place_changes_hands_and_the_returning_thread_is_the_next_to_be_called() {
        let (roster, mark) = (Roster::new(1, 3), Mark::new());
        let mut hired = None;
        let hire = |hire| {
            hired = Some(hire);
            assert_eq!(roster.relief(), Relief::default(), "neither relieved nor counted yet");
            true
        };
        assert_eq!(roster.relieve(0, &mark, hire), Ok(()));
        assert_eq!(hired, Some(Hire::Start(1)));
        assert!(mark.is_set());
        assert_eq!((roster.on_duty(), roster.relieved()), (vec![1], vec![0]));
        assert_eq!(roster.relief(), Relief { hand_offs: 1, relieved: 1, ..Relief::default() });
        assert_eq!(roster.relieve(0, &mark, |_| true), Err(Refusal::NotOnDuty));
        roster.stand_by(0, &mark);
        assert_eq!(roster.relief(), Relief { hand_offs: 1, standby: 1, ..Relief::default() });
        assert!(!mark.is_set());
        assert_eq!(roster.order(0), Order::Wait);
        let other = Mark::new();
        assert_eq!(roster.relieve(1, &other, |hire| hire == Hire::Recall(0)), Ok(()));
        assert_eq!(roster.order(0), Order::Work);
        assert_eq!((roster.on_duty(), roster.relieved()), (vec![0], vec![1]));
        assert_eq!(roster.relief(), Relief { hand_offs: 2, relieved: 1, ..Relief::default() });
    }

    #[test]
    fn at_the_cap_or_without_a_thread_nobody_is_marked() {
        let (roster, mark) = (Roster::new(1, 2), Mark::new());
        assert_eq!(roster.relieve(0, &mark, |_| false), Err(Refusal::NoThread));
        assert!(!mark.is_set());
        assert_eq!(roster.on_duty(), vec![0]);
        assert_eq!(roster.relief(), Relief::default(), "nobody came");
        assert_eq!(roster.relieve(0, &mark, |_| true), Ok(()));
        let other = Mark::new();
        assert_eq!(roster.relieve(1, &other, |_| true), Err(Refusal::Cap));
        assert!(!other.is_set());
    }

    #[test]
    fn a_standby_that_nobody_needs_is_dismissed_and_its_seat_is_free_again() {
        let (roster, mark) = (Roster::new(1, 2), Mark::new());
        roster.relieve(0, &mark, |_| true).unwrap();
        roster.stand_by(0, &mark);
        assert_eq!(roster.age(2), vec![]);
        assert_eq!(roster.age(2), vec![0]);
        assert_eq!(roster.order(0), Order::End);
        assert_eq!(roster.relieve(1, &Mark::new(), |_| true), Err(Refusal::Cap), "it has not left yet");
        roster.vacate(0);
        assert_eq!(roster.relieve(1, &Mark::new(), |hire| hire == Hire::Start(0)), Ok(()));
    }

    #[test]
    fn one_who_is_dismissed_and_has_not_heard_of_it_is_called_again() {
        let (roster, mark) = (Roster::new(1, 2), Mark::new());
        roster.relieve(0, &mark, |_| true).unwrap();
        roster.stand_by(0, &mark);
        assert_eq!(roster.age(0), vec![0]);
        assert_eq!(roster.relieve(1, &Mark::new(), |hire| hire == Hire::Recall(0)), Ok(()));
        assert_eq!(roster.order(0), Order::Work);
    }
}
