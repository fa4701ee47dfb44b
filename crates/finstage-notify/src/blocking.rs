//! The one way from async code to blocking code: the store and the writer of lines.

use std::panic::resume_unwind;

/// Runs `work` on a thread that may block.
///
/// A panic of the work goes on in the caller. When the runtime is going away, the future never
/// ends: it is dropped with the runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_cancelled) => std::future::pending().await,
    }
}
