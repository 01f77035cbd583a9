//! What is forwarded to.

use crate::cli::cloud::amqp::Telemetry;

/// Something to be sent.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Of MQTT.
    pub topic: String,
    pub payload: String,
}

/// Why something was not sent.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Not now; how many may have arrived all the same.
    Away { why: String, on_the_way: usize },
    /// Never, as things are.
    ForGood(String),
}

/// What is forwarded to.
pub(super) trait Sink {
    /// As a person calls it, without secrets.
    fn name(&self) -> &str;

    /// Whether it keeps what it has acknowledged.
    fn has_memory(&self) -> bool {
        true
    }

    /// Appends what is sent of a message.
    fn render(&self, message: &Telemetry, items: &mut Vec<Item>);

    /// Sends; what was acknowledged is taken away.
    fn deliver(&mut self, items: &mut Vec<Item>) -> Result<(), Trouble>;

    /// Does what has to be done now and then while nothing is sent.
    fn tend(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
}
