//! Records what the sockets of a session bring, before anything else looks at it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finstage_model::Clock;
use finstage_net::{
    Carried, Frame, FrameReader, Request, Response, Socket, SocketOptions, Traffic, Transport,
};
use tokio::sync::watch;

use super::capture::Happened;
use super::writer::{RecordingWriter, Written};

/// Keeps the frames of all sockets of a [`Transport`]. Cheap to clone; clones share the file.
///
/// Frames are written as they are read, so nothing waits in memory: a slow disk is felt by the venue as
/// a slow reader. After the first error nothing is written any more.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    failed: watch::Sender<bool>,
}

struct State {
    writer: Option<RecordingWriter>,
    written: Written,
    error: Option<io::Error>,
    links: u64,
}

impl Recorder {
    /// Writes to `writer`, with the moments of `clock`.
    #[must_use]
    pub fn new(writer: RecordingWriter, clock: Arc<dyn Clock>) -> Self {
        let state =
            State { writer: Some(writer), written: Written::default(), error: None, links: 0 };
        Self(Arc::new(Inner { clock, state: Mutex::new(state), failed: watch::Sender::new(false) }))
    }

    /// A transport like `inner` whose sockets are recorded; requests and their answers are not.
    #[must_use]
    pub fn over(&self, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Recording { inner, recorder: self.clone() })
    }

    /// What was recorded so far.
    #[must_use]
    pub fn written(&self) -> Written {
        self.lock().written
    }

    /// Hands everything to the system.
    pub fn flush(&self) {
        self.write(RecordingWriter::flush);
    }

    /// Waits until something cannot be written. [`Recorder::finish`] says why.
    pub async fn failed(&self) {
        // The sender lives as long as this recorder.
        let _ = self.0.failed.subscribe().wait_for(|failed| *failed).await;
    }

    /// Ends the file; what comes later is left out.
    ///
    /// # Errors
    /// The first error of writing, whenever it was.
    pub fn finish(&self) -> io::Result<Written> {
        let mut state = self.lock();
        let writer = state.writer.take();
        match (state.error.take(), writer) {
            (Some(error), _) => Err(error),
            (None, Some(writer)) => writer.finish(),
            (None, None) => Ok(state.written),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, write: impl FnOnce(&mut RecordingWriter) -> io::Result<()>) {
        let mut state = self.lock();
        let Some(writer) = &mut state.writer else { return };
        let result = write(writer);
        state.written = writer.written();
        if let Err(error) = result {
            state.error = Some(error);
            state.writer = None;
            self.0.failed.send_replace(true);
        }
    }

    fn add(&self, link: u64, what: Happened<'_>) {
        let now = self.0.clock.now();
        self.write(|writer| writer.add(now, (link, what)));
    }

    /// A connection was opened.
    fn link(&self) -> Tap {
        let link = {
            let mut state = self.lock();
            state.links += 1;
            state.links
        };
        self.add(link, Happened::Opened);
        Tap { recorder: self.clone(), link }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("written", &self.written()).finish_non_exhaustive()
    }
}

/// A transport whose sockets are recorded.
#[derive(Debug)]
struct Recording {
    inner: Arc<dyn Transport>,
    recorder: Recorder,
}

impl Transport for Recording {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        self.inner.send(request)
    }

    fn connect<'a>(&'a self, url: &'a str, options: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move {
            let socket = self.inner.connect(url, options).await?;
            Ok(socket.through(Box::new(self.recorder.link())))
        })
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

/// Looks at the frames of one connection, and changes none.
struct Tap {
    recorder: Recorder,
    link: u64,
}

impl FrameReader for Tap {
    fn read(&mut self, frame: Frame, out: &mut VecDeque<Frame>) {
        self.recorder.add(self.link, Happened::Came(&frame));
        out.push_back(frame);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.recorder.add(self.link, Happened::Ended);
    }
}
