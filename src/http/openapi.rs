//! The OpenAPI documents of the two listeners, made from what stands beside the handlers.
//!
//! A handler carries `#[utoipa::path]` and is registered with `routes!`, so the path stands in one place and no
//! route is without a description. What several handlers share has a name below: [`parameters`], [`answers`],
//! and sets of [`problems`].

pub(super) mod answers;
mod headers;
pub(super) mod lists;
pub(super) mod parameters;
pub(super) mod problems;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::Extension;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, License, OpenApi, OpenApiBuilder, RefOr, Schema};

use self::parameters::RequestId;
use super::problem::Problem;
use super::query::Query;
use super::{compression, document};
use crate::config::sections::OpsConfig;

const DATA: &str = "The current state of Kafka topics, over HTTP.\n\n\
    A view holds the latest value of every key of a topic. Values pass through byte for byte, and every answer \
    about data says how fresh it is. HEAD works wherever GET does; any other method is 405 with `Allow`. A query \
    parameter that is not known, or comes twice, is refused. Errors are `application/problem+json`; `/problems` \
    lists their codes. Answers of 8 KiB and more are compressed for clients that accept it; their `ETag` is weak.";

const OPS: &str = "Probes, metrics, and the admin interface of statusquo.\n\n\
    A listener of its own. The admin interface answers only with `ops.admin = true`.";

const TOKEN: &str = "`ops.admin_token` or the content of `ops.admin_token_file`; needed where one is set.";

/// Tags of both documents: what the paths are about.
const TAGS: [(&str, &str); 4] = [
    ("look-ups", "The value of a key, or of some."),
    ("views", "What there is, and how far it is."),
    ("documents", "What this interface is, and what its errors mean."),
    ("operations", "For those who run the service."),
];

/// Headers of every answer; `Vary` only where there is something to say.
const EVERYWHERE: [&str; 3] = ["Cache-Control", "Vary", "X-Request-Id"];

/// Schemas that the answers refer to, by name.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// The document of a listener, made when it is first asked for.
pub(super) type Written = LazyLock<Bytes>;

pub(super) static OF_DATA: Written = LazyLock::new(|| written(&data()));
pub(super) static OF_OPS: Written = LazyLock::new(|| written(&ops()));

/// Describes this listener in OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "documents",
    operation_id = "describeInterface",
    responses(answers::OpenApiDocument, problems::OfDocuments)
)]
pub(super) async fn describe(
    Extension(document): Extension<&'static Written>,
    request: Request,
) -> Result<Response, Problem> {
    Query::parse(request.uri().query(), &[])?;
    Ok(document::with_type("application/json", Bytes::clone(document)))
}

/// Returns the document of the data listener.
fn data() -> OpenApi {
    finished(super::data_routes().into_openapi(), "statusquo", DATA, answers::schemas_of_data())
}

/// Returns the document of the ops listener, the admin interface included.
fn ops() -> OpenApi {
    let config = OpsConfig { admin: true, ..OpsConfig::default() };
    let mut api = super::ops_routes(&config).into_openapi();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(TOKEN));
    let scheme = SecurityScheme::Http(token.build());
    api.components.get_or_insert_default().add_security_scheme("admin_token", scheme);
    finished(api, "statusquo operations", OPS, answers::schemas_of_ops())
}

/// Pretty, because people compare two versions of it.
fn written(document: &OpenApi) -> Bytes {
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text.into()
}

/// Adds what all paths share.
fn finished(mut api: OpenApi, title: &str, description: &str, schemas: Schemas) -> OpenApi {
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .license(Some(license));
    api.paths.paths.values_mut().flat_map(operations).for_each(complete);
    let used = |name: &str| {
        let operations = api.paths.paths.values().filter_map(|item| item.get.as_ref().or(item.post.as_ref()));
        operations.flat_map(|operation| operation.tags.iter().flatten()).any(|tag| tag == name)
    };
    let tags = TAGS.into_iter().filter(|(name, _)| used(name));
    let tags: Vec<_> = tags
        .map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())
        .collect();
    let mut components = api.components.take().unwrap_or_default();
    components.schemas.extend(schemas.into_iter().chain(problems::schemas()));
    OpenApiBuilder::from(api).info(info.build()).tags(Some(tags)).components(Some(components)).build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [item.get.as_mut(), item.post.as_mut()].into_iter().flatten()
}

/// Every request may name itself, and every answer does, and says how it may be kept and how it is compressed.
fn complete(operation: &mut Operation) {
    use utoipa::IntoParams as _;

    operation
        .parameters
        .get_or_insert_default()
        .extend(RequestId::into_params(|| None).into_iter().map(RefOr::T));
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let is_compressible = response.content.keys().any(|kind| compression::is_worth_it(kind));
            let names: &[_] = if is_compressible { &["Content-Encoding"] } else { &[] };
            response.headers.extend(headers::named(&[&EVERYWHERE, names].concat()));
        }
    }
}
