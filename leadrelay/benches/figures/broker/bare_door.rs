//! The raw limit of a door on RabbitMQ: it publishes what is posted to it, and does nothing else.

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use leadrelay_testkit::broker::Broker;
use tokio::sync::{mpsc, oneshot};

use super::bare::{QUEUES, channel, confirmed, connect};
use crate::accept;
use crate::poster::Door;

/// Posts so many leads to a door that answers each once it is confirmed, and says how many it answered in a second.
pub(super) async fn rate(broker: &Broker, leads: u64) -> f64 {
    let connection = connect(broker).await;
    let channel = channel(&connection).await;
    let (posted, mut to_publish) = mpsc::channel::<(Bytes, oneshot::Sender<()>)>(1024);
    let posted = web::Data::new(posted);
    let take = async |posted: web::Data<mpsc::Sender<_>>, body: Bytes| {
        let (answer, answered) = oneshot::channel::<()>();
        posted.send((body, answer)).await.expect("it publishes");
        answered.await.expect("it publishes");
        HttpResponse::Accepted().finish()
    };
    let app = move || App::new().app_data(posted.clone()).default_service(web::to(take));
    let server = HttpServer::new(app).workers(2).disable_signals().bind("127.0.0.1:0").expect("it listens");
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    let publishing = tokio::spawn(async move {
        let mut underway = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(()) = underway.next() => {}
                next = to_publish.recv() => {
                    let Some((body, answer)) = next else { break };
                    let channel = &channel;
                    underway.push(async move {
                        confirmed(channel, QUEUES[0], &body, String::new()).await;
                        answer.send(()).expect("it is waited for");
                    });
                }
            }
        }
    });
    let answered = accept::rate(&Door { address, path: "/".to_owned() }, 0, leads).await;
    handle.stop(false).await;
    publishing.abort();
    answered
}
