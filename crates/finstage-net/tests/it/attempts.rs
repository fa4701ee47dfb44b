//! How long one attempt of a call may take, and what counts as one.

use std::time::Duration;

use finstage_net::{
    BreakerOptions, Client, ErrorKind, Phase, Remote, RemoteOptions, Request, RetryPolicy, Spread,
    Terms,
};

use crate::scripted::{Scripted, status};

const URL: &str = "https://models.test/v1/chat/completions";

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn options(retry: RetryPolicy) -> RemoteOptions {
    let retry = RetryPolicy { spread: Spread::None, ..retry };
    RemoteOptions { retry, breaker: BreakerOptions::NEVER, seed: 1, ..RemoteOptions::default() }
}

fn post() -> Request {
    Request::post(URL).idempotent()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_longer_than_it_may_is_repeated_within_the_call() {
    let transport = Scripted::new(|n, _| status(200).after(if n == 0 { 5_000 } else { 300 }));
    let remote = Remote::with("models", Terms::PLAIN, options(RetryPolicy::STANDARD));
    let client = Client::over(transport.clone()).at(&remote);
    let request = post().within(millis(400));
    assert_eq!(request.longest(), Some(millis(400)));
    assert_eq!(client.send(&request).await.unwrap().status, 200);
    assert_eq!(transport.times(), [0, 900], "400 ms of the attempt and 500 ms of the policy");
    assert_eq!(client.send(&post()).await.unwrap().status, 200, "without a word it may take long");
    assert_eq!(remote.snapshot().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn the_shorter_of_attempt_and_call_ends_it_and_the_message_says_which() {
    let transport = Scripted::new(|_, _| status(200).after(5_000));
    for (most, whose) in [(400, "this attempt"), (2_000, "the whole call")] {
        let options = RemoteOptions { deadline: millis(1_000), ..options(RetryPolicy::NEVER) };
        let remote = Remote::with("models", Terms::PLAIN, options);
        let client = Client::over(transport.clone()).at(&remote);
        let error = client.send(&post().within(millis(most))).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Whole)));
        assert!(error.maybe_sent() && error.to_string().contains(whose), "{error}");
    }
    let error = Client::over(transport).send(&post().within(millis(400))).await.unwrap_err();
    assert_eq!(error.phase(), Some(Phase::Whole), "without a remote as well: {error}");
}
