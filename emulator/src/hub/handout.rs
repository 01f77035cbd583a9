//! What is handed out to services under a lock: a batch of feedback, or a notice of an uploaded file.

use chrono::{DateTime, Utc};

/// Something under a lock.
#[derive(Clone, Debug)]
pub(crate) struct Handout {
    /// By which it is completed or abandoned.
    pub lock_token: String,
    pub sequence_number: u64,
    /// When it was made.
    pub enqueued: DateTime<Utc>,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    /// What Azure calls the body.
    pub content_type: &'static str,
    /// JSON.
    pub body: Vec<u8>,
}
