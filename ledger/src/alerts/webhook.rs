//! A message as a signed POST, by Standard Webhooks.

use std::time::Duration;

use leadrelay_shared::http::{Client, Method, Settings};
use leadrelay_shared::service::Ctx;
use leadrelay_shared::webhook::{Signer, url};

use super::message::Message;

pub(super) async fn send(ctx: &Ctx, id: &str, message: &Message, timeout: Duration) -> Result<(), String> {
    let config = ctx.config().alerts.webhook.as_ref().ok_or("no webhook is configured")?;
    let client = Client::new(Settings { timeout, allow_private_addresses: config.allow_private_addresses })?;
    let request = client.request(Method::POST, url(&config.url)?);
    let body = serde_json::to_vec(&message.json()).map_err(|_| "the message cannot be written as JSON")?;
    let signer = Signer::new(&config.secret)?;
    let request = signer.signed(request, id, ctx.clock.now().as_second(), body)?;
    let answer = request.send().await.map_err(|error| error.to_string())?;
    match answer.status {
        200..=299 => Ok(()),
        401 | 403 => Err(format!("the receiver refuses it (HTTP {}); has it the same secret?", answer.status)),
        300..=399 => Err(format!("the receiver answered with a redirect (HTTP {}); write its own URL", answer.status)),
        status => Err(format!("the receiver answered HTTP {status}")),
    }
}
