//! What may stand in front of a socket: it sees each frame that comes in, and says what the caller
//! reads instead.
//!
//! A reader has no clock, no network and nothing to wait for, so that a frame is never lost between
//! the line and the caller, whenever the caller stops waiting.

use std::collections::VecDeque;

use super::Frame;

/// Sees each frame before the one who called [`super::Socket::next`].
///
/// It is dropped with the socket: whatever ends the connection, that is when the reader hears of it.
pub trait FrameReader: Send {
    /// Puts behind `out` what is to be read instead of `frame`: nothing, one frame, several. What is
    /// in `out` already stays. Pings have been answered and must not be answered again;
    /// [`Frame::Close`] is the last frame there is and should be handed on. A reader bounds what it
    /// makes of one frame: all of it is held until it is read.
    fn read(&mut self, frame: Frame, out: &mut VecDeque<Frame>);
}

/// The readers of a socket, the one nearest to the line first.
#[derive(Default)]
pub(super) struct Readers {
    readers: Vec<Box<dyn FrameReader>>,
    /// What has come through all of them and has not been read; at most what one frame became.
    ready: VecDeque<Frame>,
    /// Empty between frames; kept for its memory.
    stage: VecDeque<Frame>,
}

impl Readers {
    pub(super) fn add(&mut self, reader: Box<dyn FrameReader>) {
        self.readers.push(reader);
    }

    pub(super) fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    pub(super) fn read(&mut self, frame: Frame) {
        self.ready.push_back(frame);
        for reader in &mut self.readers {
            std::mem::swap(&mut self.ready, &mut self.stage);
            while let Some(frame) = self.stage.pop_front() {
                reader.read(frame, &mut self.ready);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::Socket;
    use super::*;

    /// Gives each line of a text as a frame of its own, and counts when it is dropped.
    struct Lines(Arc<AtomicUsize>);

    impl FrameReader for Lines {
        fn read(&mut self, frame: Frame, out: &mut VecDeque<Frame>) {
            match frame {
                Frame::Text(text) => out.extend(text.lines().map(|s| Frame::Text(s.to_owned()))),
                other => out.push_back(other),
            }
        }
    }

    impl Drop for Lines {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Swallows what begins with `-`, doubles the rest.
    struct Doubling;

    impl FrameReader for Doubling {
        fn read(&mut self, frame: Frame, out: &mut VecDeque<Frame>) {
            match &frame {
                Frame::Text(text) if text.starts_with('-') => {}
                Frame::Text(_) => out.extend([frame.clone(), frame]),
                _ => out.push_back(frame),
            }
        }
    }

    fn text(text: &str) -> Frame {
        Frame::Text(text.to_owned())
    }

    #[tokio::test]
    async fn a_reader_gives_none_one_or_several_frames_for_each_and_readers_stack() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (socket, mut peer) = Socket::pair("here", 8);
        let mut socket =
            socket.through(Box::new(Lines(dropped.clone()))).through(Box::new(Doubling));
        for said in ["a\n-b\nc", "", "-d", "e"] {
            assert!(peer.say(said).await);
        }
        assert!(peer.send(Frame::Ping(vec![7])).await);
        for read in ["a", "a", "c", "c", "e", "e"] {
            assert_eq!(socket.next().await.unwrap(), text(read));
        }
        assert_eq!(socket.next().await.unwrap(), Frame::Ping(vec![7]));
        assert_eq!(peer.next().await, Some(Frame::Pong(vec![7])), "answered once, by the line");
        // What is sent goes out as it is.
        socket.send(text("x\ny")).await.unwrap();
        assert_eq!(peer.next().await, Some(text("x\ny")));
        peer.close(1000).await;
        assert_eq!(socket.next().await.unwrap(), Frame::Close);
        assert!(socket.next().await.is_err());
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        drop(socket);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_caller_that_stops_waiting_loses_nothing_of_what_a_frame_became() {
        let (socket, peer) = Socket::pair("here", 8);
        let mut socket = socket.through(Box::new(Lines(Arc::default())));
        let waited = tokio::select! {
            biased;
            frame = socket.next() => Some(frame),
            () = std::future::ready(()) => None,
        };
        assert!(waited.is_none(), "nothing was said yet");
        assert!(peer.say("a\nb").await);
        peer.close(1006).await;
        assert_eq!(socket.next().await.unwrap(), text("a"));
        let second = tokio::select! {
            biased;
            frame = socket.next() => frame.unwrap(),
            () = std::future::ready(()) => unreachable!("what is there is given at once"),
        };
        assert_eq!(second, text("b"));
        assert!(socket.next().await.is_err(), "the line is broken, and only now");
    }
}
