//! One call to a [`Remote`], from its first attempt to its last.

use std::fmt::Display;

use tokio::time::{Instant, sleep, timeout_at};

use crate::budget::After;
use crate::remote::{Outstanding, Trouble, Turn};
use crate::{
    Error, ErrorKind, Phase, Pieces, Remote, Request, Response, Sign, Streamed, Transport,
};

/// One call: several attempts under one deadline.
pub(crate) struct Call<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) transport: &'a dyn Transport,
    pub(crate) request: &'a Request,
    pub(crate) deadline: Instant,
    pub(crate) way: Way,
}

/// How an answer is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// When all of it is there.
    Whole,
    /// When its head is there.
    Head,
}

/// An answer and what it means.
pub(crate) struct Answer {
    /// The head alone where a body follows.
    pub(crate) response: Response,
    pub(crate) sign: Sign,
    pub(crate) rest: Option<Rest>,
}

/// What follows a head.
pub(crate) struct Rest {
    pub(crate) body: Box<dyn Pieces>,
    pub(crate) limit: Limit,
    pub(crate) place: Option<Outstanding>,
}

impl Answer {
    /// As it is given to who reads it piece by piece.
    pub(crate) fn streamed(self, request: &Request) -> Streamed {
        let request = request.to_string();
        match self.rest {
            Some(Rest { body, limit, place }) => {
                Streamed::new((self.response, Some(body)), limit, request, place)
            }
            None => Streamed::new((self.response, None), Limit::NONE, request, None),
        }
    }
}

/// When an attempt has to be over: its own time, or that of the whole call where it ends first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    at: Option<Instant>,
    is_own: bool,
}

impl Limit {
    const NONE: Self = Self { at: None, is_own: false };

    /// The limit of an attempt that leaves now, in a call that ends at `deadline`.
    pub(crate) fn of(request: &Request, deadline: Option<Instant>) -> Self {
        let own = request.longest().map(|most| Instant::now() + most);
        let is_own = own.is_some_and(|own| deadline.is_none_or(|deadline| own < deadline));
        Self { at: if is_own { own } else { deadline }, is_own }
    }

    /// What `work` gives within the limit.
    pub(crate) async fn keep<T>(
        self,
        request: &(impl Display + ?Sized),
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(at) = self.at else { return work.await };
        timeout_at(at, work).await.unwrap_or_else(|_| {
            let whose = if self.is_own { "for this attempt" } else { "for the whole call" };
            let message = format!("{request}: the time {whose} is over");
            Err(Error::new(ErrorKind::Timeout, message).after_sending().during(Phase::Whole))
        })
    }
}

/// How an attempt ended.
enum End {
    Answered(Answer),
    /// No answer.
    Lost(Error),
    /// It had no turn.
    NotSent(Error),
}

impl End {
    const fn is_crowded(&self) -> bool {
        matches!(self, Self::Answered(Answer { sign: Sign::Crowded { .. }, .. }))
    }
}

/// Attempts of a call that are over.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    /// Those that count.
    failed: u32,
    /// Free ones that were too many at once.
    crowded: u32,
}

impl Call<'_> {
    /// Makes attempts until one is good, none may follow, or the time is over.
    pub(crate) async fn run(&self) -> Result<Answer, Error> {
        self.remote.called();
        let mut end = self.attempt().await;
        let mut past = Past::default();
        let mut repeated = None;
        while let Some((wait, after)) = self.again(&end, past) {
            sleep(wait).await;
            if after != After::TooMany || !self.remote.has_free_refusals() {
                past.failed += 1;
                repeated = Some(after);
            } else if end.is_crowded() {
                past.crowded += 1;
            }
            self.remote.repeated();
            match self.attempt().await {
                // What the server said before tells more than that it is not asked again.
                End::NotSent(_) => break,
                next => end = next,
            }
        }
        if matches!(&end, End::Answered(answer) if answer.sign == Sign::Fine) {
            self.remote.succeeded(repeated);
        }
        match end {
            End::Answered(answer) => Ok(answer),
            End::Lost(error) | End::NotSent(error) => Err(error),
        }
    }

    /// Turn, transport, judgement.
    async fn attempt(&self) -> End {
        let mut turn = match self.remote.turn(self.request, self.deadline).await {
            Ok(turn) => turn,
            Err(error) => return End::NotSent(error),
        };
        let (host, request) = self.remote.host(self.request);
        turn.sent();
        if self.way == Way::Head {
            return self.attempt_head(turn, &request, host).await;
        }
        let (turn, end) = match turn.hedge_after() {
            None => {
                let end = self.exchange(&request).await;
                (turn, end)
            }
            Some(after) => self.race(turn, &request, Instant::now() + after).await,
        };
        let sign = turn.settle(&end);
        self.look_at_host(host, &end, sign);
        match end {
            Ok(response) => End::Answered(Answer { response, sign, rest: None }),
            Err(error) => End::Lost(error),
        }
    }

    /// The same where the head is enough.
    async fn attempt_head(&self, turn: Turn<'_>, request: &Request, host: usize) -> End {
        let until_head = Limit::of(request, Some(self.deadline));
        let limit = Limit::of(request, None);
        let open = async { Ok(self.transport.open(request).await?.split().await) };
        let (end, body) = match until_head.keep(request, open).await {
            Ok((head, body)) => (Ok(head), body),
            Err(error) => (Err(error), None),
        };
        let (sign, place) = turn.settle_head(&end, body.is_some());
        self.look_at_host(host, &end, sign);
        match end {
            Ok(response) => {
                let rest = body.map(|body| Rest { body, limit, place });
                End::Answered(Answer { response, sign, rest })
            }
            Err(error) => End::Lost(error),
        }
    }

    fn look_at_host(&self, host: usize, end: &Result<Response, Error>, sign: Sign) {
        let is_failing = match end {
            Ok(_) => matches!(sign, Sign::Unavailable { .. } | Sign::UnknownOutcome),
            Err(error) => error.is_retryable(),
        };
        if is_failing {
            self.remote.host_failed(host);
        }
    }

    async fn exchange(&self, request: &Request) -> Result<Response, Error> {
        let limit = Limit::of(request, Some(self.deadline));
        limit.keep(request, self.transport.send(request)).await
    }

    /// Asks a second time after `at`; the first answer counts, and the other request is dropped.
    async fn race<'t>(
        &self,
        turn: Turn<'t>,
        request: &Request,
        at: Instant,
    ) -> (Turn<'t>, Result<Response, Error>) {
        let first = self.exchange(request);
        tokio::pin!(first);
        if let Ok(end) = timeout_at(at, &mut first).await {
            return (turn, end);
        }
        let Some(mut second_turn) = turn.second(self.request).await else {
            let end = first.await;
            return (turn, end);
        };
        second_turn.sent();
        let second = self.exchange(request);
        tokio::pin!(second);
        tokio::select! {
            biased;
            end = &mut first => match end {
                Ok(_) => (turn, end),
                Err(_) => (second_turn, second.await),
            },
            end = &mut second => match end {
                Ok(_) => (second_turn, end),
                Err(_) => (turn, first.await),
            },
        }
    }

    /// The wait before another attempt; `None` where there is none.
    fn again(&self, end: &End, past: Past) -> Option<(std::time::Duration, After)> {
        let block = self.remote.terms().block;
        let (after, asked) = match end {
            End::Answered(answer) => match answer.sign {
                Sign::Limited { retry_after } => {
                    (After::TooMany, Some(retry_after.unwrap_or(block)))
                }
                Sign::Crowded { retry_after } => (After::TooMany, retry_after),
                Sign::Unavailable { retry_after } => (After::Failure, retry_after),
                Sign::UnknownOutcome => (After::Failure, None),
                Sign::Fine | Sign::Banned { .. } | Sign::TokenExpired | Sign::Unauthorized => {
                    return None;
                }
            },
            End::Lost(error) if error.is_retryable() => (After::Failure, None),
            End::Lost(_) | End::NotSent(_) => return None,
        };
        let was_certainly_not_sent = matches!(end, End::Lost(error) if !error.maybe_sent());
        if !self.request.may_repeat() && !was_certainly_not_sent {
            return None;
        }
        let hosts = self.remote.options().hosts.len();
        let hosts_left = after == After::Failure && ((past.failed + 1) as usize) < hosts;
        let is_free = after == After::TooMany && self.remote.has_free_refusals();
        let before = match is_free {
            true if end.is_crowded() => past.crowded,
            true => 0,
            false => past.failed,
        };
        let trouble = Trouble { before, asked, after };
        let wait = self.remote.wait_before(trouble, hosts_left)?;
        (Instant::now() + wait < self.deadline).then_some((wait, after))
    }
}
