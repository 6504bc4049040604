//! What the admin port answers.

use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};

use super::{Exposition, Query, Snapshot};

/// How long the loop may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// What the handlers share.
#[derive(Clone)]
pub(super) struct State {
    ask: mpsc::Sender<Query>,
    exposition: Exposition,
}

/// The loop did not answer in time.
struct Stuck;

impl State {
    pub(super) const fn new(ask: mpsc::Sender<Query>, exposition: Exposition) -> Self {
        Self { ask, exposition }
    }

    async fn ask<T>(&self, query: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, Stuck> {
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            self.ask.send(query(answer)).await.map_err(|_| Stuck)?;
            answered.await.map_err(|_| Stuck)
        };
        tokio::time::timeout(LIMIT, exchange).await.unwrap_or(Err(Stuck))
    }

    async fn snapshot(&self) -> Result<Box<Snapshot>, Stuck> {
        self.ask(Query::Snapshot).await
    }
}

impl IntoResponse for Stuck {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer\n").into_response()
    }
}

pub(super) fn router(state: State) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/state", get(show))
        .with_state(state)
}

async fn live(Shared(state): Shared<State>) -> Result<&'static str, Stuck> {
    state.ask(Query::Live).await?;
    Ok("live\n")
}

async fn ready(Shared(state): Shared<State>) -> Result<Response, Stuck> {
    Ok(if state.snapshot().await?.ready {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the state is not saved yet\n").into_response()
    })
}

async fn metrics(Shared(state): Shared<State>, RawQuery(query): RawQuery) -> Result<Response, Stuck> {
    let all_names = query.is_some_and(|query| query.split('&').any(|pair| pair == "names=all"));
    let snapshot = state.snapshot().await?;
    Ok(match state.exposition.text(&snapshot, all_names) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    })
}

async fn show(Shared(state): Shared<State>) -> Result<Response, Stuck> {
    let snapshot = state.snapshot().await?;
    Ok(match serde_json::to_vec_pretty(&snapshot.view) {
        Ok(mut text) => {
            text.push(b'\n');
            ([(header::CONTENT_TYPE, "application/json")], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    })
}
