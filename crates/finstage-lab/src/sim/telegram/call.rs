//! The parameters of a call, in every form in which the messenger takes them.

use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest as _, Request};
use axum::http::{HeaderValue, header};
use serde_json::Value;

use super::MAX_BODY_BYTES;

/// The parameters of a call, from query, form or JSON.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Reads what a person wrote with any client: a body in braces is JSON, whatever its header says.
    pub(super) async fn read_by_hand(request: Request) -> Option<Self> {
        let (mut parts, body) = request.into_parts();
        let bytes = to_bytes(body, MAX_BODY_BYTES).await.ok()?;
        if bytes.trim_ascii_start().starts_with(b"{") {
            let json = HeaderValue::from_static("application/json");
            parts.headers.insert(header::CONTENT_TYPE, json);
        }
        Self::read(Request::from_parts(parts, Body::from(bytes))).await
    }

    /// Reads them; `None` where the body is too large.
    pub(super) async fn read(request: Request) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let mut fields = Self::default();
        fields.add_form(query.into_bytes()).await;
        let bytes = to_bytes(body, MAX_BODY_BYTES).await.ok()?;
        let media = parts.headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let media = media.unwrap_or_default().to_ascii_lowercase();
        if media.starts_with("application/json") {
            if let Ok(Value::Object(object)) = serde_json::from_slice(&bytes) {
                fields.0.extend(object);
            }
        } else if media.starts_with("application/x-www-form-urlencoded") {
            fields.add_form(bytes.to_vec()).await;
        }
        Some(fields)
    }

    async fn add_form(&mut self, encoded: Vec<u8>) {
        let request = Request::post("/")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(encoded));
        let Ok(request) = request else { return };
        if let Ok(Form(pairs)) = Form::<Vec<(String, String)>>::from_request(request, &()).await {
            self.0.extend(pairs.into_iter().map(|(key, text)| (key, Value::String(text))));
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// A value of JSON; in a form it stands as its text.
    pub(super) fn json(&self, name: &str) -> Option<Value> {
        match self.get(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or(Value::Null)),
            value => Some(value.clone()),
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true") || text == "1",
            _ => false,
        }
    }
}
