//! Uploads of files as devices and services call for them.

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{
    Handout, Hub, HubError, UploadEnd, UploadTicket,
    upload::{FileNotice, MAX_UPLOADS, Promise, Promised, Uploads},
};
use crate::{
    events::EventKind,
    id::guid,
    lock::ChangeGuard,
    storage::{BlobName, ContainerName, Scope},
};

/// The device.
impl Hub {
    /// Gives a device a place for a file for an hour. `host`: under which the storage is to be found.
    pub(crate) fn begin_upload(
        &self,
        device_id: &str,
        file: &str,
        host: &str,
    ) -> Result<UploadTicket, HubError> {
        let now = self.0.clock.now();
        let blob = self.blob_of(&format!("{device_id}/{file}"))?;
        let generation_id = self.generation_id(device_id)?;
        self.0.storage.make_container(blob.container())?;
        let expires = now + Promised::LIFE;
        let promise = Promise {
            correlation_id: guid(),
            device_id: device_id.to_owned(),
            generation_id,
            blob_name: blob.name().to_owned(),
            expires,
        };
        let ticket = UploadTicket {
            correlation_id: promise.correlation_id.clone(),
            host_name: host.to_owned(),
            container_name: blob.container().as_str().to_owned(),
            blob_name: promise.blob_name.clone(),
            sas_token: self.0.storage.account().sign(Scope::Blob(&blob), "rw", expires),
        };
        if self.0.uploads.change().promised.add(promise, now) {
            Ok(ticket)
        } else {
            Err(HubError::TooManyUploads { device_id: device_id.to_owned(), limit: MAX_UPLOADS })
        }
    }

    /// The device has uploaded its file, or given it up. Services are told of one that is there.
    pub(crate) fn end_upload(&self, device_id: &str, end: &UploadEnd, host: &str) -> Result<(), HubError> {
        let now = self.0.clock.now();
        let generation_id = self.generation_id(device_id)?;
        let unknown = || HubError::NoSuchUpload(device_id.to_owned());
        let found = self
            .0
            .uploads
            .lock()
            .promised
            .find((device_id, &generation_id), &end.correlation_id, now)
            .cloned();
        let promise = found.ok_or_else(unknown)?;
        let blob = self.blob_of(&promise.blob_name)?;
        // One that says it is there, and is not, may still come: the promise stays.
        let facts = if end.is_success { Some(self.0.storage.facts(&blob)?) } else { None };
        let mut uploads = self.uploads();
        if !uploads.promised.end(&promise.correlation_id) {
            return Err(unknown());
        }
        let Some(facts) = facts else { return Ok(()) };
        uploads.notices.put(FileNotice {
            device_id: device_id.to_owned(),
            blob_uri: format!("https://{host}/{}/{}", blob.container().as_str(), blob.name()),
            blob_name: promise.blob_name.clone(),
            last_updated_time: facts.modified,
            blob_size_in_bytes: facts.size,
            enqueued: now,
        });
        drop(uploads);
        self.0.events.tell(EventKind::FileUploaded {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            blob_name: promise.blob_name,
            bytes: facts.size,
        });
        Ok(())
    }

    fn generation_id(&self, device_id: &str) -> Result<String, HubError> {
        Ok(self.0.registry.lock().get(device_id)?.identity.generation_id.clone())
    }

    fn blob_of(&self, name: &str) -> Result<BlobName, HubError> {
        let container = ContainerName::of_uploads(self.label());
        BlobName::new(container, name).map_err(|error| HubError::ArgumentInvalid(error.message))
    }
}

/// The service.
impl Hub {
    /// Takes a notice of an uploaded file, which is locked for a minute.
    pub(crate) fn take_file_notification(&self) -> Option<Handout> {
        self.uploads().notices.take(self.0.clock.now())
    }

    /// The service has the notice.
    pub(crate) fn complete_file_notification(&self, lock_token: &str) -> Result<(), HubError> {
        let is_done = self.uploads().notices.complete(lock_token, self.0.clock.now());
        is_done.then_some(()).ok_or(HubError::LockLost)
    }

    /// The service does not want the notice now; it is delivered anew, up to ten times.
    pub(crate) fn abandon_file_notification(&self, lock_token: &str) -> Result<(), HubError> {
        let is_done = self.uploads().notices.abandon(lock_token, self.0.clock.now());
        is_done.then_some(()).ok_or(HubError::LockLost)
    }

    /// Changes whenever [`Self::take_file_notification`] may have something new.
    pub(crate) fn file_notification_arrivals(&self) -> watch::Receiver<u64> {
        self.0.uploads.lock().notices.subscribe()
    }

    /// Ends the locks and the notices whose time is over. The emulator looks every second.
    pub(crate) fn check_uploads(&self) {
        let now: DateTime<Utc> = self.0.clock.now();
        let is_changed = self.0.uploads.lock().notices.pass_time(now);
        if is_changed {
            self.0.changes.count();
        }
    }

    fn uploads(&self) -> ChangeGuard<'_, Uploads> {
        self.0.uploads.change()
    }
}
