//! `messages/serviceBound/feedback`: what became of messages to devices.

use std::sync::Arc;

use tracker_amqp::Error;

use super::place::check_service;
use crate::{
    amqp::{Guest, Node},
    hub::Hub,
};

/// Gives out feedback.
pub(super) struct FeedbackNode {
    _hub: Hub,
    guest: Arc<Guest>,
    path: String,
}

impl FeedbackNode {
    pub(super) fn new(hub: Hub, guest: Arc<Guest>, path: &str) -> Self {
        Self { _hub: hub, guest, path: path.to_owned() }
    }
}

impl Node for FeedbackNode {
    fn check(&mut self) -> Result<(), Error> {
        check_service(&self.guest, &self.path)
    }
}
