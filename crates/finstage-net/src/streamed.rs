//! Answers whose body is read while it comes.

use std::fmt;
use std::future::ready;

use bytes::Bytes;

use crate::call::Limit;
use crate::remote::Outstanding;
use crate::{Carried, Error, Response};

/// The most that is read of an answer that is no success, before it is judged.
const MAX_REFUSAL_BYTES: usize = 1 << 20;

/// A body as it comes.
pub trait Pieces: Send {
    /// The next piece, never empty; `None` after the last. May be dropped at any moment: what came
    /// meanwhile is given next time.
    fn next(&mut self) -> Carried<'_, Option<Bytes>>;
}

/// What a [`crate::Transport`] gives once the head of an answer has come.
pub struct Opened {
    /// The status code.
    pub status: u16,
    /// Names and values in the order of the answer; names are lower case.
    pub headers: Vec<(String, String)>,
    /// What follows.
    pub body: Box<dyn Pieces>,
}

/// An answer whose body is still coming: a model that speaks word by word.
///
/// It holds its place among the requests that are out until its last piece was read, it failed, or it
/// is dropped.
pub struct Streamed {
    head: Response,
    /// None once it is over.
    body: Option<Box<dyn Pieces>>,
    limit: Limit,
    /// How the request is printed.
    request: String,
    place: Option<Outstanding>,
}

impl Opened {
    /// An answer that came whole: one piece.
    #[must_use]
    pub fn whole(response: Response) -> Self {
        let Response { status, headers, body } = response;
        Self { status, headers, body: Box::new(Whole(Some(body.into()))) }
    }

    /// The head alone, and the body where it is a success; else the body is part of the answer, since
    /// only it tells what a refusal means.
    pub(crate) async fn split(self) -> (Response, Option<Box<dyn Pieces>>) {
        let mut head = Response { status: self.status, headers: self.headers, body: Vec::new() };
        let mut pieces = self.body;
        if head.is_success() {
            return (head, Some(pieces));
        }
        // What breaks in the middle was said all the same: the status stands.
        while let Ok(Some(piece)) = pieces.next().await {
            let room = MAX_REFUSAL_BYTES - head.body.len();
            head.body.extend_from_slice(&piece[..piece.len().min(room)]);
            if head.body.len() == MAX_REFUSAL_BYTES {
                break;
            }
        }
        (head, None)
    }
}

impl Streamed {
    /// What is left of an attempt whose head is there: with a place where it holds one.
    pub(crate) fn new(
        (mut head, body): (Response, Option<Box<dyn Pieces>>),
        limit: Limit,
        request: String,
        place: Option<Outstanding>,
    ) -> Self {
        let whole = std::mem::take(&mut head.body);
        let body = body.unwrap_or_else(|| Box::new(Whole(Some(whole.into()))));
        Self { head, body: Some(body), limit, request, place }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.head.status
    }

    /// Whether the status is of the 200s. What is none has its whole body in one piece, cut after a
    /// mebibyte.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.head.is_success()
    }

    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Names and values in the order of the answer; names are lower case.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.head.headers
    }

    /// The next piece of the body, wherever the network cut it; `None` after the last one, and after a
    /// failure. May be dropped at any moment, and asked again.
    ///
    /// # Errors
    /// When it breaks, is silent for too long, or its time is over: then nothing follows. Nothing is
    /// asked again, since part of the answer was given out.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let piece = self.limit.keep(&self.request, body.next()).await;
        match &piece {
            Ok(Some(_)) => {}
            Ok(None) => self.close(),
            Err(error) => {
                if let Some(place) = &self.place {
                    place.broke(error);
                }
                self.close();
            }
        }
        piece
    }

    fn close(&mut self) {
        self.body = None;
        self.place = None;
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_over = self.body.is_none();
        let call = &self.request;
        let status = self.head.status;
        f.debug_struct("Streamed")
            .field("call", call)
            .field("status", &status)
            .field("is_over", &is_over)
            .finish_non_exhaustive()
    }
}

/// A body in one piece.
struct Whole(Option<Bytes>);

impl Pieces for Whole {
    fn next(&mut self) -> Carried<'_, Option<Bytes>> {
        Box::pin(ready(Ok(self.0.take().filter(|piece| !piece.is_empty()))))
    }
}
