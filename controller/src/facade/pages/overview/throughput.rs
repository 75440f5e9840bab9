//! `/overview/throughput`: what all nodes moved over time.

use axum::{Json, extract::State};
use wgfleet_proto::v1;

use super::super::{
    page::SignedIn,
    plot::{Plot, RANGES, Range, Traffic},
    show,
};
use crate::facade::{Answer, Facade, query::Parameters};

pub(super) async fn answer(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    mut query: Parameters,
) -> Answer<Json<Plot>> {
    let range = Range::or_day(query.word("range", &RANGES)?);
    query.finish()?;
    let now_s = show::now_s();
    let asked = v1::FleetHistoryRequest {
        range: Some(range.until(now_s)),
    };
    let asked = signed.caller.request(asked);
    let history = facade.history.fleet_history(asked).await?.into_inner();
    let mut traffic = Traffic::default();
    traffic.add(&history.points);
    Ok(Json(traffic.plot(
        history.from,
        history.to,
        history.step_s,
        now_s,
    )))
}
