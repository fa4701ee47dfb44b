//! One token for many callers, seldom issued, never printed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Clock, ManualClock, Timestamp};
use finstage_net::{
    Client, ErrorKind, Remote, RemoteOptions, Request, Response, Sign, Terms, Token, TokenCell,
    TokenRefusal, TokenTerms,
};
use finstage_seal::Secret;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::scripted::{Act, Scripted, answer, status};

const TOKEN_URL: &str = "https://venue.test/token";
const URL: &str = "https://venue.test/price";
const DAY: Duration = Duration::from_secs(86_400);

fn start() -> Timestamp {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

/// `NAME` lasts a day; `wait SECONDS`, `no WORDS` and anything else are refusals.
fn read(response: &Response, now: Timestamp) -> Result<Token, TokenRefusal> {
    let text = response.text();
    match text.split_once(' ') {
        Some(("wait", seconds)) => {
            Err(TokenRefusal::TooSoon(Duration::from_secs(seconds.parse().unwrap())))
        }
        Some(("no", words)) => Err(TokenRefusal::Denied(words.to_owned())),
        Some(("token", name)) => {
            Ok(Token { secret: Secret::new(name.to_owned()), expires_at: now.plus(DAY) })
        }
        _ => Err(TokenRefusal::Unreadable("not a token".to_owned())),
    }
}

fn terms() -> TokenTerms {
    let secret = Secret::new("app-secret".to_owned());
    TokenTerms {
        request: Box::new(move || {
            Request::post(TOKEN_URL).body(secret.expose().as_bytes()).hide(&secret)
        }),
        read,
        spacing: Duration::from_secs(60),
        early: Duration::from_secs(600),
    }
}

fn put(request: Request, token: &Token) -> Request {
    request.header("authorization", format!("Bearer {}", token.secret.expose()))
}

/// The n-th token is `tok-n`.
fn issue(number: u64) -> Act {
    answer(200, &[], &format!("token tok-{number}"))
}

struct Scene {
    transport: Arc<Scripted>,
    clock: Arc<ManualClock>,
    file: Option<PathBuf>,
}

impl Scene {
    fn new(play: impl Fn(u64, &Request) -> Act + Send + Sync + 'static) -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        Self { transport: Scripted::new(play), clock, file: None }
    }

    fn cell(&self) -> TokenCell {
        let clock: Arc<dyn Clock> = self.clock.clone();
        TokenCell::new(terms(), Client::over(self.transport.clone()), clock, self.file.clone())
    }
}

fn name(token: &Token) -> &str {
    token.secret.expose()
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_at_once_cause_one_issue() {
    let scene = Scene::new(|n, _| issue(n).after(300));
    let cell = scene.cell();
    let tokens = join_all((0..50).map(|_| cell.get())).await;
    assert!(tokens.iter().all(|token| name(token.as_ref().unwrap()) == "tok-0"));
    assert_eq!((scene.transport.sent(), cell.snapshot().issues), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_lose_the_token_for_the_others() {
    let scene = Scene::new(|n, _| issue(n).after(1_000));
    let cell = scene.cell();
    assert!(timeout(Duration::from_millis(10), cell.get()).await.is_err());
    assert_eq!(name(&cell.get().await.unwrap()), "tok-0");
    assert_eq!(scene.transport.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_its_end_and_not_earlier() {
    let scene = Scene::new(|n, _| issue(n));
    let cell = scene.cell();
    cell.get().await.unwrap();
    tokio::time::advance(DAY).await;
    let last = start().plus(DAY - Duration::from_secs(600));
    scene.clock.set(last.minus(Duration::from_nanos(1)));
    assert_eq!(name(&cell.get().await.unwrap()), "tok-0");
    scene.clock.set(last);
    assert_eq!(name(&cell.get().await.unwrap()), "tok-1");
}

#[tokio::test(start_paused = true)]
async fn issues_keep_their_distance_and_too_soon_is_waited_for() {
    let scene = Scene::new(|n, _| match n {
        1 => answer(403, &[], "wait 60"),
        _ => issue(n),
    });
    let cell = scene.cell();
    let first = cell.get().await.unwrap();
    cell.expire(&first);
    assert_eq!(name(&cell.get().await.unwrap()), "tok-2");
    assert_eq!(scene.transport.times(), [0, 60_000, 120_000]);
}

#[tokio::test(start_paused = true)]
async fn a_venue_that_always_says_too_soon_is_asked_three_times() {
    let scene = Scene::new(|_, _| answer(403, &[], "wait 60"));
    let error = scene.cell().get().await.unwrap_err();
    assert_eq!((error.kind(), error.wait()), (ErrorKind::Limited, Some(Duration::from_secs(60))));
    assert_eq!(scene.transport.sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_told_without_themselves() {
    let scene = Scene::new(|_, _| answer(403, &[], "no such key: app-secret"));
    let error = scene.cell().get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("such key: [redacted]"), "{error}");
    let scene = Scene::new(|_, _| answer(200, &[], "<html>"));
    assert_eq!(scene.cell().get().await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn only_the_present_token_can_expire() {
    let scene = Scene::new(|n, _| issue(n));
    let cell = scene.cell();
    let old = cell.get().await.unwrap();
    // Many requests were out with it, and all of them say so.
    (0..20).for_each(|_| cell.expire(&old));
    let new = cell.get().await.unwrap();
    (0..20).for_each(|_| cell.expire(&old));
    assert_eq!(name(&cell.get().await.unwrap()), name(&new));
    assert_eq!((scene.transport.sent(), cell.snapshot().expired), (2, 1));
}

/// 401 says that the token is not valid any more.
const TERMS: Terms = Terms {
    judge: |response, now| match response.status {
        401 => Sign::TokenExpired,
        _ => Sign::of_status(response, now),
    },
    ..Terms::PLAIN
};

fn bearer(request: &Request) -> Option<&str> {
    let (_, value) = request.headers().iter().find(|(name, _)| name == "authorization")?;
    value.strip_prefix("Bearer ")
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_token_expired_is_sent_once_more_with_a_new_one() {
    let scene = Scene::new(|n, request| match bearer(request) {
        None => issue(n),
        Some("tok-0") => status(401),
        Some(_) => status(200),
    });
    let options = RemoteOptions { deadline: Duration::from_secs(90), ..RemoteOptions::default() };
    let remote = Remote::with("venue", TERMS, options);
    let cell = scene.cell();
    let client = Client::over(scene.transport.clone()).at(&remote).with_token(&cell, put);
    let begun = Instant::now();
    let (get, order) = (Request::get(URL), Request::post(URL));
    let (one, two) = tokio::join!(client.send(&get), client.send(&order));
    assert_eq!((one.unwrap().status, two.unwrap().status), (200, 200));
    assert_eq!(cell.snapshot().issues, 2, "both calls used the same new token");
    assert_eq!(begun.elapsed(), Duration::from_secs(60), "the spacing between two issues");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_never_accepted_ends_after_two_tries() {
    let scene = Scene::new(|n, request| match bearer(request) {
        None => issue(n),
        Some(_) => status(401),
    });
    let options = RemoteOptions { deadline: Duration::from_secs(90), ..RemoteOptions::default() };
    let remote = Remote::with("venue", TERMS, options);
    let client = Client::over(scene.transport.clone()).at(&remote).with_token(&scene.cell(), put);
    assert_eq!(client.send(&Request::get(URL)).await.unwrap().status, 401);
    assert_eq!(scene.transport.sent(), 4, "two tokens, two requests");
}

#[tokio::test(start_paused = true)]
async fn tokens_are_in_nothing_that_is_printed() {
    let scene = Scene::new(|n, request| match bearer(request) {
        None => issue(n),
        Some(_) => Act {
            after: Duration::ZERO,
            end: Err(finstage_net::Error::new(ErrorKind::Protocol, format!("{request:?}"))),
        },
    });
    let cell = scene.cell();
    let put = |request: Request, token: &Token| request.query("token", token.secret.expose());
    let client = Client::over(scene.transport.clone()).with_token(&cell, put);
    let token = cell.get().await.unwrap();
    let request = Request::get(URL);
    let answer = client.send(&request).await;
    let printed = format!("{answer:?} {token:?} {cell:?} {client:?} {:?}", terms());
    assert!(!printed.contains("tok-0") && !printed.contains("app-secret"), "{printed}");
}

#[cfg(unix)]
mod kept {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn with_file(folder: &tempfile::TempDir) -> Scene {
        Scene { file: Some(folder.path().join("token")), ..Scene::new(|n, _| issue(n)) }
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_uses_the_token_of_the_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let scene = with_file(&folder);
        let first = scene.cell().get().await.unwrap();
        assert_eq!(mode(scene.file.as_ref().unwrap()), 0o600);
        let other = scene.cell();
        assert_eq!(name(&other.get().await.unwrap()), name(&first));
        assert_eq!(other.snapshot().from_file, 1);
        assert_eq!(scene.transport.sent(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn two_processes_at_once_cause_one_issue() {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene {
            file: Some(folder.path().join("token")),
            ..Scene::new(|n, _| issue(n).after(500))
        };
        let (a, b) = (scene.cell(), scene.cell());
        let (a, b) = tokio::join!(a.get(), b.get());
        assert_eq!(name(&a.unwrap()), name(&b.unwrap()));
        assert_eq!(scene.transport.sent(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_of_the_file_is_not_used_again_and_the_distance_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let scene = with_file(&folder);
        scene.cell().get().await.unwrap();
        scene.clock.advance(Duration::from_secs(20));
        let restarted = scene.cell();
        let token = restarted.get().await.unwrap();
        restarted.expire(&token);
        assert_eq!(name(&restarted.get().await.unwrap()), "tok-1");
        assert_eq!(scene.transport.times(), [0, 40_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_old_foreign_or_open_to_others_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let scene = with_file(&folder);
        let file = scene.file.clone().unwrap();
        scene.cell().get().await.unwrap();
        let text = fs::read_to_string(&file).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(name(&scene.cell().get().await.unwrap()), "tok-1", "others may read it");
        assert_eq!(mode(&file), 0o600, "and it was replaced");
        for foreign in
            ["", "finstage token 9\n1\n2\nx\n", "finstage token 1\nx\n1\ny\n", &text[..9]]
        {
            fs::write(&file, foreign).unwrap();
            let token = scene.cell().get().await.unwrap();
            assert_ne!(name(&token), "tok-1", "{foreign:?}");
        }
        scene.clock.advance(DAY);
        let sent = scene.transport.sent();
        scene.cell().get().await.unwrap();
        assert_eq!(scene.transport.sent(), sent + 1, "too old");
    }

    #[tokio::test(start_paused = true)]
    async fn a_folder_that_cannot_be_written_to_keeps_nobody_from_working() {
        let folder = tempfile::tempdir().unwrap();
        let file = Some(folder.path().join("missing").join("token"));
        let scene = Scene { file, ..Scene::new(|n, _| issue(n)) };
        let cell = scene.cell();
        assert_eq!(name(&cell.get().await.unwrap()), "tok-0");
        assert_eq!(cell.snapshot().unsaved, 1);
    }
}
