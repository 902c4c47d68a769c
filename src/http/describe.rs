//! What there is: views, their status, and what the codes of errors mean.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::batch::{self, KEYS_MAX};
use super::code::Code;
use super::document;
use super::key::{KEY_BYTES_MAX, KeyEncoding};
use super::openapi::{parameters, problems};
use super::problem::Problem;
use super::query::Query;
use super::representation::Representation;
use super::state::AppState;
use crate::config::sections::{KeyFormat, ScanConfig, ValueFormat};
use crate::view::{State as ViewState, View, ViewStatus};

/// The views.
#[derive(Serialize, ToSchema)]
#[schema(as = ViewList)]
struct List<'a> {
    views: Vec<Summary<'a>>,
}

/// A view in short.
#[derive(Serialize, ToSchema)]
#[schema(as = ViewSummary)]
struct Summary<'a> {
    /// Its name.
    #[schema(example = "users")]
    name: &'a str,
    /// The topic it shows.
    #[schema(example = "user-profiles")]
    topic: &'a str,
    /// The worst state of its partitions.
    state: ViewState,
    /// Whether readiness counts it as ready.
    ready: bool,
    /// Where to ask.
    links: SummaryLinks,
}

#[derive(Serialize, ToSchema)]
struct SummaryLinks {
    #[serde(rename = "self")]
    #[schema(example = "/v1/views/users")]
    view: String,
    #[schema(example = "/v1/views/users/status")]
    status: String,
}

/// A view: what it shows, and how to ask it.
#[derive(Serialize, ToSchema)]
#[schema(as = ViewDescription)]
struct Description<'a> {
    /// Its name.
    #[schema(example = "users")]
    name: &'a str,
    /// The topic it shows.
    #[schema(example = "user-profiles")]
    topic: &'a str,
    /// The worst state of its partitions.
    state: ViewState,
    /// What the bytes of a key are.
    key: KeyFormat,
    /// What the bytes of a value are.
    value: ValueFormat,
    /// How a key can be written, as `enc` takes it.
    key_encodings: Choice,
    /// Forms of a value; the first is the default.
    representations: Vec<Form>,
    /// Bounds on requests.
    limits: Limits,
    /// Where to ask; templates of RFC 6570.
    links: Links,
}

#[derive(Serialize, ToSchema)]
#[schema(as = KeyEncodings)]
struct Choice {
    #[schema(example = "utf8")]
    default: &'static str,
    available: &'static [&'static str],
}

#[derive(Serialize, ToSchema)]
#[schema(as = Representation)]
struct Form {
    /// As `format` takes it.
    #[schema(example = "json")]
    format: &'static str,
    /// As `Accept` takes it.
    #[schema(example = "application/json")]
    content_type: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ViewLimits)]
struct Limits {
    /// Longest key that can be asked for by URL.
    #[schema(example = 8192)]
    key_bytes_max: usize,
    /// Most keys of one batch.
    #[schema(example = 1000)]
    batch_keys_max: usize,
    /// Longest body of the request for a batch.
    #[schema(example = 1_048_576)]
    batch_bytes_max: usize,
    /// Most entries of one page of a scan.
    #[schema(example = 1000)]
    page_entries_max: usize,
    /// About the longest answer to a batch, or page of a scan.
    #[schema(example = 8_388_608)]
    answer_bytes_max: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ViewLinks)]
struct Links {
    #[serde(rename = "self")]
    #[schema(example = "/v1/views/users")]
    view: String,
    #[schema(example = "/v1/views/users/status")]
    status: String,
    #[schema(example = "/v1/views/users/keys/{key}{?enc,format,read_after,max_staleness,allow}")]
    key: String,
    #[schema(example = "/v1/views/users/lookup{?key,enc,format,read_after,max_staleness,allow}")]
    lookup: String,
    #[schema(
        example = "/v1/views/users/entries{?prefix,start,end,enc,order,fields,limit,cursor,read_after,max_staleness}"
    )]
    entries: String,
    #[schema(
        example = "/v1/views/users/watch{?key,prefix,enc,initial,format,from,read_after,max_staleness}"
    )]
    watch: String,
}

/// A kind of problem.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemKind)]
struct Kind<'a> {
    /// The `type` of a problem of this kind.
    #[serde(rename = "type")]
    #[schema(example = "/problems/key-not-found")]
    path: String,
    #[serde(flatten)]
    code: &'a Code,
}

/// All kinds of problems.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemKinds)]
struct Kinds<'a> {
    problems: Vec<Kind<'a>>,
}

/// Lists the views.
#[utoipa::path(
    get, path = "/v1/views", tag = "views", operation_id = "listViews",
    responses((status = 200, description = "The views.", body = List<'_>), problems::OfDocuments)
)]
pub(super) async fn views(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&List { views: state.views().values().map(|view| summary(view)).collect() })
}

/// Describes a view: its topic, how keys and values are written, limits, and where to ask.
#[utoipa::path(
    get, path = "/v1/views/{view}", tag = "views", operation_id = "describeView", params(parameters::View),
    responses((status = 200, description = "The view.", body = Description<'_>), problems::OfViews)
)]
pub(super) async fn view(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&description(state.view(request.uri())?, state.scan()))
}

/// Tells how far a view is, partition by partition.
#[utoipa::path(
    get, path = "/v1/views/{view}/status", tag = "views", operation_id = "statusOfView", params(parameters::View),
    responses((status = 200, description = "Its status.", body = ViewStatus), problems::OfViews)
)]
pub(super) async fn status(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&state.view(request.uri())?.status())
}

/// Lists the codes of problems: what each means, and what to do.
#[utoipa::path(
    get, path = "/problems", tag = "documents", operation_id = "listProblems",
    responses((status = 200, description = "The codes.", body = Kinds<'_>), problems::OfDocuments)
)]
pub(super) async fn all_problems(request: Request) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    document::json(&Kinds { problems: Code::ALL.iter().map(|code| kind(code)).collect() })
}

/// Explains one code.
#[utoipa::path(
    get, path = "/problems/{code}", tag = "documents", operation_id = "explainProblem",
    params(parameters::ProblemCode),
    responses((status = 200, description = "What it means.", body = Kind<'_>), problems::OfProblems)
)]
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

fn description<'a>(view: &'a View, scan: &ScanConfig) -> Description<'a> {
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
        limits: Limits {
            key_bytes_max: KEY_BYTES_MAX,
            batch_keys_max: KEYS_MAX,
            batch_bytes_max: batch::BODY_BYTES_MAX,
            page_entries_max: scan.page_entries_max,
            answer_bytes_max: scan.answer_bytes_max.as_u64(),
        },
        links: Links {
            status: format!("{path}/status"),
            key: format!("{path}/keys/{{key}}{{?enc,format,read_after,max_staleness,allow}}"),
            lookup: format!("{path}/lookup{{?key,enc,format,read_after,max_staleness,allow}}"),
            entries: format!(
                "{path}/entries{{?prefix,start,end,enc,order,fields,limit,cursor,read_after,max_staleness}}"
            ),
            watch: format!("{path}/watch{{?key,prefix,enc,initial,format,from,read_after,max_staleness}}"),
            view: path,
        },
    }
}

fn path(view: &View) -> String {
    format!("/v1/views/{}", view.name())
}
