//! What the venue says when it does not answer, in its own words and in a gateway's.

use std::time::Duration;

use serde_json::{Value, json};

use super::limits::go_duration;
use super::options::Dialect;

/// Errors of a gateway by status, as it names its exceptions.
const GATEWAY_NAMES: [(u16, &str); 8] = [
    (400, "BadRequestError"),
    (401, "AuthenticationError"),
    (403, "PermissionDeniedError"),
    (404, "NotFoundError"),
    (408, "Timeout"),
    (422, "UnprocessableEntityError"),
    (429, "RateLimitError"),
    (503, "ServiceUnavailableError"),
];

/// An error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) kind: &'static str,
    pub(super) param: Option<String>,
    pub(super) code: Option<&'static str>,
    /// When to come again, where the venue knows.
    pub(super) wait: Option<Duration>,
    /// What `x-should-retry` says, where it is sent.
    pub(super) retry: Option<bool>,
}

impl Failure {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message, kind, param: None, code: None, wait: None, retry: None }
    }

    /// 400, about a parameter; about the whole where there is no name.
    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        let param = Some(param.to_owned()).filter(|param| !param.is_empty());
        Self { param, ..Self::new(400, "invalid_request_error", message) }
    }

    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self { code: Some("missing_required_parameter"), ..Self::invalid(param, message) }
    }

    pub(super) fn invalid_value(param: &str, message: impl Into<String>) -> Self {
        Self { code: Some("invalid_value"), ..Self::invalid(param, message) }
    }

    pub(super) fn unsupported(param: &str, instead: &str) -> Self {
        let message = format!(
            "Unsupported parameter: '{param}' is not supported with this model. Use '{instead}' instead."
        );
        Self { code: Some("unsupported_parameter"), ..Self::invalid(param, message) }
    }

    pub(super) fn too_long(limit: u32, tokens: u64) -> Self {
        let message = format!(
            "This model's maximum context length is {limit} tokens. However, you requested {tokens} tokens. \
             Please reduce the length of the messages or completion."
        );
        Self { code: Some("context_length_exceeded"), ..Self::invalid("messages", message) }
    }

    pub(super) fn unknown_model(name: &str) -> Self {
        let message = format!("The model `{name}` does not exist or you do not have access to it.");
        let code = Some("model_not_found");
        Self { code, ..Self::new(404, "invalid_request_error", message) }
    }

    pub(super) fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self { code: Some("unknown_url"), ..Self::new(404, "invalid_request_error", message) }
    }

    pub(super) fn wrong_method(method: &str) -> Self {
        let message = format!("Not allowed to {method} here.");
        Self {
            code: Some("method_not_supported"),
            ..Self::new(405, "invalid_request_error", message)
        }
    }

    pub(super) fn not_here(what: &str, id: &str) -> Self {
        let message = format!("No such {what}: {id}");
        let param = Some("id".to_owned());
        Self { param, ..Self::new(404, "invalid_request_error", message) }
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "invalid_request_error", message)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("The request is too large: at most {limit} bytes are taken.");
        Self::new(413, "invalid_request_error", message)
    }

    pub(super) fn no_key() -> Self {
        let message = "You didn't provide an API key. You need to provide your API key in an \
                       Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
        Self::new(401, "invalid_request_error", message)
    }

    /// The key is not known. Of the key itself the message has the ends only.
    pub(super) fn wrong_key(key: &str) -> Self {
        let shown: String =
            match (key.get(..5), key.len().checked_sub(2).and_then(|at| key.get(at..))) {
                (Some(head), Some(tail)) if key.len() >= 12 => {
                    format!("{head}{}{tail}", "*".repeat((key.len() - 7).min(32)))
                }
                _ => "*".repeat(key.len().min(32)),
            };
        let message = format!(
            "Incorrect API key provided: {shown}. You can find your API key at \
             https://platform.openai.com/account/api-keys."
        );
        let code = Some("invalid_api_key");
        Self { code, ..Self::new(401, "invalid_request_error", message) }
    }

    /// 429, of a limit that comes back after a while.
    pub(super) fn limited(kind: &'static str, message: &str, wait: Option<Duration>) -> Self {
        let again = wait.map(|wait| format!(" Please try again in {}.", go_duration(wait)));
        let message = format!(
            "{message}{} Visit https://platform.openai.com/account/rate-limits to learn more.",
            again.unwrap_or_default()
        );
        Self { code: Some("rate_limit_exceeded"), wait, ..Self::new(429, kind, message) }
    }

    /// 429, and waiting does not help.
    pub(super) fn no_quota() -> Self {
        let message =
            "You exceeded your current quota, please check your plan and billing details.";
        let (code, retry) = (Some("insufficient_quota"), Some(false));
        Self { code, retry, ..Self::new(429, "insufficient_quota", message) }
    }

    /// What a server says that fails with a status.
    pub(super) fn of_status(status: u16) -> Self {
        let (kind, code, message) = match status {
            403 => (
                "request_forbidden",
                Some("unsupported_country_region_territory"),
                "Country, region, or territory not supported",
            ),
            408 => ("timeout", None, "Request timed out."),
            409 => ("conflict_error", None, "Another request changes the same thing. Try again."),
            422 => ("invalid_request_error", None, "The request could not be processed."),
            503 => {
                ("server_error", None, "The engine is currently overloaded, please try again later")
            }
            _ => (
                "server_error",
                None,
                "The server had an error while processing your request. Sorry about that!",
            ),
        };
        Self { code, ..Self::new(status, kind, message) }
    }

    /// The body of the answer.
    pub(super) fn body(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::OpenAi => json!({"error": {
                "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
            }}),
            Dialect::Gateway => {
                let is_budget = self.code == Some("insufficient_quota");
                let named = GATEWAY_NAMES.iter().find(|(status, _)| *status == self.status);
                let name = named.map_or("InternalServerError", |(_, name)| name);
                let message = if is_budget {
                    format!("litellm.BudgetExceededError: ExceededBudget: {}", self.message)
                } else {
                    format!("litellm.{name}: {name}: OpenAIException - {}", self.message)
                };
                json!({"error": {
                    "message": message, "type": null, "param": null,
                    "code": self.status.to_string(),
                }})
            }
        }
    }
}
