//! Answers that are read piece by piece: what holds for them as for others, and what does not.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use finstage_net::{
    BreakerOptions, BreakerState, Carried, Client, ClientOptions, Concurrency, Error, ErrorKind,
    Opened, Phase, Pieces, Remote, RemoteOptions, Request, Response, RetryPolicy, Sign, Socket,
    SocketOptions, Spread, Streamed, Terms, Transport,
};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::scripted::{Scripted, answer, status};

const URL: &str = "https://models.test/v1/chat/completions";

/// Speaks a word each second; after `good` words the line breaks.
#[derive(Debug)]
struct Speaker {
    /// The statuses of its first answers; 200 afterwards.
    first: Vec<u16>,
    good: usize,
    asked: AtomicU64,
}

struct Words(VecDeque<Option<&'static str>>);

const SECOND: Duration = Duration::from_secs(1);
const WORDS: [&str; 4] = ["to ", "be ", "or ", "not"];

impl Speaker {
    fn new(first: &[u16], good: usize) -> Arc<Self> {
        Arc::new(Self { first: first.to_vec(), good, asked: AtomicU64::new(0) })
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Pieces for Words {
    fn next(&mut self) -> Carried<'_, Option<Bytes>> {
        Box::pin(async {
            sleep(SECOND).await;
            match self.0.pop_front() {
                None => Ok(None),
                Some(Some(word)) => Ok(Some(Bytes::from_static(word.as_bytes()))),
                Some(None) => {
                    Err(Error::new(ErrorKind::Unavailable, "connection broke").after_sending())
                }
            }
        })
    }
}

impl Transport for Speaker {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move { Err(Error::new(ErrorKind::Invalid, request.url())) })
    }

    fn open<'a>(&'a self, _: &'a Request) -> Carried<'a, Opened> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) as usize;
        let words = WORDS.into_iter().enumerate();
        let words = words.map(|(place, word)| (place < self.good).then_some(word));
        let status = self.first.get(number).copied().unwrap_or(200);
        let opened = Opened { status, headers: Vec::new(), body: Box::new(Words(words.collect())) };
        Box::pin(async { Ok(opened) })
    }

    fn connect<'a>(&'a self, url: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move { Err(Error::new(ErrorKind::Unavailable, url)) })
    }
}

fn remote(breaker: BreakerOptions, concurrency: Concurrency) -> Remote {
    let retry = RetryPolicy { spread: Spread::None, ..RetryPolicy::STANDARD };
    let options = RemoteOptions { retry, breaker, concurrency, ..RemoteOptions::default() };
    Remote::with("models", Terms::PLAIN, options)
}

fn post() -> Request {
    Request::post(URL).idempotent()
}

/// All that comes, and how it ended.
async fn read(streamed: &mut Streamed) -> (String, Option<Error>) {
    let mut text = String::new();
    loop {
        match streamed.chunk().await {
            Ok(Some(piece)) => text.push_str(std::str::from_utf8(&piece).unwrap()),
            Ok(None) => return (text, None),
            Err(error) => return (text, Some(error)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_its_place_until_it_is_over_or_dropped() {
    let speaker = Speaker::new(&[], 4);
    let remote = remote(BreakerOptions::NEVER, Concurrency::Fixed(1));
    let client = Client::over(speaker.clone()).at(&remote);
    let mut first = client.open(&post()).await.unwrap();
    assert_eq!((first.status(), first.is_success()), (200, true));
    let request = post();
    let mut waiting = Box::pin(client.open(&request));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(first.chunk().await.unwrap().unwrap(), "to ");
    assert_eq!((remote.snapshot().in_flight, speaker.asked()), (1, 1));
    assert_eq!(read(&mut first).await.0, "be or not");
    assert_eq!(remote.snapshot().in_flight, 0);
    let second = waiting.await.unwrap();
    assert_eq!(remote.snapshot().in_flight, 1);
    drop(second);
    assert_eq!(remote.snapshot().in_flight, 0);
    assert!(client.open(&post()).now_or_never().is_some(), "the place is free");
    assert_eq!(first.chunk().await.unwrap(), None, "over is over");
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_asked_for_again_until_its_head_is_good_and_never_afterwards() {
    let speaker = Speaker::new(&[503, 503], 2);
    let breaker = BreakerOptions { in_a_row: 3, ..BreakerOptions::EXCHANGE };
    let remote = remote(breaker, Concurrency::Fixed(8));
    let client = Client::over(speaker.clone()).at(&remote);
    for broken in 1..=3 {
        let mut streamed = client.open(&post()).await.unwrap();
        let (text, error) = read(&mut streamed).await;
        assert_eq!((text.as_str(), error.unwrap().kind()), ("to be ", ErrorKind::Unavailable));
        assert_eq!(streamed.chunk().await.unwrap(), None);
        assert_eq!((speaker.asked(), remote.snapshot().failed), (2 + broken, 2 + broken));
    }
    assert_eq!(remote.snapshot().breaker, BreakerState::Closed, "heads were good in between");
    assert_eq!(remote.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn streams_that_break_in_the_middle_open_the_breaker() {
    let breaker = BreakerOptions { minimum: 8, ..BreakerOptions::STANDARD };
    let remote = remote(breaker, Concurrency::Fixed(8));
    let client = Client::over(Speaker::new(&[], 0)).at(&remote);
    let mut opened = 0;
    while let Ok(mut streamed) = client.open(&post()).await {
        opened += 1;
        assert!(opened <= 8, "it goes on for ever");
        assert!(streamed.chunk().await.is_err());
    }
    assert_eq!((opened, remote.snapshot().breaker), (4, BreakerState::Open));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_attempt_holds_for_all_of_its_stream_and_the_call_until_its_head() {
    let client = Client::over(Speaker::new(&[], 4));
    let retry = RetryPolicy::NEVER;
    let options = RemoteOptions { retry, deadline: SECOND / 2, ..RemoteOptions::default() };
    let at_remote = client.at(&Remote::with("models", Terms::PLAIN, options));
    for client in [client, at_remote] {
        let begun = Instant::now();
        let request = post().within(Duration::from_millis(2_500));
        let (text, error) = read(&mut client.open(&request).await.unwrap()).await;
        assert_eq!((text.as_str(), error.unwrap().phase()), ("to be ", Some(Phase::Whole)));
        assert_eq!(begun.elapsed().as_millis(), 2_500);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_success_is_judged_by_its_whole_body_which_is_given_out() {
    // Both are 429; only the words tell them apart.
    let terms = Terms {
        judge: |response, now| match response.text().contains("insufficient_quota") {
            true => Sign::Fine,
            false => Sign::of_status(response, now),
        },
        block: Duration::ZERO,
        ..Terms::PLAIN
    };
    let transport = Scripted::new(|n, _| match n {
        0 => status(429),
        _ => answer(429, &[("x-request-id", "7")], r#"{"code":"insufficient_quota"}"#),
    });
    let remote = Remote::with("models", terms, RemoteOptions::default());
    let mut streamed = Client::over(transport.clone()).at(&remote).open(&post()).await.unwrap();
    assert_eq!((streamed.status(), streamed.header("X-Request-Id")), (429, Some("7")));
    assert_eq!(read(&mut streamed).await.0, r#"{"code":"insufficient_quota"}"#);
    assert_eq!((transport.sent(), remote.snapshot().in_flight), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_cannot_stream_gives_the_whole_in_one_piece() {
    let transport = Scripted::new(|_, _| answer(200, &[], "data: 1\n\n"));
    let mut streamed = Client::over(transport).open(&post()).await.unwrap();
    assert_eq!(streamed.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    assert_eq!(streamed.chunk().await.unwrap(), None);
}

/// A server that says what it is told to, as it is told.
async fn said(mut words: mpsc::Receiver<Bytes>) -> String {
    let words = stream::poll_fn(move |context| words.poll_recv(context)).map(Ok::<_, Error>);
    let body = Arc::new(Mutex::new(Some(Body::from_stream(words))));
    let route = get(async move || body.lock().unwrap().take().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", route)).await });
    url
}

fn quick() -> ClientOptions {
    ClientOptions {
        read_timeout: Duration::from_millis(120),
        // Neither is for streams: with them nothing would come.
        total_timeout: Duration::from_nanos(1),
        max_body_bytes: 1,
        ..ClientOptions::default()
    }
}

#[tokio::test]
async fn over_the_network_a_piece_is_there_before_the_next_one_is_written() {
    let (write, words) = mpsc::channel(1);
    let client = Client::new(quick()).unwrap();
    let mut streamed = client.open(&Request::get(said(words).await)).await.unwrap();
    for word in WORDS {
        write.send(Bytes::from_static(word.as_bytes())).await.unwrap();
        assert_eq!(streamed.chunk().await.unwrap().unwrap(), word);
    }
    drop(write);
    assert_eq!(streamed.chunk().await.unwrap(), None);
    assert_eq!(client.traffic().requests, 1);
}

#[tokio::test]
async fn over_the_network_silence_between_pieces_ends_a_stream() {
    let (write, words) = mpsc::channel(1);
    let client = Client::new(quick()).unwrap();
    let mut streamed = client.open(&Request::get(said(words).await)).await.unwrap();
    write.send(Bytes::from_static(b"to ")).await.unwrap();
    let (text, error) = read(&mut streamed).await;
    assert_eq!((text.as_str(), error.unwrap().phase()), ("to ", Some(Phase::Body)));
}

#[tokio::test]
async fn over_the_network_a_stream_that_never_ends_is_cut_after_its_time() {
    let (write, words) = mpsc::channel(1);
    tokio::spawn(async move { while write.send(Bytes::from_static(b"la ")).await.is_ok() {} });
    let options = ClientOptions { stream_timeout: Duration::from_millis(80), ..quick() };
    let client = Client::new(options).unwrap();
    let mut streamed = client.open(&Request::get(said(words).await)).await.unwrap();
    let (text, error) = read(&mut streamed).await;
    assert!(text.starts_with("la la"));
    assert_eq!(error.unwrap().phase(), Some(Phase::Whole));
}
