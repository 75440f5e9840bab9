//! Scripts, styles and the icon: compiled in, named by what they hold, and so kept by browsers for good.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use flate2::Compression;
use ring::digest::{SHA256, digest};

use super::compress;
use crate::facade::problem::Problem;

/// Name, type, and what is in it. What others wrote stands in a folder with its version and licence.
const FILES: [(&str, &str, &[u8]); 7] = [
    ("app.css", CSS, include_bytes!("../../../ui/assets/app.css")),
    ("app.js", JS, include_bytes!("../../../ui/assets/app.js")),
    (
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../../../ui/assets/icon.svg"),
    ),
    (
        "htmx.js",
        JS,
        include_bytes!("../../../ui/assets/vendor/htmx-2.0.11/htmx.min.js"),
    ),
    (
        "idiomorph.js",
        JS,
        include_bytes!("../../../ui/assets/vendor/idiomorph-0.8.0/idiomorph-ext.min.js"),
    ),
    (
        "uplot.js",
        JS,
        include_bytes!("../../../ui/assets/vendor/uplot-1.6.32/uPlot.iife.min.js"),
    ),
    (
        "uplot.css",
        CSS,
        include_bytes!("../../../ui/assets/vendor/uplot-1.6.32/uPlot.min.css"),
    ),
];
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

struct Asset {
    url: String,
    kind: HeaderValue,
    plain: Bytes,
    gzip: Bytes,
}

static ASSETS: LazyLock<HashMap<&str, Asset>> = LazyLock::new(|| {
    let files = FILES.iter();
    files
        .map(|(name, kind, bytes)| (*name, Asset::new(name, kind, bytes)))
        .collect()
});

impl Asset {
    fn new(name: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let hash: String = digest(&SHA256, bytes).as_ref()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        Self {
            url: format!("/assets/{stem}.{hash}.{extension}"),
            kind: HeaderValue::from_static(kind),
            plain: Bytes::from_static(bytes),
            gzip: compress::gzip(bytes, Compression::best()).into(),
        }
    }
}

/// Where an asset is.
///
/// # Panics
/// For a name that is none of ours; a test renders every template.
pub(super) fn url(name: &str) -> &'static str {
    let asset = ASSETS.get(name);
    &asset.unwrap_or_else(|| panic!("no asset {name}")).url
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(serve))
}

async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut assets = ASSETS.values();
    let asset = assets.find(|asset| asset.url.strip_prefix("/assets/") == Some(&name));
    let Some(asset) = asset else {
        let detail = "there is no such asset; load the page again";
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "route_not_found",
            detail,
        ));
    };
    let mut response = if compress::takes_gzip(&headers) {
        let coding = HeaderValue::from_static("gzip");
        ([(header::CONTENT_ENCODING, coding)], asset.gzip.clone()).into_response()
    } else {
        asset.plain.clone().into_response()
    };
    let told = response.headers_mut();
    told.insert(header::CONTENT_TYPE, asset.kind.clone());
    told.insert(header::CACHE_CONTROL, FOREVER);
    told.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Ok(response)
}
