//! The admin interface on the ops listener: rebuilds asked for, and how far they are.

use std::collections::BTreeSet;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ask;
use super::code::{ACCEPTED, Code};
use super::document;
use super::guard::Guard;
use super::json_body;
use super::openapi::{parameters, problems};
use super::problem::Problem;
use super::query::Query;
use super::state::AppState;
use crate::config::sections::OpsConfig;
use crate::position::Partition;
use crate::progress::OperationId;
use crate::view::{NotBegun, OperationStatus};

/// Bound on the body of a request: room for the numbers of ten thousand partitions.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a rebuild is asked for with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rebuild {
    /// All of them where none are named.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<i32>>, nullable = false, min_items = 1, example = json!([3]))]
    partitions: Option<BTreeSet<Partition>>,
}

/// Makes the routes; none when the interface is off.
pub(super) fn routes(config: &OpsConfig) -> OpenApiRouter<AppState> {
    if !config.admin {
        return OpenApiRouter::default();
    }
    let guard = Extension(Guard::new(config.admin_token.clone()));
    OpenApiRouter::default().routes(routes!(rebuild)).routes(routes!(operation)).layer(guard)
}

/// Asks for a rebuild of a view, or of some of its partitions.
///
/// The old state answers until the new one has caught up.
#[utoipa::path(
    post, path = "/admin/v1/views/{view}/rebuild", tag = "operations", operation_id = "rebuildView",
    params(parameters::View), request_body = Rebuild, security((), ("admin_token" = [])),
    responses(
        (status = 202, description = "It has begun; `Location` tells how far it is.", body = OperationStatus,
            headers(("Location" = String, description = "Where to ask how far it is."))),
        problems::OfRebuilds
    )
)]
async fn rebuild(
    State(state): State<AppState>,
    Extension(guard): Extension<Guard>,
    request: Request,
) -> Result<Response, Problem> {
    guard.admit(request.headers())?;
    Query::parse(request.uri().query(), &[])?;
    let view = state.admin_view(request.uri())?;
    let (head, body) = request.into_parts();
    let asked = read(&state, &head.headers, body).await?;
    let id = view.rebuild(asked.partitions).map_err(|why| refused(why).of_view(view.name().as_str()))?;
    let mut response = told(view.operation(id))?;
    *response.status_mut() = ACCEPTED;
    response.headers_mut().insert(LOCATION, location(id)?);
    Ok(response)
}

/// Tells how far an operation is.
#[utoipa::path(
    get, path = "/admin/v1/operations/{id}", tag = "operations", operation_id = "statusOfOperation",
    params(parameters::OperationId), security((), ("admin_token" = [])),
    responses((status = 200, description = "Its status.", body = OperationStatus), problems::OfOperations)
)]
async fn operation(
    State(state): State<AppState>,
    Extension(guard): Extension<Guard>,
    request: Request,
) -> Result<Response, Problem> {
    guard.admit(request.headers())?;
    Query::parse(request.uri().query(), &[])?;
    let id = OperationId::parse(ask::operation(request.uri()));
    told(id.and_then(|id| state.views().values().find_map(|view| view.operation(id))))
}

fn told(operation: Option<OperationStatus>) -> Result<Response, Problem> {
    let unknown = "there is no such operation; a restart of the service forgets them, but not the rebuilds";
    document::json(&operation.ok_or_else(|| Problem::new(Code::NOT_FOUND, unknown))?)
}

async fn read(state: &AppState, headers: &HeaderMap, body: Body) -> Result<Rebuild, Problem> {
    let body = state.bodies().read(headers, body, BODY_BYTES_MAX).await?;
    let object =
        json_body::is_object(&body.bytes).then(|| serde_json::from_slice(&body.bytes).ok()).flatten();
    object.ok_or_else(|| {
        Problem::new(Code::BAD_BODY, "the body must be `{}`, or name partitions like `{\"partitions\":[3]}`")
    })
}

fn refused(why: NotBegun) -> Problem {
    match why {
        NotBegun::NoPartitions => {
            Problem::new(Code::VIEW_RESTORING, "the partitions of the topic are not known yet")
        }
        NotBegun::WrongCluster => {
            Problem::new(Code::WRONG_CLUSTER, "the brokers belong to another cluster than the stored view")
        }
        NotBegun::NoSuchPartition(partition) => {
            Problem::new(Code::BAD_BODY, format!("the topic has no partition {partition}"))
        }
        NotBegun::Building(partition) => {
            Problem::new(Code::REBUILD_RUNNING, format!("partition {partition} is being built already"))
        }
        NotBegun::Running(id) => {
            let problem = Problem::new(Code::REBUILD_RUNNING, format!("operation {id} has not ended"));
            match location(id) {
                Ok(location) => problem.with_header(LOCATION, location),
                Err(_) => problem,
            }
        }
    }
}

fn location(id: OperationId) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(&format!("/admin/v1/operations/{id}"))
        .map_err(|_| Problem::new(Code::INTERNAL, "the address of the operation could not be written"))
}

/// `null` or an empty list is more likely a slip than a wish for all, or for none.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeSet<Partition>>, D::Error> {
    let partitions = BTreeSet::deserialize(deserializer)?;
    if partitions.is_empty() {
        return Err(serde::de::Error::custom("no partition is named"));
    }
    Ok(Some(partitions))
}
