//! What an operator can do to a node.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Broker;

/// Asks each queue's leader for the number of its messages, and waits for one where there is none.
const COUNT: &str = r#"Count = fun
  Count(Q, Tries) when Tries > 0 ->
    case ra:leader_query({element(1, amqqueue:get_pid(Q)), node()}, fun rabbit_fifo:query_messages_total/1) of
      {ok, {_, N}, _} -> N;
      _ -> timer:sleep(100), Count(Q, Tries - 1)
    end
end,
[{element(4, amqqueue:get_name(Q)), Count(Q, 300)} || Q <- rabbit_amqqueue:list(<<"VHOST">>), amqqueue:is_quorum(Q)]."#;

impl Broker {
    /// A new virtual host.
    pub async fn vhost(&self) -> String {
        let name = format!("v{}", self.vhosts.fetch_add(1, Ordering::Relaxed));
        self.api("PUT", &format!("/api/vhosts/{name}"), None).await;
        name
    }

    /// How a virtual host is reached.
    pub fn url(&self, vhost: &str) -> String {
        let vhost = if vhost == "/" { "%2f" } else { vhost };
        format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", self.port())
    }

    /// Asks the management API.
    ///
    /// # Panics
    /// When it does not answer with a success.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let who = base64::engine::general_purpose::STANDARD.encode("guest:guest");
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\nauthorization: Basic {who}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports.management)).await.expect("the management API");
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Runs `rabbitmqctl`, and answers what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let done = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl")
            .args(["-q", "-t", "60", "-n", &self.name()])
            .args(arguments)
            .envs(self.environment())
            .output()
            .expect("rabbitmqctl runs");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "rabbitmqctl {arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
        said
    }

    /// How many messages each quorum queue of a virtual host holds, claimed or not; the empty ones are left out.
    ///
    /// The queues' leaders are asked: what RabbitMQ lists of quorum queues is up to five seconds old.
    ///
    /// # Panics
    /// When a queue has no leader and gets none.
    pub fn messages(&self, vhost: &str) -> BTreeMap<String, u64> {
        let told = self.ctl(&["eval", &COUNT.replace("VHOST", vhost)]);
        let pairs = told.split("{<<\"").skip(1).map(|pair| pair.split_once("\">>,").expect("a name and a number"));
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        pairs
            .map(|(name, rest)| (name.to_owned(), digits(rest.trim_start()).parse().expect("a number")))
            .filter(|(_, messages)| *messages > 0)
            .collect()
    }

    /// Sets a policy. The queues follow it a moment later.
    pub async fn policy(&self, vhost: &str, name: &str, pattern: &str, definition: Value) {
        let policy = json!({"pattern": pattern, "definition": definition, "apply-to": "queues"});
        self.api("PUT", &format!("/api/policies/{vhost}/{name}"), Some(policy)).await;
    }

    /// Has it take no messages because its memory is full, or ends that.
    pub async fn memory_alarm(&self, on: bool) {
        self.ctl(&["set_vm_memory_high_watermark", if on { "0.000001" } else { "0.6" }]);
    }

    /// Has it take no messages because its disk is full, or ends that.
    pub async fn disk_alarm(&self, on: bool) {
        self.ctl(&["set_disk_free_limit", if on { "900000GB" } else { "1MB" }]);
    }
}
