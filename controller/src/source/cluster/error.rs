//! Errors of the API in words for people.

use std::error::Error;

use kube::runtime::watcher;

/// An error with its causes, each once.
pub(crate) fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return match status.code {
            403 => format!("forbidden: {}", status.message),
            code => format!("the API server answered {code}: {}", status.message),
        };
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Why a watch does not go on.
pub(super) fn explain_watch(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => explain(error),
        WatchError(status) => format!("the API server answered {}: {}", status.code, status.message),
        NoResourceVersion => error.to_string(),
    }
}

/// Whether the API server does not know streaming lists: it then calls their parameters invalid.
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists>
pub(super) fn refuses_streaming(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if matches!(status.code, 400 | 422))
}

/// Whether we may not list or watch this.
pub(super) fn is_forbidden(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status)) => status.code == 403,
        WatchFailed(kube::Error::Api(status)) => status.code == 403,
        _ => false,
    }
}

/// Whether what we hold is too old to go on from. The watch lists again by itself; that is everyday.
pub(super) fn is_expired(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchError(status) => status.code == 410,
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}
