//! The renewal of the certificate over one connection: what `uplink/renewal` says is published, what the hub answers is handed to
//! it. Where no certificates are issued nothing here does anything.

use tokio::time::Instant;
use tracker_protocol::Publish;
use tracker_protocol::hub::RenewalEvent;

use super::Session;
use crate::identity::Identity;
use crate::link::LinkError;
use crate::uplink::renewal::{Done, Leaving};

impl Session<'_> {
    /// The hub has accepted the device by this certificate. Whether that was issued, and is not the one in the file.
    pub fn accepted_as(&mut self, identity: &Identity) -> bool {
        let now = self.now();
        if let Some(renewal) = &mut self.device.renewal {
            renewal.taken(now, identity);
        }
        self.device.renewal.is_some()
    }

    pub(super) fn renewal(&mut self, event: RenewalEvent<'_>) -> Result<(), LinkError> {
        let now = self.now();
        let publish = self.device.renewal.as_mut().and_then(|renewal| renewal.handle(now, event));
        self.publish_some(publish)
    }

    pub(super) fn renewal_goes_on(&mut self, done: Done) -> Result<(), LinkError> {
        let now = self.now();
        let identity = self.device.identity.borrow();
        let in_use = identity.as_ref().map(|identity| identity.thumbprint.clone());
        drop(identity);
        let renewal = self.device.renewal.as_mut();
        let publish = renewal.and_then(|renewal| renewal.go_on(now, done, in_use.as_deref()));
        self.publish_some(publish)
    }

    pub(super) fn renewal_tick(&mut self) -> Result<(), LinkError> {
        let now = self.now();
        let publish = self.device.renewal.as_mut().and_then(|renewal| renewal.tick(now));
        self.publish_some(publish)
    }

    pub(super) fn renewal_due(&self) -> Option<Instant> {
        let due = self.device.renewal.as_ref()?.deadline(self.now())?;
        Some(self.device.started + due)
    }

    /// Whether the connection is to be left: at a moment at which nothing is in flight, if there is one soon.
    pub(super) fn leaves(&self) -> Option<Leaving> {
        let renewal = self.device.renewal.as_ref()?;
        let is_quiet = self.link.unacknowledged().next().is_none() && self.outbox.is_idle();
        renewal.leaves(self.now(), is_quiet)
    }

    fn publish_some(&mut self, message: Option<Publish>) -> Result<(), LinkError> {
        message.map_or(Ok(()), |message| self.say(message.into()))
    }
}
