//! The notary: has the device's key sign the chain of evidence, every day and at the end of a trip.
//!
//! It works whether there is a network or not. The key is the one that the uplink has loaded; where that has needed none yet, the
//! notary loads it for the moment. Without evidence it sleeps.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tracker_timers::{sleep, sleep_about};

use crate::config::Config;
use crate::event::{Event, Events};
use crate::identity::Identity;
use crate::journal::Journal;
use crate::platform::clock::Clock;
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;
use crate::reading::{Reading, Stamp};
use crate::settings::TripTerms;
use crate::trip::BY_ITSELF;
use crate::uplink::renewal::Signing;
use tracker_evidence::{Hash, Statement, base64, to_sign};

/// A head is signed so often.
const EVERY: TimeDelta = TimeDelta::hours(24);
/// It is looked so often whether a signature is due: a clock may be put forward.
const LOOK: Duration = Duration::from_hours(1);
/// No matter how fast time passes.
const SOONEST: Duration = Duration::from_secs(1);
/// While there is nothing to sign yet, or no time to do it by.
const LOOK_SOON: Duration = Duration::from_mins(1);

/// What is remembered over a restart. Without it a certificate is sent once more, and a head signed sooner.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Signed {
    /// Thumbprint of the certificate that was stated last.
    certificate: String,
    /// When it signed last.
    at: Option<DateTime<Utc>>,
}

/// Whoever signs.
pub struct Notary {
    /// What is signed.
    pub journal: Arc<Journal>,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// Whether there is to be evidence.
    pub evidence: watch::Receiver<bool>,
    /// By what the first trip is measured.
    pub terms: TripTerms,
    /// A signature is wanted now.
    pub wanted: Arc<Notify>,
    /// How often it has looked whether to sign, and has done so where it was to.
    pub looks: watch::Sender<u64>,
    /// The identity in use, where one is.
    pub identity: watch::Receiver<Option<Identity>>,
    /// Where the identity is, where none is in use.
    pub config: Config,
    /// Where events go.
    pub events: Events,
}

impl Notary {
    /// How it is asked to sign before the key changes.
    pub fn signing(&self) -> Signing {
        let (evidence, wanted) = (self.evidence.clone(), self.wanted.clone());
        Signing { evidence, wanted, looks: self.looks.subscribe() }
    }

    /// Works for ever. The journal has been told at the start what the settings say.
    pub async fn run(mut self) {
        let path = StateDirectory::new(&self.config.state.directory).evidence();
        let mut signed: Signed = state_file::read(&path).ok().flatten().unwrap_or_default();
        let (mut told, mut wanted) = (String::new(), false);
        loop {
            let is_on = *self.evidence.borrow_and_update();
            let pause =
                if is_on { self.look(&path, &mut signed, &mut told, &mut wanted).await } else { LOOK };
            self.looks.send_modify(|looks| *looks += 1);
            // A day of a simulated voyage passes in seconds.
            let pause = pause.div_f64(self.clock.time_scale()).max(SOONEST);
            tokio::select! {
                () = sleep_about(pause), if is_on => {}
                () = self.wanted.notified() => wanted = true,
                Ok(()) = self.evidence.changed() => self.tell_journal().await,
            }
        }
    }

    /// The journal chains from now on, or does not any more.
    async fn tell_journal(&mut self) {
        let terms = self.evidence.borrow_and_update().then(|| self.terms.now(BY_ITSELF));
        while !self.journal.set_evidence(terms.clone()) {
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Signs if it is time to; gives how long to wait.
    async fn look(&self, path: &Path, signed: &mut Signed, told: &mut String, wanted: &mut bool) -> Duration {
        let stamp = Stamp::now(&*self.clock);
        let Some(now) = stamp.utc else { return LOOK_SOON };
        let is_due = signed.at.is_none_or(|at| now >= at + EVERY || now < at);
        if !is_due && !*wanted {
            return LOOK;
        }
        // The key of a certificate that Azure issues is known once the uplink has looked for it.
        let is_to_come = self.config.identity.operational.is_some() && self.identity.borrow().is_none();
        if is_to_come || self.journal.head().await.is_none() {
            return LOOK_SOON;
        }
        match self.sign(stamp, signed).await {
            Ok(()) => {
                (*wanted, signed.at) = (false, Some(now));
                told.clear();
                if let Err(error) = self.remember(path.into(), signed.clone()).await {
                    self.tell(
                        told,
                        format!("when the chain of evidence was signed can't be stored: {error}"),
                    );
                }
            }
            Err(why) => {
                self.tell(
                    told,
                    format!("the chain of evidence can't be signed and is no proof meanwhile: {why}"),
                );
            }
        }
        LOOK
    }

    async fn sign(&self, stamp: Stamp, signed: &mut Signed) -> Result<(), String> {
        let identity = self.identity.borrow().clone();
        let config = self.config.clone();
        let load = move || match identity {
            Some(identity) => Ok(identity),
            None => config.identity.load(&config.state.directory).map_err(|error| error.to_string()),
        };
        let gone = |_| "the thread that signs has ended".to_owned();
        let identity = spawn_blocking(load).await.map_err(gone)??;
        let thumbprint = identity.thumbprint.clone();
        if signed.certificate != thumbprint {
            let certified = identity.certified_key().ok_or(
                "it takes a certificate, which this device has not (identity.certificate); without one, set evidence to false in \
                 its twin",
            )?;
            let chain = certified.cert.iter().map(AsRef::as_ref);
            self.state(&Statement::certificate(&thumbprint, chain), stamp);
            signed.certificate.clone_from(&thumbprint);
        }
        let (up_to, head) = self.journal.head().await.ok_or("there is no chain any more")?;
        let statement = spawn_blocking(move || signature(&identity, up_to, head)).await.map_err(gone)??;
        self.state(&statement, stamp);
        self.journal.commit().await;
        Ok(())
    }

    fn state(&self, statement: &Statement, stamp: Stamp) {
        self.journal.append(Reading { stamp, fields: statement.to_fields(), alerts: Vec::new() });
    }

    async fn remember(&self, path: PathBuf, signed: Signed) -> io::Result<()> {
        spawn_blocking(move || state_file::replace(&path, &signed)).await.unwrap_or(Ok(()))
    }

    /// Tells what is wrong, unless it was told last.
    fn tell(&self, told: &mut String, what: String) {
        if *told != what {
            self.events.emit(Event::Trouble(what.clone()));
            *told = what;
        }
    }
}

/// The statement that the key of this identity has signed a hash.
fn signature(identity: &Identity, up_to: u64, head: Hash) -> Result<Statement, String> {
    let certificate = identity.thumbprint.clone();
    let message = to_sign(up_to, head, &certificate);
    let (scheme, signature) = identity.sign(message.as_bytes()).map_err(|error| error.to_string())?;
    let scheme = scheme.as_str().unwrap_or("unknown").to_owned();
    Ok(Statement::Signature { up_to, head, certificate, scheme, signature: base64::encode(&signature) })
}
