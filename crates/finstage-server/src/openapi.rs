//! The document of the API, made of the table of routes, and its page for people.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::query::{
    Kind, LIMIT_DEFAULT, LIMIT_MAX, MAX_SYMBOL_CHARS, MAX_SYMBOLS_CHARS, MAX_TEXT_CHARS, Param,
};
use crate::routes::{Gate, Gives, ROUTES, Route, Work};

/// Schemas of everything that is given and taken.
const SCHEMAS: &str = include_str!("schemas.json");

/// The document: OpenAPI 3.1.
pub(crate) fn document(version: &str) -> Value {
    let schemas: Value = serde_json::from_str(SCHEMAS).expect("a test reads the schemas");
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "finstage",
            "version": version,
            "description": "Everything that the service knows, for programs on this machine. Times are RFC 3339 in UTC, prices are JSON numbers with their exact digits.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "the text in the file token of the data folder; `finstage token show` prints it"},
                "session": {"type": "apiKey", "in": "cookie", "name": crate::auth::COOKIE, "description": "the dashboard's, for reading; writing needs X-Finstage: 1 and the own origin too"},
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route.params.iter().map(parameter).collect();
    if route.path.contains("{id}") {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true,
            "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z:._-]+$"},
        }));
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses(route),
    });
    if route.gate == Gate::Open {
        operation["security"] = json!([]);
    } else {
        operation["security"] = json!([{"token": []}, {"session": []}]);
    }
    if let Some(schema) = route.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": reference(schema)}},
        });
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1").replace(['/', '-', '.'], "_");
    let path = path.replace(['{', '}'], "");
    format!("{}{path}", route.method.to_lowercase())
}

fn responses(route: &Route) -> Value {
    let good = match route.gives {
        Gives::Json(schema) => json!({"application/json": {"schema": reference(schema)}}),
        Gives::List(schema) => json!({"application/json": {"schema": {
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": {"type": "array", "items": reference(schema)},
                "next_cursor": {"type": ["string", "null"], "description": "for the next page; null where there is none"},
            },
        }}}),
        Gives::Text(kind) => json!({kind: {"schema": {"type": "string"}}}),
        Gives::Nothing => Value::Null,
    };
    let good = match route.path {
        // Its form is asked for.
        "/api/v1/reports/daily" => json!({
            "application/json": {"schema": reference("Report")},
            "text/html": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
        }),
        _ => good,
    };
    let status = match (route.method, route.gives, route.work) {
        (_, _, Work::Stream) => "101",
        ("DELETE", ..) => "204",
        // What it becomes is done later.
        ("POST", ..) if route.path == "/api/v1/backtests" => "202",
        ("POST", _, _) if !route.path.contains("{id}") => "201",
        _ => "200",
    };
    let mut all = Map::new();
    let mut described = json!({"description": "as asked"});
    if !good.is_null() {
        described["content"] = good;
    }
    all.insert(status.to_owned(), described);
    if route.path == "/readyz" {
        let content = json!({"application/json": {"schema": reference("Ready")}});
        all.insert("503".to_owned(), json!({"description": "not ready", "content": content}));
    }
    let problem = json!({"application/problem+json": {"schema": reference("Problem")}});
    for (status, why) in PROBLEMS.iter().filter(|(status, _)| can_end(route, *status)) {
        all.entry(status.to_string())
            .or_insert_with(|| json!({"description": why, "content": problem}));
    }
    Value::Object(all)
}

/// How a request may end that is not done as asked: each status with the reason.
// a table: every status that clients must know
const PROBLEMS: [(u16, &str); 11] = [
    (400, "a parameter, the body or the request itself cannot be read, or asks for what cannot be"),
    (401, "not signed in"),
    (403, "for another host, or from a page of another origin"),
    (404, "nothing has this name"),
    (405, "the address has no such method; Allow lists those that it has"),
    (408, "the body took too long"),
    (413, "the body is too large"),
    (415, "the body is not application/json"),
    (426, "this is a WebSocket"),
    (500, "the service failed; its log says why"),
    (503, "too busy, or not ready"),
];

/// Whether a request to this route can end with this status.
fn can_end(route: &Route, status: u16) -> bool {
    match status {
        401 => route.gate == Gate::Token,
        404 => route.path.contains("{id}") || matches!(route.work, Work::Store(_) | Work::Kept(_)),
        408 | 413 | 415 => route.body.is_some(),
        426 => matches!(route.work, Work::Stream),
        500 => !matches!(route.work, Work::Stream),
        _ => true,
    }
}

fn parameter(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Text => {
            json!({"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS, "pattern": "^[^\\u0000]*\\S[^\\u0000]*$"})
        }
        Kind::Symbol => {
            json!({"type": "string", "pattern": "^[a-z0-9_-]+:[!-~]+$", "maxLength": MAX_SYMBOL_CHARS, "examples": ["binance:BTCUSDT"]})
        }
        Kind::Symbols => {
            json!({"type": "string", "pattern": "^[a-z0-9_-]+:[!-+.-~]+(,[a-z0-9_-]+:[!-+.-~]+)*$", "maxLength": MAX_SYMBOLS_CHARS, "examples": ["binance:BTCUSDT,binance:ETHUSDT"]})
        }
        Kind::Interval => {
            json!({"type": "string", "enum": finstage_model::Interval::ALL.map(|one| one.as_str())})
        }
        Kind::Time => {
            json!({"type": "string", "description": "RFC 3339 or YYYY-MM-DD", "examples": ["2026-01-05T00:00:00Z"]})
        }
        Kind::Day => json!({"type": "string", "format": "date"}),
        Kind::Limit => {
            json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT})
        }
        Kind::Cursor => {
            json!({"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS, "description": "opaque"})
        }
        Kind::Flag => json!({"type": "boolean"}),
        Kind::OneOf(words) => json!({"type": "string", "enum": words}),
        Kind::Texts => {
            json!({"type": "array", "minItems": 1, "maxItems": 20, "items": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS}})
        }
    };
    let mut shown = json!({
        "name": param.name,
        "in": "query",
        "required": param.is_required,
        "description": param.describes,
        "schema": schema,
    });
    if param.kind == Kind::Texts {
        shown["style"] = json!("form");
        shown["explode"] = json!(true);
    }
    shown
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// The document as a page without scripts or styles from elsewhere.
pub(crate) fn page(version: &str) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>finstage API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body>\n<h1>finstage {} API</h1>\n\
         <p>Programs read <a href=\"/openapi.json\">openapi.json</a>. Send the token (<code>finstage token \
         show</code>) as <code>Authorization: Bearer TOKEN</code>. Lists give <code>items</code> and \
         <code>next_cursor</code>; errors are <code>application/problem+json</code>.</p>\n",
        escape(version)
    );
    for route in ROUTES {
        let _ = write!(
            html,
            "<h2><code>{} {}</code></h2>\n<p>{}.</p>\n",
            route.method,
            escape(route.path),
            escape(route.summary)
        );
        if !route.params.is_empty() {
            html.push_str("<ul>\n");
            for param in route.params {
                let needed = if param.is_required { " (needed)" } else { "" };
                let (name, describes) = (param.name, escape(param.describes));
                let _ = writeln!(html, "<li><code>{name}</code>{needed}: {describes}</li>");
            }
            html.push_str("</ul>\n");
        }
    }
    html.push_str("</body></html>\n");
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document = document("1");
        let paths = document["paths"].as_object().unwrap();
        let count: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(count, ROUTES.len());
        for route in ROUTES {
            let operation = &paths[route.path][route.method.to_lowercase()];
            let names: Vec<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| one["in"] == "query")
                .map(|one| one["name"].as_str().unwrap())
                .collect();
            assert!(
                names.iter().eq(route.params.iter().map(|param| &param.name)),
                "{}",
                route.path
            );
        }
        let mut ids: Vec<String> = ROUTES.iter().map(operation_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), ROUTES.len(), "operation ids are unique");
    }

    #[test]
    fn the_statuses_of_a_route_are_those_that_it_can_end_with() {
        let document = document("1");
        let statuses = |path: &str, method: &str| {
            let responses = document["paths"][path][method]["responses"].as_object().unwrap();
            responses.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(statuses("/healthz", "get"), "200 400 403 405 500 503");
        assert_eq!(statuses("/ws/realtime", "get"), "101 400 401 403 405 426 503");
        let written = "201 400 401 403 404 405 408 413 415 500 503";
        assert_eq!(statuses("/api/v1/tasks", "post"), written);
        assert_eq!(statuses("/api/v1/backtests", "post"), written.replace("201", "202"));
        assert_eq!(statuses("/api/v1/watches/{id}", "delete"), "204 400 401 403 404 405 500 503");
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document = document("1");
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        for name in schemas.keys() {
            assert!(text.contains(&format!("#/components/schemas/{name}\"")), "{name} is not used");
        }
    }
}
