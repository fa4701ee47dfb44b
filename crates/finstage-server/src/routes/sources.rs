//! The document of the API, for programs and for people.

use super::Call;
use crate::answer::Answer;
use crate::app::App;
use crate::openapi;
use crate::problem::Problem;

pub(super) fn document(app: &App, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer::json(&openapi::document(&app.about.version)))
}

pub(super) fn page(app: &App, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer::of("text/html; charset=utf-8", openapi::page(&app.about.version)))
}
