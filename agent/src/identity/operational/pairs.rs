//! What is done with the pairs. Every step leaves the folder so that a power cut after it, or in it, loses no pair that the hub
//! has taken and no key that a certificate was issued for.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::sign::SigningKey;
use serde::Serialize;
use tracker_protocol::RegistrationId;

use super::csr;
use super::disk::{Disk, Folder};
use super::error::{OperationalError, in_token};
use super::issued;
use super::key::{self, hex};
use super::record::{self, Record};
use super::request::{self, Asked, CertificateRequest};
use super::settings::{KeyPlace, Operational};
use super::slot::{self, Held, Slot};
use super::stored::{ASIDE, Stored};
use super::summary::Summary;
use super::token_keys::{Configured, TokenKeys};
use crate::identity::Identity;
use crate::platform::state_directory::StateDirectory;

/// No more sentences are kept until somebody asks for them.
const NEWS: usize = 8;
/// No more keys wait for a token that can't be reached.
const RETIRED: usize = 16;
/// So many files of one name can be put aside.
const ASIDES: usize = 9;

/// What Azure has issued, and what was asked for. One at a time works in a state directory: whoever holds its lock.
///
/// Everything here waits for the disk, and for the token where there is one.
#[derive(Debug)]
pub struct Pairs {
    disk: Box<dyn Disk>,
    /// Where keys are made, and where older ones may be; `None` for files.
    token: Option<Box<dyn TokenKeys>>,
    renew_at: f64,
    next: Option<Held>,
    current: Option<Held>,
    asked: Option<Asked>,
    record: Record,
    /// Something there could not be read, and may name keys of the token.
    is_partly_unread: bool,
    news: Vec<String>,
}

/// A certificate with its key, that may be shown to the hub.
#[derive(Debug, Clone)]
pub struct Pair {
    /// As of files.
    pub identity: Identity,
    /// Which of the two.
    pub slot: Slot,
    /// How often the hub has refused it since it took it last; more than 3 are not counted.
    pub refusals: u8,
}

impl Pairs {
    /// Opens what is there, and mends what a power cut has left; what is damaged is put aside, see [`Pairs::news`]. `None` where
    /// nothing is configured. An error says that the folder can't be read at all.
    pub fn open(
        operational: Option<&Operational>,
        state_directory: &Path,
    ) -> Result<Option<Self>, OperationalError> {
        let Some(Operational { key, renew_at }) = operational else { return Ok(None) };
        let folder = Folder::new(StateDirectory::new(state_directory).operational());
        let token = match key {
            KeyPlace::File => None,
            KeyPlace::Token(uri) => {
                Some(Box::new(Configured::new(uri, state_directory)) as Box<dyn TokenKeys>)
            }
        };
        Self::over(Box::new(folder), token, *renew_at).map(Some)
    }

    pub(super) fn over(
        disk: Box<dyn Disk>,
        token: Option<Box<dyn TokenKeys>>,
        renew_at: f64,
    ) -> Result<Self, OperationalError> {
        let stored = Stored::read(&*disk).map_err(|source| OperationalError::Disk {
            what: "read",
            path: disk.path(""),
            source,
        })?;
        let Stored { next, current, asked, record, useless, left_over, troubles } = stored;
        let is_partly_unread = !troubles.is_empty();
        let mut pairs =
            Self { disk, token, renew_at, next, current, asked, record, is_partly_unread, news: troubles };
        // A program that was killed has left names that are to be seen, and not yet durable. A disk that can't be written loses
        // none.
        let _ = pairs.disk.sync();
        for (name, why) in useless {
            pairs.put_aside(&name, &why);
        }
        pairs.remove(&left_over);
        if pairs.asked.as_ref().is_some_and(|asked| asked.csr.is_empty()) {
            // The power went while its key was made. What can't be written now is tried at the next start.
            let _ = pairs.forget_request();
        }
        pairs.sweep();
        Ok(pairs)
    }

    /// What to ask the service for: a new key, which is durable when this returns, and its request. One that is under way for the
    /// same name is returned again as it was. `now` is kept with it.
    pub fn request(
        &mut self,
        id: &RegistrationId,
        now: Option<DateTime<Utc>>,
    ) -> Result<CertificateRequest, OperationalError> {
        let asked = self.asked.as_ref().filter(|asked| asked.name == id.as_str());
        if let Some(request) = asked.and_then(Asked::request) {
            return Ok(request);
        }
        self.forget_request()?;
        self.clear_request()?;
        self.disk.make().map_err(|source| self.failed("make", "", source))?;
        let made = self.make_request(id, now);
        if made.is_err() && self.forget_request().is_ok() {
            let _ = self.clear_request();
        }
        made
    }

    fn make_request(
        &mut self,
        id: &RegistrationId,
        now: Option<DateTime<Utc>>,
    ) -> Result<CertificateRequest, OperationalError> {
        let mut asked = Asked {
            rid: hex(&rand::random::<[u8; 16]>()),
            name: id.to_string(),
            asked_at: now,
            object: None,
            csr: String::new(),
            public_key: String::new(),
        };
        let key = self.make_key(&mut asked)?;
        asked.public_key = hex(&key.public_key().ok_or(OperationalError::Request)?);
        asked.csr = csr::base64(&csr::request(id, &*key)?);
        self.store(request::FILE, &asked)?;
        let request = asked.request().ok_or(OperationalError::Request);
        self.asked = Some(asked);
        request
    }

    /// Makes a key that is durable, and found again: in a file, or in the token by a name that is in a file.
    fn make_key(&mut self, asked: &mut Asked) -> Result<Arc<dyn SigningKey>, OperationalError> {
        if self.token.is_none() {
            let (pem, key) = key::make()?;
            self.write(request::KEY_FILE, pem.as_bytes())?;
            return Ok(key);
        }
        let object = format!("container-tracker-{}", hex(&rand::random::<[u8; 8]>()));
        asked.object = Some(object.clone());
        self.store(request::FILE, asked)?;
        self.asked = Some(asked.clone());
        let token = self.token.as_ref().ok_or(OperationalError::NoKey)?;
        Ok(token.make(&object)?)
    }

    /// What was asked for and has not come yet.
    pub fn under_way(&self) -> Option<CertificateRequest> {
        self.asked.as_ref().and_then(Asked::request)
    }

    /// Nothing will come of the request: the next one has a new key.
    pub fn forget_request(&mut self) -> Result<(), OperationalError> {
        let Some(asked) = &self.asked else { return Ok(()) };
        if let Some(object) = asked.object.clone() {
            self.retire(object)?;
        }
        self.clear_request()?;
        self.asked = None;
        self.sweep();
        Ok(())
    }

    /// Removes the request, and then its key: there is no request without its key at any time.
    fn clear_request(&self) -> Result<(), OperationalError> {
        let removed = match self.disk.remove(request::FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.disk.sync()),
        };
        removed.map_err(|source| self.failed("remove", request::FILE, source))?;
        // One that is left is removed at the next start.
        let _ = self.disk.remove(request::KEY_FILE);
        Ok(())
    }

    /// Takes the chain that was issued for the request, leaf first, after a look at all of it. It is durable when this
    /// returns, and the first of the candidates. After an error the request is still under way.
    pub fn take(&mut self, chain: &[Vec<u8>], now: Option<DateTime<Utc>>) -> Result<(), OperationalError> {
        let asked = self.asked.as_ref().filter(|asked| !asked.csr.is_empty());
        let asked = asked.ok_or(OperationalError::NotAskedFor)?;
        let chain = issued::check(chain, &asked.public_key, &asked.name, now)?;
        let object = asked.object.clone();
        let key = match &object {
            None => self.disk.read(request::KEY_FILE),
            Some(_) => Ok(Vec::new()),
        };
        let key = key.map_err(|source| self.failed("read", request::KEY_FILE, source))?;
        let text = slot::text(&chain, object.as_deref(), &String::from_utf8_lossy(&key));
        let name = Slot::Next.file();
        let held = Held::parse(&self.disk.path(name), text.as_bytes()).map_err(OperationalError::Damaged)?;
        if let Some(older) = self.next.as_ref().and_then(|held| held.object.clone()) {
            self.retire(older)?;
        }
        if let Err(error) = self.write(name, text.as_bytes()) {
            self.look_again();
            return Err(error);
        }
        self.next = Some(held);
        self.asked = None;
        // One that is left is seen to be answered at the next start.
        let _ = self.clear_request();
        self.sweep();
        Ok(())
    }

    /// What may be shown to the hub, the best first: what it has refused less often, then what is newer. Whether it is their
    /// time is for the caller to say. A token that can't be asked leaves its pairs out, see [`Pairs::news`], and is asked again
    /// the next time.
    pub fn candidates(&mut self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        let mut problems = Vec::new();
        for slot in [Slot::Next, Slot::Current] {
            let held = match slot {
                Slot::Next => &mut self.next,
                Slot::Current => &mut self.current,
            };
            let Some(held) = held else { continue };
            match held.identity(self.token.as_deref(), &self.disk.path(slot.file())) {
                Ok(identity) => {
                    let refusals = self.record.refusals(&identity.thumbprint);
                    pairs.push(Pair { identity, slot, refusals });
                }
                Err(why) => problems.push(why),
            }
        }
        for why in problems {
            self.tell(why);
        }
        pairs.sort_by_key(|pair| pair.refusals);
        pairs
    }

    /// The hub has taken this one: it is the current one, and the one before goes. Costs nothing where that is known.
    pub fn proved(&mut self, thumbprint: &str) -> Result<(), OperationalError> {
        if self.next.as_ref().is_some_and(|held| held.chain.thumbprint() == thumbprint) {
            if let Some(older) = self.current.as_ref().and_then(|held| held.object.clone()) {
                self.retire(older)?;
            }
            let (from, to) = (Slot::Next.file(), Slot::Current.file());
            if let Err(source) = self.disk.rename(from, to).and_then(|()| self.disk.sync()) {
                self.look_again();
                return Err(self.failed("write", to, source));
            }
            self.current = self.next.take();
        }
        if self.record.refusals(thumbprint) > 0 {
            self.record.taken(thumbprint);
            self.write_record()?;
        }
        self.sweep();
        Ok(())
    }

    /// The hub has refused this one: the others come first from now on, after a restart too.
    pub fn refused(&mut self, thumbprint: &str) -> Result<(), OperationalError> {
        let slots = [&self.next, &self.current];
        let there = slots.into_iter().flatten().map(|held| held.chain.thumbprint()).collect::<Vec<_>>();
        self.record.keep(&there);
        if there.iter().any(|of| of == thumbprint) && self.record.refused(thumbprint) {
            self.write_record()?;
        }
        Ok(())
    }

    /// How they stand.
    pub fn summary(&self) -> Summary {
        let Self { next, current, record, renew_at, news, .. } = self;
        Summary::of(next.as_ref(), current.as_ref(), record, self.under_way(), *renew_at, news.clone())
    }

    /// What was put aside or could not be done since it was asked last, one sentence each.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Removes all that is in a state directory, also where nothing is configured any more. Keys in a token are destroyed; the
    /// names of those that can't be, because the token does not answer or the configuration names none.
    pub fn destroy(
        operational: Option<&Operational>,
        state_directory: &Path,
    ) -> Result<Vec<String>, OperationalError> {
        let files = Operational { key: KeyPlace::File, renew_at: 1.0 };
        let pairs = Self::open(operational.or(Some(&files)), state_directory)?;
        pairs.map_or(Ok(Vec::new()), Self::destroy_all)
    }

    fn destroy_all(mut self) -> Result<Vec<String>, OperationalError> {
        let slots = [self.next.take(), self.current.take()];
        let mut objects = std::mem::take(&mut self.record.retired);
        objects.extend(slots.into_iter().flatten().filter_map(|held| held.object));
        objects.extend(self.asked.take().and_then(|asked| asked.object));
        let token = self.token.as_deref();
        objects.retain(|object| token.is_none_or(|token| token.destroy(object).is_err()));
        self.disk.clear().map_err(|source| self.failed("remove", "", source))?;
        Ok(objects)
    }

    fn tell(&mut self, why: String) {
        if self.news.len() < NEWS && !self.news.contains(&why) {
            self.news.push(why);
        }
    }

    fn put_aside(&mut self, name: &str, why: &str) {
        let names = self.disk.names().unwrap_or_default();
        let mut free = (1..=ASIDES).map(|number| format!("{name}{ASIDE}{number}"));
        let Some(to) = free.find(|to| !names.contains(to)) else { return self.tell(why.into()) };
        let moved = self.disk.rename(name, &to).and_then(|()| self.disk.sync());
        let path = self.disk.path(&to);
        self.tell(match moved {
            Ok(()) => format!("{why}; it was put aside as {}", path.display()),
            Err(error) => format!("{why}; it can't be put aside as {}: {error}", path.display()),
        });
    }

    /// Removes files of no more use, in this order. What can't be removed now is so at the next start.
    fn remove(&mut self, names: &[String]) {
        let mut is_removed = false;
        for name in names {
            match self.disk.remove(name) {
                Ok(()) => is_removed = true,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => return,
            }
        }
        if is_removed {
            let _ = self.disk.sync();
        }
    }

    /// From now on no pair needs this key of the token. Durable before what named it is gone.
    fn retire(&mut self, object: String) -> Result<(), OperationalError> {
        if self.record.retired.contains(&object) {
            return Ok(());
        }
        let before = self.record.retired.clone();
        self.record.retired.push(object);
        let surplus = self.record.retired.len().saturating_sub(RETIRED);
        self.record.retired.drain(..surplus);
        let written = self.write_record();
        if written.is_err() {
            self.record.retired = before;
        }
        written
    }

    /// Destroys keys of the token that no file names.
    fn sweep(&mut self) {
        let Some(token) = self.token.as_deref().filter(|_| !self.record.retired.is_empty()) else { return };
        // What is named is known for sure only when all names are durable.
        if self.is_partly_unread || self.disk.sync().is_err() {
            return;
        }
        let slots = [&self.next, &self.current];
        let named = slots.into_iter().flatten().filter_map(|held| held.object.as_ref());
        let named: Vec<_> =
            named.chain(self.asked.as_ref().and_then(|asked| asked.object.as_ref())).collect();
        let mut left = Vec::new();
        let mut problem = None;
        for object in self.record.retired.iter().filter(|object| !named.contains(object)) {
            if let Err(error) = token.destroy(object) {
                left.push(object.clone());
                problem = Some(format!("a key of no more use stays in the token: {}", in_token(&error)));
            }
        }
        if let Some(why) = problem {
            self.tell(why);
        }
        if left != self.record.retired {
            self.record.retired = left;
            // Else they are looked for again at the next start, in vain.
            let _ = self.write_record();
        }
    }

    /// After a step of which nobody knows whether it was done.
    fn look_again(&mut self) {
        for slot in [Slot::Next, Slot::Current] {
            let read = Held::read(&*self.disk, slot);
            let held = match slot {
                Slot::Next => &mut self.next,
                Slot::Current => &mut self.current,
            };
            match read {
                Ok(read) => *held = Some(read),
                Err(slot::Unusable::Absent) => *held = None,
                // What is in memory is all that is left.
                Err(_) => {}
            }
        }
    }

    fn write_record(&self) -> Result<(), OperationalError> {
        self.store(record::FILE, &self.record)
    }

    fn store(&self, name: &str, content: &impl Serialize) -> Result<(), OperationalError> {
        let json =
            serde_json::to_vec_pretty(content).map_err(|error| self.failed("write", name, error.into()))?;
        self.write(name, &json)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), OperationalError> {
        self.disk.replace(name, content).map_err(|source| self.failed("write", name, source))
    }

    fn failed(&self, what: &'static str, name: &str, source: io::Error) -> OperationalError {
        OperationalError::Disk { what, path: self.disk.path(name), source }
    }
}
