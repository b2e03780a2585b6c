//! What went wrong with the broker, in words with the remedy. They hold names of queues, hosts and users, and no password.

use lapin::{Error, ErrorKind};

use super::settings::Node;

/// AMQP reply codes that stand for a mistake of somebody's and not for an outage (AMQP 0-9-1, 1.2.1).
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;
const NOT_IMPLEMENTED: u16 = 540;
const INTERNAL_ERROR: u16 = 541;

/// Why a node cannot be used.
pub(super) fn of_node(node: &Node, error: &Error) -> String {
    let Node { host, port, user, vhost, .. } = node;
    match code(error) {
        Some(ACCESS_REFUSED) => format!(
            "RabbitMQ at {host}:{port} refuses user {user} ({error}); check queue.url and queue.password, and grant it \
             configure, write and read on virtual host {vhost} for names that begin with leadrelay"
        ),
        Some(NOT_ALLOWED) => format!(
            "RabbitMQ at {host}:{port} does not let user {user} into virtual host {vhost} ({error}); \
             make it with `rabbitmqctl add_vhost`, or name another in queue.url"
        ),
        Some(PRECONDITION_FAILED) if error.to_string().contains("inequivalent") => format!(
            "RabbitMQ at {host}:{port} has something of ours with other arguments ({error}); \
             drain it and delete it, and leadrelay makes it as it must be"
        ),
        _ if is_of_abilities(error) => format!(
            "RabbitMQ at {host}:{port} cannot do what leadrelay needs ({error}); it must be 3.10 or later, with the feature \
             flags quorum_queue and stream_queue: `rabbitmqctl enable_feature_flag all`"
        ),
        _ => format!("RabbitMQ at {host}:{port} cannot be reached: {}", short(error)),
    }
}

/// Whether waiting alone cannot mend it.
pub(super) fn is_of_configuration(error: &Error) -> bool {
    matches!(code(error), Some(ACCESS_REFUSED | NOT_ALLOWED)) || is_of_abilities(error)
}

/// So a broker answers an argument or a type of queue that it does not know; and with 541, which stands for much else, where the
/// feature flag for it is off (seen with 3.10).
fn is_of_abilities(error: &Error) -> bool {
    match code(error) {
        Some(PRECONDITION_FAILED | NOT_IMPLEMENTED) => true,
        Some(INTERNAL_ERROR) => error.to_string().contains("feature flag"),
        _ => false,
    }
}

/// Whether it is about a queue that is not there.
pub(super) fn is_of_absence(error: &Error) -> bool {
    code(error) == Some(NOT_FOUND)
}

/// What a connection or channel ended with.
pub(super) fn short(error: &Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) => {
            "the connection is gone".to_owned()
        }
        _ => error.to_string(),
    }
}

fn code(error: &Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}
