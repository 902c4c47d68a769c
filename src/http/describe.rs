//! What there is: views, their status, and what the codes of errors mean.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;

use super::code::Code;
use super::document;
use super::key::{KEY_BYTES_MAX, KeyEncoding};
use super::problem::Problem;
use super::query::Query;
use super::representation::Representation;
use super::state::AppState;
use crate::config::sections::{KeyFormat, ValueFormat};
use crate::view::{State as ViewState, View};

#[derive(Serialize)]
struct List<'a> {
    views: Vec<Summary<'a>>,
}

#[derive(Serialize)]
struct Summary<'a> {
    name: &'a str,
    topic: &'a str,
    state: ViewState,
    ready: bool,
    links: SummaryLinks,
}

#[derive(Serialize)]
struct SummaryLinks {
    #[serde(rename = "self")]
    view: String,
    status: String,
}

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    topic: &'a str,
    state: ViewState,
    key: KeyFormat,
    value: ValueFormat,
    key_encodings: Choice,
    representations: Vec<Form>,
    limits: Limits,
    links: Links,
}

#[derive(Serialize)]
struct Choice {
    default: &'static str,
    available: &'static [&'static str],
}

#[derive(Serialize)]
struct Form {
    format: &'static str,
    content_type: &'static str,
}

#[derive(Serialize)]
struct Limits {
    key_bytes_max: usize,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    view: String,
    status: String,
    key: String,
    lookup: String,
}

#[derive(Serialize)]
struct Kind<'a> {
    #[serde(rename = "type")]
    path: String,
    #[serde(flatten)]
    code: &'a Code,
}

#[derive(Serialize)]
struct Kinds<'a> {
    problems: Vec<Kind<'a>>,
}

/// `GET /v1/views`.
pub(super) async fn views(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&List { views: state.views().values().map(|view| summary(view)).collect() })
}

/// `GET /v1/views/{view}`.
pub(super) async fn view(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&description(state.view(request.uri())?))
}

/// `GET /v1/views/{view}/status`.
pub(super) async fn status(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&state.view(request.uri())?.status())
}

/// `GET /problems`.
pub(super) async fn problems(request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&Kinds { problems: Code::ALL.iter().map(|code| kind(code)).collect() })
}

/// `GET /problems/{code}`.
pub(super) async fn problem(request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    let missing = || Problem::new(Code::NOT_FOUND, "there is no such code; see /problems");
    document::json(&kind(Code::named(name).ok_or_else(missing)?))
}

fn kind(code: &Code) -> Kind<'_> {
    Kind { path: format!("/problems/{}", code.name), code }
}

fn summary(view: &View) -> Summary<'_> {
    let path = path(view);
    Summary {
        name: view.name().as_str(),
        topic: &view.config().topic,
        state: view.condition().state,
        ready: view.ready().is_ok(),
        links: SummaryLinks { status: format!("{path}/status"), view: path },
    }
}

fn description(view: &View) -> Description<'_> {
    let config = view.config();
    let form = |one: &Representation| Form { format: one.name(), content_type: one.content_type() };
    let path = path(view);
    Description {
        name: view.name().as_str(),
        topic: &config.topic,
        state: view.condition().state,
        key: config.key,
        value: config.value,
        key_encodings: Choice { default: KeyEncoding::of(config.key).name(), available: &KeyEncoding::NAMES },
        representations: Representation::available(config.value).iter().map(form).collect(),
        limits: Limits { key_bytes_max: KEY_BYTES_MAX },
        links: Links {
            status: format!("{path}/status"),
            key: format!("{path}/keys/{{key}}"),
            lookup: format!("{path}/lookup{{?key,enc,format}}"),
            view: path,
        },
    }
}

fn path(view: &View) -> String {
    format!("/v1/views/{}", view.name())
}
