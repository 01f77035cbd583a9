//! `messages/serviceBound/filenotifications`: uploaded files, of which there are none here. Services listen all the same.

use std::sync::Arc;

use tracker_amqp::Error;

use super::rights::check_service;
use crate::amqp::{Guest, Node};

/// Has nothing to tell, ever.
pub(super) struct FileNotificationsNode {
    guest: Arc<Guest>,
    path: String,
}

impl FileNotificationsNode {
    pub(super) fn new(guest: Arc<Guest>, path: &str) -> Self {
        Self { guest, path: path.to_owned() }
    }
}

impl Node for FileNotificationsNode {
    fn check(&mut self) -> Result<(), Error> {
        check_service(&self.guest, &self.path)
    }
}
