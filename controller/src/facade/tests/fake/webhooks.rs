//! The service of webhooks.

use tonic::Request;
use wgfleet_proto::v1::{self, webhook_service_server::WebhookService};

use super::{Fake, ID, Reply};

fn webhook() -> v1::Webhook {
    v1::Webhook {
        id: ID.into(),
        name: "billing".into(),
        url: "https://example.com/hook".into(),
        enabled: true,
        last_delivery: Some(delivery()),
        created_at: 1_772_366_400,
        updated_at: 1_772_366_400,
        ..Default::default()
    }
}

fn delivery() -> v1::WebhookDelivery {
    v1::WebhookDelivery {
        delivery_id: "d-7".into(),
        event_id: "7".into(),
        kind: "peer.created".into(),
        at: 1_772_366_400,
        attempt: 2,
        outcome: v1::DeliveryOutcome::GivenUp.into(),
        http_status: Some(500),
        latency_ms: 12,
        error: "it answered 500".into(),
    }
}

#[tonic::async_trait]
impl WebhookService for Fake {
    async fn list(
        &self,
        request: Request<v1::ListWebhooksRequest>,
    ) -> Reply<v1::ListWebhooksResponse> {
        let mut webhook = webhook();
        webhook.name = self.called(&webhook.name);
        let items = vec![webhook];
        self.reply(&request, v1::ListWebhooksResponse { items })
    }

    async fn create(
        &self,
        request: Request<v1::CreateWebhookRequest>,
    ) -> Reply<v1::CreateWebhookResponse> {
        let answer = v1::CreateWebhookResponse {
            webhook: Some(webhook()),
            secret: Some("shown once".into()),
        };
        self.reply(&request, answer)
    }

    async fn get(&self, request: Request<v1::GetWebhookRequest>) -> Reply<v1::Webhook> {
        let mut webhook = webhook();
        webhook.name = self.called(&webhook.name);
        self.reply(&request, webhook)
    }

    async fn update(&self, request: Request<v1::UpdateWebhookRequest>) -> Reply<v1::Webhook> {
        self.reply(&request, webhook())
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteWebhookRequest>,
    ) -> Reply<v1::DeleteWebhookResponse> {
        self.reply(&request, v1::DeleteWebhookResponse {})
    }

    async fn test(&self, request: Request<v1::TestWebhookRequest>) -> Reply<v1::WebhookDelivery> {
        self.reply(&request, delivery())
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Reply<v1::ListWebhookDeliveriesResponse> {
        let answer = v1::ListWebhookDeliveriesResponse {
            items: vec![delivery()],
            page: Some(v1::PageInfo {
                next_cursor: "41".into(),
                total: 3,
            }),
        };
        self.reply(&request, answer)
    }
}
