//! A straight script that is driven from outside: it says what it wants done and is gone on with when
//! that is done. No runtime is in it, and no clock.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use finstage_model::Timestamp;

use super::{Action, Answer, Found, Options, script};

/// A probe: asked what to do, told what came of it.
pub struct Probe {
    script: Pin<Box<dyn Future<Output = Found>>>,
    desk: Rc<RefCell<Desk>>,
}

/// What lies between the script and whoever drives it.
#[derive(Debug)]
struct Desk {
    now: Timestamp,
    wanted: Option<Action>,
    answers: Vec<Answer>,
}

/// The script's side of the desk.
pub(super) struct Hand(Rc<RefCell<Desk>>);

impl Probe {
    /// One that has done nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let (wanted, answers) = (None, Vec::new());
        let desk = Rc::new(RefCell::new(Desk { now: Timestamp::EPOCH, wanted, answers }));
        let hand = Hand(Rc::clone(&desk));
        Self { script: Box::pin(script::run(hand, options)), desk }
    }

    /// What to do now, after `answers` to what was wanted last; nothing at first and after a wait.
    ///
    /// # Panics
    /// After it was done.
    pub fn step(&mut self, now: Timestamp, answers: Vec<Answer>) -> Action {
        {
            let mut desk = self.desk.borrow_mut();
            desk.now = now;
            desk.answers = answers;
        }
        match self.script.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => Action::Done(Box::new(found)),
            Poll::Pending => {
                let wanted = self.desk.borrow_mut().wanted.take();
                wanted.expect("the script waits for what it asked for, and for nothing else")
            }
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("desk", &self.desk).finish_non_exhaustive()
    }
}

impl Hand {
    pub(super) fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    pub(super) async fn send(&self, count: u32) -> Vec<Answer> {
        self.ask(Action::Send { count }).await;
        std::mem::take(&mut self.0.borrow_mut().answers)
    }

    pub(super) async fn wait(&self, until: Timestamp) {
        if until > self.now() {
            self.ask(Action::Wait { until }).await;
        }
    }

    async fn ask(&self, action: Action) {
        self.0.borrow_mut().wanted = Some(action);
        let mut asked = false;
        poll_fn(
            |_| {
                if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }
            },
        )
        .await;
    }
}
